"""From a manifest to an ensemble that answers: weights found and verified, engines opened, every member checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.answering.answerer import Answerer
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.errors import EngineError, ManifestError, NotReadyError
from agents.core.manifest import FILE_NAME, Manifest
from agents.core.schema import Question
from agents.engines.protocol import Engine
from agents.ensemble.base_model import FindModel
from agents.ensemble.golden_probes import MemberStatus
from agents.ensemble.manifest_file import read_manifest
from agents.ensemble.placement import EngineSpec, EnsembleWeights, Place
from agents.ensemble.supervisor import EngineSupervisor
from agents.ensemble.weights import verified_folders, verify_base
from agents.support.bundle import PROJECT_ROOT
from agents.support.concurrency import run_together

logger = logging.getLogger(__name__)
DEFAULT_ENSEMBLE = "starter"
"""What answers where nothing else is asked for."""

WARM_UP = Question("Which of these is a colour?", ("Blue", "Seven", "Quickly", "Under"))
TIMED = (
    Question(
        "Five friends sit in a row. Anna sits left of Ben, Cleo sits at the right end, and Dora sits between Ben and "
        "Cleo. Evan does not sit next to Anna. Who sits in the middle?",
        ("Anna", "Ben", "Dora", "Evan"),
    ),
    Question(
        "Every painter is a singer, some singers are dancers, and no dancer is a teacher. Which of these statements "
        "follows from the others in every case?",
        ("Some painters are dancers", "Some singers are no teachers", "No singer teaches", "All dancers paint"),
    ),
)
"""Of a usual length. The first answer of an engine takes up to four times as long as those after it, so what it took is
forgotten, and predictions after the start rest on these two. They are asked together: one alone does not tell an engine
that computes one step after the other from one that batches, and a burst then looks 20% shorter than it is."""

WARM_UP_SECONDS = 600.0
"""How long the questions of the warm-up may take together. An engine that hangs at its first real batch never ends."""


class LoadedEnsemble:
    """An ensemble that can answer, and everything to close it."""

    def __init__(self, manifest: Manifest, answerer: Answerer, supervisors: Sequence[EngineSupervisor]) -> None:
        self.manifest = manifest
        self.answerer = answerer
        self.supervisors = supervisors

    @property
    def statuses(self) -> list[MemberStatus]:
        """Every member's, in the manifest's order."""
        by_name = {status.name: status for supervisor in self.supervisors for status in supervisor.statuses}
        return [by_name[member.name] for member in self.manifest.members if member.name in by_name]

    @property
    def measured(self) -> list[Voter]:
        """Members of weight 0, where they were asked for: they can be asked, but do not answer."""
        return [voter for voter in _voters(self.supervisors) if voter.member.weight == 0]

    @property
    def engine(self) -> Engine:
        """The first engine that runs: the one to take a tokenizer from, or to generate with. Raises NotReadyError."""
        for supervisor in self.supervisors:
            if supervisor.engine is not None:
                return supervisor.engine
        raise NotReadyError(f"no engine of {self.manifest.name} runs now")

    async def check_health(self) -> None:
        """Returns when at least one engine can compute; raises EngineError, or NotReadyError with every reason."""
        errors = []
        for supervisor in self.supervisors:
            if supervisor.engine is not None:
                try:
                    await supervisor.engine.check_health()
                except EngineError as error:
                    errors.append(f"{supervisor.spec.name}: {error}")
                else:
                    return
        if errors:
            raise EngineError("; ".join(errors))
        raise NotReadyError("; ".join(f"{status.name}: {status.reason}" for status in self.statuses))

    async def close(self) -> None:
        for supervisor in self.supervisors:
            await supervisor.close()


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
    place: Place,
    report: Callable[[str], None] = lambda stage: None,
    *,
    all_members: bool = False,
    warm_up_s: float = WARM_UP_SECONDS,
) -> LoadedEnsemble:
    """Opens the ensemble at ``path`` on the engines that ``place`` plans. ``report`` is told each stage as it starts.

    Members of weight 0, which are in a manifest to be measured, are left out unless ``all_members``; they never answer.
    An engine that fails while others start is left out and tried again later, as one that dies later is.

    Raises FileError and ManifestError for the manifest, DamagedModelError for weights that are not those it names,
    NotReadyError when no member can be served, and what ``find_model``, ``place`` and a single engine's opening raise.
    """
    manifest, specs = await _plan(path, find_model, place, report, all_members=all_members)
    answerer = Answerer(manifest, [])
    supervisors: list[EngineSupervisor] = []

    def renew() -> None:
        answerer.set_voters(_voters(supervisors))

    supervisors += [EngineSupervisor(spec, renew, base=manifest.base) for spec in specs]
    loaded = LoadedEnsemble(manifest, answerer, supervisors)
    try:
        await _open_all(supervisors, report)
        renew()
        if not answerer.voters:
            reasons = "; ".join(f"{s.name}: {s.reason or 'weight 0'}" for s in loaded.statuses)
            raise NotReadyError(f"no member of {manifest.name} can be served: {reasons}")
        report("warming up")
        await _warm_up(answerer, warm_up_s)
    except BaseException:
        await loaded.close()
        raise
    for supervisor in supervisors:
        supervisor.watch()
    return loaded


async def check_ensemble(
    path: Path, find_model: FindModel, place: Place, report: Callable[[str], None] = lambda stage: None
) -> list[MemberStatus]:
    """Replays the golden probes of every member, also of those of weight 0, on the engines that ``place`` plans.

    One engine is open at a time. An engine that does not start is the reason of each of its members. Raises as
    ``load_ensemble`` does for the manifest and the weights.
    """
    manifest, specs = await _plan(path, find_model, place, report, all_members=True)
    statuses: dict[str, MemberStatus] = {}
    for spec in specs:
        supervisor = EngineSupervisor(spec, lambda: None, base=manifest.base)
        await _open_all([supervisor], report, tolerant=True)
        await supervisor.close()
        statuses |= {status.name: status for status in supervisor.statuses}
    return [statuses[member.name] for member in manifest.members]


async def _plan(
    path: Path, find_model: FindModel, place: Place, report: Callable[[str], None], *, all_members: bool
) -> tuple[Manifest, list[EngineSpec]]:
    """The manifest, and the engines of its members once their weights are verified."""
    manifest, weights = await verified_weights(path, find_model, report, all_members=all_members)
    report("placing members")
    specs = await asyncio.to_thread(place, weights)
    return manifest, specs


async def verified_weights(
    path: Path,
    find_model: FindModel,
    report: Callable[[str], None] = lambda stage: None,
    *,
    all_members: bool = False,
) -> tuple[Manifest, EnsembleWeights]:
    """What the ensemble at ``path`` is computed from, found and held against its hashes; nothing is opened.

    Raises as ``load_ensemble`` does for the manifest and the weights.
    """
    manifest = read_manifest(path)
    folder = path if await asyncio.to_thread(path.is_dir) else path.parent
    report(f"finding {manifest.base.model}")
    checkpoint = await asyncio.to_thread(find_model, manifest.base.model)
    report("verifying weights")
    await asyncio.to_thread(verify_base, manifest, checkpoint)
    members = [member for member in manifest.members if all_members or member.weight > 0]
    folders = await asyncio.to_thread(verified_folders, members, folder)
    return manifest, EnsembleWeights(manifest.base.model, checkpoint, manifest.base.sha256, members, folders)


async def _open_all(
    supervisors: Sequence[EngineSupervisor], report: Callable[[str], None], *, tolerant: bool = False
) -> None:
    """One after the other: on a GPU each measures the memory that the ones before it have left.

    Raises the first EngineError when none starts, unless ``tolerant``.
    """
    failures = []
    for supervisor in supervisors:
        try:
            await supervisor.open(report)
        except EngineError as error:
            failures.append(error)
            supervisor.fail(str(error))
            logger.error("%s is not served: %s", supervisor.spec.name, error)
    if len(failures) == len(supervisors) and not tolerant:
        raise failures[0]


async def _warm_up(answerer: Answerer, limit_s: float) -> None:
    """Raises EngineError when the answers take longer than ``limit_s``. Without a deadline all members are timed."""
    try:
        async with asyncio.timeout(limit_s):
            await answerer.answer(WARM_UP, Deadline.never())
            answerer.forget_costs()
            await run_together(answerer.answer(question, Deadline.never()) for question in TIMED)
    except TimeoutError:
        raise EngineError(f"the first questions were not answered within {limit_s:g} s: an engine hangs") from None


def _voters(supervisors: Sequence[EngineSupervisor]) -> list[Voter]:
    return [voter for supervisor in supervisors for voter in supervisor.voters]
