"""From candidate members to an ensemble folder: rows scored, weak members rejected, weights fitted, probes recorded."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents.answering.voter import Voter
from agents.core.manifest import Accuracy, Base, Manifest, Member
from agents.core.permutation import cyclic_orders, estimate_prior
from agents.core.prompts import PromptRenderer
from agents.engines.protocol import Engine
from agents.ensemble.base_model import FindModel
from agents.ensemble.manifest_file import write_manifest
from agents.ensemble.placement import OpenEngine
from agents.models.checkpoint import verified_base_sha256
from training.adapters.storage import Dtype
from training.curation.labelled_rows import KeyedRow, named_data, split_halves
from training.recipe import CandidateRecipe, ExportRecipe, FitRecipe
from training.release.fit import Candidate, Choice, choose, fit_candidates
from training.release.golden_probes import record_probes
from training.release.member_weights import (
    PlacedWeights,
    checkpoint_dtype,
    place_adapter,
    place_checkpoint,
    require_room,
)
from training.support.plain_model import plain_model
from training.support.statistics import bootstrap_interval, mcnemar_p, wilson_interval

Advance = Callable[[str, int, int], None]
"""Told a stage, the rows done and the rows in all."""

CONCURRENCY = 4
LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


@dataclass(frozen=True)
class ExportPlan:
    """What is exported from what. ``adapters`` are the folders of the trained ones among ``members``, by name.

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
        """An ensemble of untrained members."""
        provenance = {"recipe": recipe.model_dump()}
        output = Path(recipe.output)
        return cls(recipe.name, recipe.model, output, recipe.members, recipe.fit, recipe.probes, provenance=provenance)


@dataclass(frozen=True)
class MemberResult:
    """A candidate member on all the rows that decide, and beside the best untrained one on the same rows."""

    name: str
    correct: int
    rows: int
    p_equal_to_base: float | None = None
    """McNemar's exact p; None for untrained members."""
    gain: tuple[float, float] | None = None
    """The 95% bootstrap interval of the gain in accuracy over the best untrained member."""
    rejected: str | None = None

    @property
    def accuracy(self) -> float:
        return self.correct / self.rows


@dataclass(frozen=True)
class Export:
    """What was written, and everything that was weighed."""

    manifest: Manifest
    file: Path
    members: list[MemberResult]
    candidates: list[Candidate]
    choice: Choice


