"""From a manifest to an ensemble that answers: weights found and verified, engine opened, every member checked.

A member whose golden probes an engine does not reproduce is not served; the others are, and the report says which and
by how much. That is the only place where an engine that computes wrongly without an error is caught.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.answerer import Answerer
from agents.deadline import Deadline
from agents.engines.protocol import Engine
from agents.errors import AiacError, DamagedModelError, InputError, ManifestError, NotReadyError
from agents.manifest import FILE_NAME, TOLERANCE_NATS, Manifest, Member, NextTokenProbe, read_manifest
from agents.models.checkpoint import checkpoint_folder, verified_base_sha256
from agents.models.download import sha256_of
from agents.prompts import PromptRenderer
from agents.schema import Question
from agents.voter import Voter

logger = logging.getLogger(__name__)
PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_ENSEMBLE = "default"
"""What answers where nothing else is asked for."""

WARM_UP = Question("Which of these is a colour?", ("Blue", "Seven", "Quickly", "Under"))

FindModel = Callable[[str], Path]
"""A model's name or folder -> its checkpoint folder; it may pull the model first."""


class OpenEngine(Protocol):
    """Opens an engine on a checkpoint folder with adapters by name. It blocks, so it is called on a thread."""

    def __call__(self, checkpoint: Path, adapters: Mapping[str, Path]) -> Engine: ...


@dataclass(frozen=True)
class MemberStatus:
    """Whether a member serves. ``difference_nats`` is its largest deviation from its golden probes, if it has any."""

    name: str
    ready: bool
    difference_nats: float | None
    reason: str | None = None


@dataclass(frozen=True)
class LoadedEnsemble:
    """An ensemble that can answer, and everything to close it."""

    manifest: Manifest
    answerer: Answerer
    engine: Engine
    statuses: list[MemberStatus]
    measured: Sequence[Voter] = ()
    """Members of weight 0, where they were asked for: they can be asked, but do not answer."""

    async def close(self) -> None:
        await self.engine.close()


def find_ensemble(name_or_path: str) -> Path:
    """The folder of an ensemble: a path, or a name in ``ensembles/`` here or beside the package.

    Raises ManifestError that lists where it looked.
    """
    places = [Path(name_or_path), Path("ensembles") / name_or_path]
    places += [PROJECT_ROOT / place for place in places]
    for place in places:
        if place.is_file() or (place / FILE_NAME).is_file():
            return place
    looked = ", ".join(dict.fromkeys(str(place) for place in places))
    raise ManifestError("ensemble", repr(name_or_path), f"a folder with {FILE_NAME}; looked in {looked}")


async def load_ensemble(
    path: Path,
    find_model: FindModel,
    engine_openers: Sequence[OpenEngine],
    report: Callable[[str], None] = lambda stage: None,
    *,
    all_members: bool = False,
) -> LoadedEnsemble:
    """Opens the ensemble at ``path``. ``report`` is told each stage as it starts.

    Members of weight 0, which are in a manifest to be measured, are left out unless ``all_members``; they never answer.

    The first of ``engine_openers`` whose engine reproduces every member's probes serves, and the last one in any case:
    a fast precision may come before an exact one.
    Raises FileError and ManifestError for the manifest, DamagedModelError for weights that are not those it names,
    NotReadyError when no member passes its probes, and what ``find_model`` and ``engine_openers`` raise.
    """
    manifest = read_manifest(path)
    folder = path if await asyncio.to_thread(path.is_dir) else path.parent
    report(f"finding {manifest.base.model}")
    checkpoint = await asyncio.to_thread(find_model, manifest.base.model)
    report("verifying weights")
    await asyncio.to_thread(_verify_base, manifest, checkpoint)
    members = [member for member in manifest.members if all_members or member.weight > 0]
    adapters = {m.name: _verified_adapter(m, folder) for m in members if m.kind == "adapter"}
    if foreign := [m.name for m in members if m.kind == "checkpoint"]:
        raise ManifestError("members", f"checkpoint members ({', '.join(foreign)})", "base and adapter members")
    for attempt, open_engine in enumerate(engine_openers, start=1):
        report("loading the model")
        engine = await asyncio.to_thread(open_engine, checkpoint, adapters)
        try:
            voters, statuses = await _checked_voters(members, engine, report)
            exact = engine.dtype == "float32" or attempt == len(engine_openers)
            if not exact and not all(status.ready for status in statuses):
                report(f"{engine.dtype} does not reproduce the golden probes")
                await engine.close()
                continue
            for status in statuses:
                if not status.ready:
                    logger.error("member %s is not served: %s", status.name, status.reason)
            answerer = Answerer(manifest, voters)
            if not answerer.voters:
                reasons = "; ".join(f"{s.name}: {s.reason or 'weight 0'}" for s in statuses)
                raise NotReadyError(f"no member of {manifest.name} can be served: {reasons}")
            report("warming up")
            await answerer.answer(WARM_UP, Deadline.never())
        except BaseException:
            await engine.close()
            raise
        measured = [voter for voter in voters if voter.member.weight == 0]
        return LoadedEnsemble(manifest, answerer, engine, statuses, measured)
    raise ValueError("no engine to open")


