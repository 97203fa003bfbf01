"""Writing a bundle: everything collected and checked first, then a folder that appears whole or not at all."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Literal

from agents.core.edition import Edition
from agents.core.errors import FileError
from agents.ensemble.base_model import FindModel
from agents.models.store import disk_free, readable_bytes, require_room
from agents.support.atomic_folder import staged_folder
from agents.support.bundle import FILE_NAME, OUTPUTS, PROJECT_ROOT
from tournament.bundle.file_copy import FileContent, size_of, write_content
from tournament.bundle.imports import ImportGraph, data_files, follow_imports
from tournament.bundle.kit import kit_files
from tournament.bundle.record import PackageRecord, Record, read_record, write_record
from tournament.bundle.weights import collect_weights
from tournament.doctor.submission import AGENT_FILES
from tournament.teams.folder import ANSWERS, BATCH_SIZE, FILTERED, QUESTIONS
from tournament.teams.protocol import Row

OURS = ("agents", "puzzles")
"""The packages that an agent may be made of; the others import these, never the other way round."""
ROOTS = (*(f"agents.{Path(name).stem}" for name in AGENT_FILES), "agents.models.__main__")
"""What is run in the folder: the four files, and what pulls a model."""

CpuDtype = Literal["float32", "bfloat16"] | None


@dataclass(frozen=True)
class BundleRequest:
    """The parts of a bundle that is to be made."""

    edition: Edition
    ensemble: Path
    engine: Literal["transformers", "vllm"] = "transformers"
    find_base: FindModel | None = None
    """None leaves the base model to be pulled where the folder runs."""
    rehearse: Callable[[], CpuDtype] | None = None
    """Opens the ensemble as the bundle will, and gives the precision that served on a CPU. Raises if it is not fit."""
    examples: Mapping[str, Sequence[Row]] | None = None
    """Worked questions by topic."""
    kit: Path | None = None
    """The folder of the organisers' starter kit."""


def build_bundle(
    out: Path,
    request: BundleRequest,
    *,
    replace: bool = False,
    report: Callable[[str], None] = lambda text: None,
    free_bytes: Callable[[Path], int] = disk_free,
) -> Record:
    """Makes ``out``, which is not there, empty, or, with ``replace``, an earlier bundle.

    Raises FileError for another ``out``, and what ``collect_weights``, ``kit_files`` and the rehearsal raise;
    DiskSpaceError before anything is written. Whatever is raised, ``out`` is as it was.
    """
    out = out.absolute()
    require_free_place(out, replace=replace)
    report("verifying weights")
    weights = collect_weights(request.ensemble, request.find_base)
    graph = follow_imports(ROOTS, PROJECT_ROOT, OURS)
    code = [*graph.modules.values(), *data_files(graph, PROJECT_ROOT)]
    files: dict[str, FileContent] = {
        **{file.relative_to(PROJECT_ROOT).as_posix(): file for file in code},
        **kit_files(request.edition, request.examples or {}, request.kit),
        **weights.files,
    }
    total = sum(map(size_of, files.values()))
    cpu_dtype = None if request.rehearse is None else request.rehearse()
    existing = next(place for place in out.parents if place.is_dir())
    require_room(existing, total, f"a bundle of {weights.manifest.name}", free_bytes)
    report(f"writing {len(files)} files, {readable_bytes(total)}")
    with staged_folder(out) as folder:
        record = Record(
            edition=request.edition.id,
            ensemble=weights.manifest.name,
            engine=request.engine,
            cpu_dtype=cpu_dtype,
            base=weights.base,
            commands=command_lines(request.edition.default_questions),
            python=platform.python_version(),
            packages=_packages(graph),
            files={path: write_content(folder / path, source) for path, source in sorted(files.items())},
        )
        (folder / OUTPUTS).mkdir()
        write_record(record, folder)
    return record


def require_free_place(out: Path, *, replace: bool) -> None:
    """Raises FileError unless ``out`` is not there, an empty folder or, with ``replace``, an earlier bundle."""
    wanted = "the path of a folder that is not there yet, or is empty"
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise FileError(str(out), "a link" if out.is_symlink() else "a file", wanted)
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / FILE_NAME).is_file():
        raise FileError(str(out), f"a folder with {sum(1 for _ in out.iterdir())} entries in it", wanted)
    # Somebody else's file of that name does not make it a bundle.
    record = read_record(out)
    if not replace:
        raise FileError(str(out), f"an earlier bundle of {record.ensemble}", f"{wanted}; --force replaces this one")


def command_lines(number: int) -> dict[Literal["questions", "answers"], str]:
    """The organisers' two command lines."""
    ask = f"--output_file {OUTPUTS}/{QUESTIONS} --num_questions {number}"
    answer = f"--input_file {OUTPUTS}/{FILTERED} --output_file {OUTPUTS}/{ANSWERS}"
    common = f"--batch_size {BATCH_SIZE} --verbose"
    return {
        "questions": f"python -m agents.question_agent {ask} {common}",
        "answers": f"python -m agents.answer_agent {answer} {common}",
    }


def _packages(graph: ImportGraph) -> dict[str, PackageRecord]:
    """By the name that pip knows each package by."""
    distributions, found = packages_distributions(), {}
    for module, package in sorted(graph.packages.items()):
        name = distributions.get(module, [module])[0]
        importers = sorted(package.importers)
        found[name] = PackageRecord(version=_version(name), at_start=package.at_start, imported_by=importers)
    return found


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
