"""A team that is a submission folder: the organisers' two command lines, run in that folder.

The process gets a clean environment (no secret of this one's), a home folder that is thrown away, and its time. It
runs in the best sandbox that can be had (tournament.teams.sandbox); ``lacking`` says what that one does not hold.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.core.errors import FileError, file_errors, system_reason
from agents.support.atomic_file import write_whole
from tournament.teams.confinement import LACKING, best_confinement
from tournament.teams.leftovers import throwaway_folder
from tournament.teams.listing import changes, list_folder
from tournament.teams.process import Finished, run_bounded
from tournament.teams.protocol import Batch, Fault, Row, TeamEntry
from tournament.teams.sandbox import Confinement, given_to, order_for
from tournament.untrusted import MAX_ROW_BYTES, parse_json, printable, reason_of

OUTPUTS = "outputs"
QUESTIONS, FILTERED, ANSWERS = "questions.json", "filtered_questions.json", "answers.json"
BATCH_SIZE = "5"
MAX_FILE_BYTES = 64 * 1024 * 1024
LAST_OUTPUT_CHARS = 300

PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "AIAC_CACHE_DIR", "AIAC_ENSEMBLE", "AIAC_ENGINE",
    "AIAC_EDITION", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
)  # fmt: skip
"""Variables that a run sees: where programs, models and devices are. Everything else stays here, keys above all."""


class FolderTeam:
    """A submission folder. Its interpreter is its own, ``.venv/bin/python``, or ``python``, or this process's."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        python: str | None = None,
        confinement: Confinement | None = None,
    ) -> None:
        """Take the best ``confinement`` that can be had, unless told which.

        Raises FileError when ``folder`` is none, or has no agents/.
        """
        if not (folder / "agents").is_dir():
            found = "no folder agents/ in it" if folder.is_dir() else "no such folder"
            raise FileError(str(folder), found, "a submission folder")
        self._folder = folder.resolve()
        self.entry = TeamEntry(name=name or folder.resolve().name, kind="folder", where=str(self._folder))
        own = self._folder / ".venv" / "bin" / "python"
        python = python or sys.executable
        self._python = str(own) if own.exists() else shutil.which(python) or python
        self._confinement = confinement or best_confinement(self._folder)

    @property
    def lacking(self) -> str:
        """One line on what the sandbox of this team's runs does not hold; empty where it holds everything."""
        return LACKING[self._confinement].format(name=self.entry.name)

    def ask_all(self, number: int, limit_s: float) -> Batch:
        wanted = ["--output_file", f"{OUTPUTS}/{QUESTIONS}", "--num_questions", str(number)]
        return self._run("agents.question_agent", wanted, QUESTIONS, number, limit_s)

    def answer_all(self, questions: Sequence[Row], limit_s: float) -> Batch:
        try:
            # Through a link in its place this would write where the link leads.
            self._prepare(FILTERED)
            write_whole(self._folder / OUTPUTS / FILTERED, json.dumps(list(questions), indent=4))
        except FileError as error:
            return Batch((), Fault(kind="crashed", detail=str(error)))
        wanted = ["--input_file", f"{OUTPUTS}/{FILTERED}", "--output_file", f"{OUTPUTS}/{ANSWERS}"]
        return self._run("agents.answer_agent", wanted, ANSWERS, len(questions), limit_s)

    def close(self) -> None:
        return

    def _run(self, module: str, wanted: Sequence[str], output: str, number: int, limit_s: float) -> Batch:
        command = [self._python, "-m", module, *wanted, "--batch_size", BATCH_SIZE, "--verbose"]
        try:
            # What an earlier run left behind must not pass for this one's.
            self._prepare(output)
            self._prepare(f"filtered_{output}")
            before = list_folder(self._folder, without=OUTPUTS)
            with throwaway_folder() as home:
                environment = clean_environment(os.environ, str(home))
                order = order_for(self._confinement, command, self._folder, str(home), environment)
                with given_to(order.user, self._folder, home):
                    finished = run_bounded(order, limit_s)
        except FileError as error:
            return Batch((), Fault(kind="crashed", detail=str(error)))
        except OSError as error:
            what = error.filename or self._python
            return Batch((), Fault(kind="crashed", detail=f"{what} does not start: {system_reason(error)}"))
        notes = changes(before, list_folder(self._folder, without=OUTPUTS))
        rows, fault = self._rows(finished, output, number)
        if finished.stopped is not None:
            notes.append(f"it was ended: {finished.stopped}")
        elif finished.exit_code != 0 and rows:
            notes.append(f"it wrote its file and ended with exit code {finished.exit_code}")
        if len(rows) > number:
            notes.append(f"it gave {len(rows):,} rows where {number:,} were wanted; the first {number:,} count")
        tail = printable(finished.tail.decode("utf-8", "replace"))
        surplus = max(0, len(rows) - number)
        return Batch(rows[:number], fault, finished.exit_code, finished.output_bytes, tail, notes, surplus)

    def _rows(self, finished: Finished, output: str, number: int) -> tuple[list[Any], Fault | None]:
        if finished.stopped is not None:
            return [], Fault(kind="killed", detail=f"the run was ended: {finished.stopped}")
        limit = min(MAX_FILE_BYTES, MAX_ROW_BYTES * (number + 1))
        try:
            data = read_regular(self._folder / OUTPUTS, output, limit)
            value = parse_json(data)
        except FileNotFoundError:
            return [], _unwritten(finished, output)
        except (OSError, ValueError) as error:
            return [], Fault(kind="not JSON", detail=f"{OUTPUTS}/{output}: {reason_of(error)}")
        except OverflowError as error:
            return [], Fault(kind="too large", detail=f"{OUTPUTS}/{output}: {error}")
        if not isinstance(value, list):
            return [], Fault(kind="not JSON", detail=f"{OUTPUTS}/{output} is no list")
        return value, None

    def _prepare(self, name: str) -> None:
        """An outputs/ that is a folder of its own, without the file called ``name``. Raises FileError."""
        outputs = self._folder / OUTPUTS
        with file_errors(outputs / name, "a file that can be replaced"):
            outputs.mkdir(exist_ok=True)
            if outputs.is_symlink():
                raise FileError(str(outputs), "a link", "a folder")
            (outputs / name).unlink(missing_ok=True)


