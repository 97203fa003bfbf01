"""From candidate members to an ensemble folder: score, judge, fit, place, probe and write.

Each step has a file of its own: ``score``, ``paired_test``, ``fit``, ``placed_weights``, ``golden_probes``.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents.core.manifest import FILE_NAME, Accuracy, Base, Manifest, Member
from agents.core.pooling import likeliest
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.engines.tokenizer_identity import tokenizer_hashes
from agents.ensemble.base_model import FindModel
from agents.ensemble.manifest_file import write_manifest
from agents.ensemble.placement import OpenEngine
from agents.models.checkpoint import verified_base_sha256
from agents.support.atomic_file import require_writable
from training.adapters.storage import Dtype
from training.curation.keyed_rows import DataFile, KeyedRow, named_data
from training.recipe import CandidateRecipe, ExportRecipe, FitRecipe
from training.release.admission import MemberResult, judge_members
from training.release.fit import EnsembleFit, fit_ensemble
from training.release.golden_probes import ProbeRecorder
from training.release.placed_weights import WeightsPlacer, checkpoint_dtype
from training.release.score import ScoredMembers, score_members
from training.support.progress import StageProgress
from training.support.statistics import wilson_interval

LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


@dataclass(frozen=True)
class ExportPlan:
    """The input of an export. ``adapters`` are the folders of the trained ones among ``members``, by name.

    Those in ``merged`` are written as checkpoints, in ``checkpoint_dtype`` (None: the base's own), while
    ``reserve_bytes`` of the disk stay free.
    """

    name: str
    model: str
    output: Path
    members: Sequence[CandidateRecipe]
    fit: FitRecipe
    probes: int
    adapters: dict[str, Path] = field(default_factory=dict)
    merged: frozenset[str] = frozenset()
    checkpoint_dtype: Dtype | None = None
    reserve_bytes: int = 0
    significance: float = 0.05
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, recipe: ExportRecipe) -> ExportPlan:
        """Return the plan of an ensemble of untrained members."""
        provenance = {"recipe": recipe.model_dump()}
        output = Path(recipe.output)
        return cls(recipe.name, recipe.model, output, recipe.members, recipe.fit, recipe.probes, provenance=provenance)


@dataclass(frozen=True)
class Export:
    """The manifest that was written, and everything that was weighed."""

    manifest: Manifest
    file: Path
    members: list[MemberResult]
    fit: EnsembleFit


async def export_ensemble(
    plan: ExportPlan, find_model: FindModel, open_engine: OpenEngine, advance: StageProgress
) -> Export:
    """Score the members, reject trained ones that do not beat the base, fit the pool and write the ensemble.

    Raises what the model, data and engine raise, what ``WeightsPlacer.place`` raises for members that are merged, and
    DiskSpaceError before any work where those would not fit. The manifest is written last.
    """
    files = [named_data(name, limit=plan.fit.rows_per_file, seed=plan.fit.seed) for name in plan.fit.data]
    rows = [row for file in files for row in file.rows]
    keys = [row.key for row in rows]
    checkpoint = await asyncio.to_thread(find_model, plan.model)
    dtype = plan.checkpoint_dtype or checkpoint_dtype(checkpoint)
    placer = WeightsPlacer(plan.output, checkpoint, dtype, plan.adapters, plan.merged)
    placer.require_room(plan.reserve_bytes)
    require_writable(plan.output / FILE_NAME)
    sha256 = await asyncio.to_thread(verified_base_sha256, checkpoint)
    engine = await asyncio.to_thread(open_engine, checkpoint, plan.adapters)
    try:
        base = Base(model=plan.model, sha256=sha256, **tokenizer_hashes(engine.tokenizer))
        scored = await score_members(
            plan.members, rows, engine, advance, adapters=plan.adapters, prior_rows=plan.fit.prior_rows
        )
    finally:
        await engine.close()
    results = judge_members(scored.scores, keys, trained=plan.adapters, significance=plan.significance)
    admitted = {result.name: scored.scores[result.name] for result in results if result.rejected is None}
    fit = fit_ensemble(admitted, keys, plan.fit.seed)
    released = _released(scored, fit, keys, trained=plan.adapters)
    recorder = ProbeRecorder(PromptRenderer(engine.tokenizer), _probe_questions(rows, plan.probes))
    manifest = Manifest(
        name=plan.name,
        base=base,
        pooling=fit.chosen.pool.pooling,
        members=await asyncio.to_thread(_place_and_probe, released, placer, recorder, advance),
        answer_prior=_key_prior(rows),
        provenance={**plan.provenance, **_provenance(files, results, fit, engine.dtype)},
    )
    return Export(manifest, write_manifest(manifest, plan.output), results, fit)


def _released(
    scored: ScoredMembers, fit: EnsembleFit, keys: Sequence[int], *, trained: Collection[str]
) -> list[Member]:
    """The members of the chosen pool, with what was fitted and measured.

    A trained member that was admitted but is not needed stays, with weight 0: it can be measured.
    """
    weights = fit.chosen.pool.weights
    return [
        member.model_copy(
            update={
                "weight": weights[member.name],
                "temperature": round(fit.temperatures[member.name], 4),
                "accuracy": _accuracy(scored.scores[member.name], keys, fit.report_rows),
            }
        )
        for member in scored.members
        if weights.get(member.name, 0) > 0 or (member.name in trained and member.name in weights)
    ]


def _place_and_probe(
    released: Sequence[Member], placer: WeightsPlacer, recorder: ProbeRecorder, advance: StageProgress
) -> list[Member]:
    """Put each member's weights into the ensemble and record its probes with them."""
    finished = []
    for done, member in enumerate(released):
        advance("recording golden probes", done, len(released))
        # Members of the same weights follow each other. For others there may be no room beside the last ones.
        if member.name in placer.adapters:
            recorder.free_model()
        placed = placer.place(member.name, advance)
        probes = recorder.record(placed.opens, member.method)
        finished.append(Member.model_validate({**member.model_dump(), **placed.fields, "probes": probes}))
    advance("recording golden probes", len(released), len(released))
    return finished


def _probe_questions(rows: Sequence[KeyedRow], count: int) -> list[Question]:
    """Questions spread evenly over the rows."""
    return [row.question for row in rows[:: max(len(rows) // count, 1)][:count]]


def _provenance(
    files: Sequence[DataFile], results: Sequence[MemberResult], fit: EnsembleFit, dtype: str
) -> dict[str, Any]:
    return {
        "data": {file.name: {"sha256": file.sha256, "rows": len(file.rows)} for file in files},
        "rejected": {result.name: result.rejected for result in results if result.rejected},
        "pools": [pool.summary() for pool in fit.pools],
        "choice": fit.chosen.reason,
        "dtype": dtype,
        "versions": {name: version(name) for name in LIBRARIES},
        "git_revision": _git_revision(),
    }


def _accuracy(scores: Sequence[Sequence[float]], keys: Sequence[int], rows: Sequence[int]) -> Accuracy:
    correct = sum(likeliest(scores[i]) == keys[i] for i in rows)
    low, high = wilson_interval(correct, len(rows))
    return Accuracy(correct=correct, rows=len(rows), low=round(low, 4), high=round(high, 4))


def _key_prior(rows: Sequence[KeyedRow]) -> dict[int, list[float]]:
    """How often each letter is the key, by number of choices, one added to every count."""
    counts: dict[int, Counter[int]] = {}
    for row in rows:
        counts.setdefault(len(row.question.choices), Counter())[row.key] += 1
    return {
        n: [round((counter[i] + 1) / (sum(counter.values()) + n), 5) for i in range(n)]
        for n, counter in sorted(counts.items())
    }


def _git_revision() -> str | None:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