async def _checked_voters(
    members: Sequence[Member], engine: Engine, report: Callable[[str], None]
) -> tuple[list[Voter], list[MemberStatus]]:
    """The members that reproduce their probes, bound to ``engine``, and the status of every member."""
    renderer = PromptRenderer(engine.tokenizer)
    voters, statuses = [], []
    for member in members:
        report(f"checking {member.name}")
        adapter = member.name if member.kind == "adapter" else None
        status = await _check(member, engine, adapter)
        statuses.append(status)
        if status.ready:
            voters.append(Voter(member, engine, renderer, adapter))
    return voters, statuses


def _verify_base(manifest: Manifest, checkpoint: Path) -> None:
    found = verified_base_sha256(checkpoint)
    if found != manifest.base.sha256:
        raise DamagedModelError(f"{checkpoint}: SHA-256", found, f"{manifest.base.sha256}, as the manifest records")


def _verified_adapter(member: Member, folder: Path) -> Path:
    if member.path is None:
        raise ManifestError(f"members.{member.name}.path", "null", "an adapter folder")
    path = (folder / member.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ManifestError(f"members.{member.name}.path", member.path, "a folder inside the ensemble's own")
    weights = path / "adapter_model.safetensors"
    if not weights.is_file():
        raise DamagedModelError(str(weights), "no such file", "the adapter's weights")
    if (found := sha256_of(weights)) != member.sha256:
        raise DamagedModelError(str(weights), f"SHA-256 {found}", f"{member.sha256}, as the manifest records")
    return path


async def _check(member: Member, engine: Engine, adapter: str | None) -> MemberStatus:
    if not member.probes:
        return MemberStatus(member.name, True, None, "no golden probes recorded")
    tolerance = TOLERANCE_NATS[engine.dtype]
    try:
        difference = await probe_difference(member, engine, adapter)
    except (AiacError, ValueError) as error:
        return MemberStatus(member.name, False, None, str(error))
    if difference <= tolerance:
        return MemberStatus(member.name, True, difference)
    reason = f"differs from its golden probes by {difference:.4f} nats; the tolerance in {engine.dtype} is {tolerance}"
    return MemberStatus(member.name, False, difference, reason)


async def probe_difference(member: Member, engine: Engine, adapter: str | None) -> float:
    """The largest deviation from the recorded log-probs: a mean over a probe's candidates, or a continuation's tokens.

    The mean, since in bfloat16 the log-prob of a single improbable token carries rounding noise of 0.1 nats that says
    nothing about the weights, and wrong weights move all of them. NaN counts as infinitely far.
    """
    worst = 0.0
    for probe in member.probes:
        if isinstance(probe, NextTokenProbe):
            found = await engine.next_token_logprobs(probe.prompt, probe.candidates, adapter)
            gaps = [sum(abs(a - b) for a, b in zip(found, probe.logprobs, strict=True)) / len(probe.logprobs)]
        else:
            rows = await engine.continuation_logprobs(probe.prompt, probe.continuations, adapter)
            gaps = [
                abs(sum(found_row) - sum(recorded)) / max(len(recorded), 1)
                for found_row, recorded in zip(rows, probe.logprobs, strict=True)
            ]
        worst = max([worst, *(gap if gap == gap else float("inf") for gap in gaps)])
    return worst


ENGINES = ("transformers",)


def engine_openers(name: str, *, dtype: str | None = None, threads: int | None = None) -> list[OpenEngine]:
    """The openers of an engine by name, as ``load_ensemble`` wants them.

    Without a ``dtype`` the device's own precision comes first and float32 after it: some models lose so much in
    bfloat16 that they miss their golden probes. Raises InputError for a name that is not in ``ENGINES``.
    """
    if name not in ENGINES:
        raise InputError("engine", repr(name), f"one of {', '.join(ENGINES)}")
    if dtype not in (None, *TOLERANCE_NATS):
        raise InputError("dtype", repr(dtype), f"one of {', '.join(TOLERANCE_NATS)}")
    return [_transformers_opener(each, threads) for each in ([dtype] if dtype else [None, "float32"])]


def _transformers_opener(dtype: str | None, threads: int | None) -> OpenEngine:
    def open_engine(checkpoint: Path, adapters: Mapping[str, Path]) -> Engine:
        from agents.engines.transformers import TransformersEngine

        return TransformersEngine.load(checkpoint, adapters, dtype=dtype, threads=threads)

    return open_engine


async def load_from_environment(ensemble: str | None = None, engine: str | None = None) -> LoadedEnsemble:
    """The ensemble and engine that are named, else those of AIAC_ENSEMBLE and AIAC_ENGINE, else the defaults.

    Raises as ``find_ensemble``, ``engine_openers`` and ``load_ensemble`` do.
    """
    return await load_ensemble(
        find_ensemble(ensemble or os.environ.get("AIAC_ENSEMBLE") or DEFAULT_ENSEMBLE),
        default_find_model,
        engine_openers(engine or os.environ.get("AIAC_ENGINE") or "transformers"),
    )


def default_find_model(name_or_path: str) -> Path:
    """A checkpoint folder as it is, or a catalogue model, pulled without a word when it is not there yet."""
    from agents.models.store import ModelStore

    return checkpoint_folder(name_or_path) or ModelStore().pull(name_or_path)