def clean_environment(environment: Mapping[str, str], home: str) -> dict[str, str]:
    """What a run sees: ``PASSED_ON``, a home that is ``home``, and the folders where models are cached."""
    user = Path(environment.get("HOME", "/nonexistent"))
    found = {name: environment[name] for name in PASSED_ON if name in environment}
    found.setdefault("HF_HUB_CACHE", str(Path(environment.get("HF_HOME", user / ".cache/huggingface")) / "hub"))
    found.setdefault("AIAC_CACHE_DIR", str(user / ".cache/aiac"))
    # Without this, importing the agents would write into the folder.
    return {**found, "HOME": home, "TMPDIR": home, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def read_regular(folder: Path, name: str, limit_bytes: int) -> bytes:
    """The contents of a plain file; a link, a pipe or a device is an OSError or ValueError, too much OverflowError."""
    # Without O_NONBLOCK, opening a pipe would wait for its writer for ever.
    handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:  # noqa: PTH123
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a plain file")
        if status.st_size > limit_bytes:
            raise OverflowError(f"{status.st_size:,} bytes; at most {limit_bytes:,} are read")
        return file.read(limit_bytes)


def _unwritten(finished: Finished, output: str) -> Fault:
    tail = printable(finished.tail.decode("utf-8", "replace")).strip()
    last = tail.rpartition("\n")[2][-LAST_OUTPUT_CHARS:]
    said = f"; its last words: {last}" if last else ""
    if finished.exit_code != 0:
        return Fault(kind="crashed", detail=f"exit code {finished.exit_code} without {OUTPUTS}/{output}{said}")
    return Fault(kind="missing", detail=f"exit code 0 without {OUTPUTS}/{output}{said}")
