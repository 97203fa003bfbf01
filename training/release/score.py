"""Step one of a release: every candidate member scores every row that decides."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agents.answering.voter import Voter
from agents.core.manifest import Member
from agents.core.permutation import cyclic_orders, estimate_prior
from agents.core.prompts import PromptRenderer
from agents.engines.protocol import Engine
from training.curation.keyed_rows import KeyedRow
from training.recipe import CandidateRecipe
from training.release.fit import Scores
from training.support.progress import StageProgress

CONCURRENCY = 4


@dataclass(frozen=True)
class ScoredMembers:
    """Candidate members as they were asked, letter members with their label prior, and their scores."""

    members: list[Member]
    scores: Scores


async def score_members(
    candidates: Sequence[CandidateRecipe],
    rows: Sequence[KeyedRow],
    engine: Engine,
    advance: StageProgress,
    *,
    adapters: Collection[str] = (),
    prior_rows: int = 0,
) -> ScoredMembers:
    """Score ``rows`` with every candidate; those in ``adapters`` use the engine's adapter of their name.

    ``prior_rows`` are the rows per number of choices that the label prior of letter members is estimated on. Raises
    as the engine does.
    """
    renderer = PromptRenderer(engine.tokenizer)
    voters: list[Voter] = []
    for adapter, group in _by_adapter(candidates, adapters).items():
        members = [Member(name=m.name, method=m.method, orders=m.orders, weight=1.0) for m in group]
        letter = next((member for member in members if member.method == "letter"), None)
        priors: dict[int, list[float]] = {}
        if letter is not None and prior_rows > 0:
            priors = await label_priors(Voter(letter, engine, renderer, adapter), rows, prior_rows, advance)
        voters += [
            Voter(m.model_copy(update={"prior": priors if m.method == "letter" else {}}), engine, renderer, adapter)
            for m in members
        ]
    return ScoredMembers([voter.member for voter in voters], await _score_rows(voters, rows, advance))


def _by_adapter(
    candidates: Sequence[CandidateRecipe], adapters: Collection[str]
) -> dict[str | None, list[CandidateRecipe]]:
    """Members by the weights that compute them: None is the bare base."""
    groups: dict[str | None, list[CandidateRecipe]] = {}
    for member in candidates:
        groups.setdefault(member.name if member.name in adapters else None, []).append(member)
    return groups


async def label_priors(
    voter: Voter, rows: Sequence[KeyedRow], count: int, advance: StageProgress
) -> dict[int, list[float]]:
    """Estimate a letter member's label prior by number of choices, from up to ``count`` rows of each number."""
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


async def _score_rows(voters: Sequence[Voter], rows: Sequence[KeyedRow], advance: StageProgress) -> Scores:
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