async def export_ensemble(plan: ExportPlan, find_model: FindModel, open_engine: OpenEngine, advance: Advance) -> Export:
    """Scores the members, rejects trained ones that do not beat the base, fits the pool and writes the ensemble.

    Raises what the model, data and engine raise, what ``place_checkpoint`` raises for members that are merged, and
    DiskSpaceError before any work where those would not fit. The manifest is written last.
    """
    fit = plan.fit
    files = [named_data(name, limit=fit.rows_per_file, seed=fit.seed) for name in fit.data]
    rows = [row for file in files for row in file.rows]
    checkpoint = await asyncio.to_thread(find_model, plan.model)
    dtype = plan.checkpoint_dtype or checkpoint_dtype(checkpoint)
    require_room(plan.output, sorted(plan.merged), checkpoint, dtype, plan.reserve_bytes)
    base = Base(model=plan.model, sha256=await asyncio.to_thread(verified_base_sha256, checkpoint))
    engine = await asyncio.to_thread(open_engine, checkpoint, plan.adapters)
    try:
        renderer = PromptRenderer(engine.tokenizer)
        voters = []
        for adapter, group in _by_adapter(plan).items():
            members = [Member(name=m.name, method=m.method, orders=m.orders, weight=1.0) for m in group]
            priors = await _label_priors(members, fit.prior_rows, rows, engine, renderer, adapter, advance)
            voters += [
                Voter(m.model_copy(update={"prior": priors if m.method == "letter" else {}}), engine, renderer, adapter)
                for m in members
            ]
        scores = await _score_rows(voters, rows, advance)
    finally:
        await engine.close()
    keys = [row.key for row in rows]
    results = judge_members(scores, keys, trained=list(plan.adapters), significance=plan.significance)
    admitted = {result.name: scores[result.name] for result in results if result.rejected is None}
    fit_rows, report_rows = split_halves(rows, fit.seed)
    temperatures, candidates = fit_candidates(admitted, keys, fit_rows, report_rows)
    choice = choose(candidates)
    weights = choice.candidate.weights
    # A trained member that was admitted but is not needed stays in the manifest with weight 0: it can be measured.
    chosen = [
        v.member for v in voters if weights.get(v.member.name, 0) > 0 or v.member.name in weights.keys() & plan.adapters
    ]
    probe_questions = [row.question for row in rows[:: max(len(rows) // plan.probes, 1)][: plan.probes]]
    finished = []
    model = opened = None
    for done, member in enumerate(chosen):
        advance("recording golden probes", done, len(chosen))
        # Members of the same weights follow each other. For others there may be no room beside the last ones.
        if member.name in plan.adapters:
            model = None
        placed = await asyncio.to_thread(_place, plan, member.name, checkpoint, dtype, advance)
        if model is None or placed.opens != opened:
            model, opened = await asyncio.to_thread(plain_model, *placed.opens), placed.opens
        updates = {
            **placed.fields,
            "weight": weights[member.name],
            "temperature": round(temperatures[member.name], 4),
            "accuracy": _accuracy(scores[member.name], keys, report_rows),
            "probes": record_probes(model, renderer, member.method, probe_questions),
        }
        finished.append(Member.model_validate(member.model_dump() | updates))
    advance("recording golden probes", len(chosen), len(chosen))
    manifest = Manifest(
        name=plan.name,
        base=base,
        pooling=choice.candidate.pooling,
        members=finished,
        answer_prior=_key_prior(rows),
        provenance={
            **plan.provenance,
            "data": {file.name: {"sha256": file.sha256, "rows": len(file.rows)} for file in files},
            "rejected": {result.name: result.rejected for result in results if result.rejected},
            "pools": [candidate.summary() for candidate in candidates],
            "choice": choice.reason,
            "dtype": engine.dtype,
            "versions": {name: version(name) for name in LIBRARIES},
            "git_revision": _git_revision(),
        },
    )
    return Export(manifest, write_manifest(manifest, plan.output), results, candidates, choice)


def _place(plan: ExportPlan, name: str, checkpoint: Path, dtype: Dtype, advance: Advance) -> PlacedWeights:
    if (adapter := plan.adapters.get(name)) is None:
        return PlacedWeights((checkpoint, None))
    if name in plan.merged:
        return place_checkpoint(plan.output, name, adapter, checkpoint, dtype, advance)
    return place_adapter(plan.output, name, adapter, checkpoint)


def _by_adapter(plan: ExportPlan) -> dict[str | None, list[CandidateRecipe]]:
    """Members by the weights that compute them: None is the bare base."""
    groups: dict[str | None, list[CandidateRecipe]] = {}
    for member in plan.members:
        groups.setdefault(member.name if member.name in plan.adapters else None, []).append(member)
    return groups


def judge_members(
    scores: dict[str, list[list[float]]], keys: Sequence[int], *, trained: Sequence[str], significance: float
) -> list[MemberResult]:
    """Every member's accuracy; a trained one is rejected unless it beats the best untrained one significantly."""
    right = {
        name: [row.index(max(row)) == key for row, key in zip(member, keys, strict=True)]
        for name, member in scores.items()
    }
    untrained = [name for name in scores if name not in trained]
    best = max(untrained, key=lambda name: sum(right[name]), default=None)
    results = []
    for name, correct in right.items():
        if name not in trained or best is None:
            results.append(MemberResult(name, sum(correct), len(keys)))
            continue
        p = mcnemar_p(correct, right[best])
        gain = bootstrap_interval([float(a) - float(b) for a, b in zip(correct, right[best], strict=True)])
        rejected = None
        if sum(correct) <= sum(right[best]) or p >= significance:
            rejected = (
                f"{sum(correct)} of {len(keys)} rows right, {best} untrained {sum(right[best])}: "
                f"not significantly better (McNemar p = {p:.3g})"
            )
        results.append(MemberResult(name, sum(correct), len(keys), p, gain, rejected))
    return results


async def _score_rows(
    voters: Sequence[Voter], rows: Sequence[KeyedRow], advance: Advance
) -> dict[str, list[list[float]]]:
    slots = asyncio.Semaphore(CONCURRENCY)
    done = 0

    async def score(row: KeyedRow) -> list[list[float]]:
        nonlocal done
        async with slots:
            votes = await asyncio.gather(*(voter.complete_vote(row.question) for voter in voters))
        done += 1
        advance("scoring rows", done, len(rows))
        return [vote.scores for vote in votes]

    by_row = await asyncio.gather(*(score(row) for row in rows))
    return {voter.member.name: [scores[i] for scores in by_row] for i, voter in enumerate(voters)}


async def _label_priors(
    members: Sequence[Member],
    count: int,
    rows: Sequence[KeyedRow],
    engine: Engine,
    renderer: PromptRenderer,
    adapter: str | None,
    advance: Advance,
) -> dict[int, list[float]]:
    """The label prior of one model by number of choices, from up to ``count`` rows of each number."""
    letter = next((member for member in members if member.method == "letter"), None)
    if letter is None or count == 0:
        return {}
    voter = Voter(letter, engine, renderer, adapter)
    by_n: dict[int, list[KeyedRow]] = {}
    # Every so many rows, not the first ones: those are all of one source.
    for row in rows[:: max(len(rows) // (2 * count), 1)]:
        chosen = by_n.setdefault(len(row.question.choices), [])
        if len(chosen) < count:
            chosen.append(row)
    priors: dict[int, list[float]] = {}
    total, done = sum(map(len, by_n.values())), 0
    for n, chosen in sorted(by_n.items()):
        cycles = []
        for row in chosen:
            orders = cyclic_orders(n)
            cycles.append(await asyncio.gather(*(voter.label_logprobs(row.question, order) for order in orders)))
            done += 1
            advance("estimating the label prior", done, total)
        priors[n] = [round(p, 5) for p in estimate_prior(cycles)]
    return priors


def _accuracy(scores: Sequence[Sequence[float]], keys: Sequence[int], rows: Sequence[int]) -> Accuracy:
    correct = sum(scores[i].index(max(scores[i])) == keys[i] for i in rows)
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
