"""Answer rows whose key is known, as in production, and say how good the ensemble and each member is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.pooling import likeliest
from training.curation.keyed_rows import KeyedRow
from training.support.statistics import (
    bootstrap_interval,
    brier_score,
    expected_calibration_error,
    letter_shares,
    mcnemar_p,
    negative_log_likelihood,
    percentiles,
    recall_spread,
    wilson_interval,
)

POOL = "pool"
FEW_ROWS = 500
"""Below so many rows a report says what it cannot tell."""


@dataclass(frozen=True)
class AnsweredRow:
    """One row's verdict, and the distributions behind it by name (the pool's under ``POOL``)."""

    row: KeyedRow
    verdict: AnswerResult
    distributions: dict[str, list[float]]


async def answer_rows(
    answerer: Answerer,
    rows: Sequence[KeyedRow],
    *,
    seconds: float,
    measured: Sequence[Voter] = (),
    concurrency: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> list[AnsweredRow]:
    """A verdict for every row, in order; ``seconds`` is each question's deadline, ``concurrency`` how many at a time.

    ``measured`` are voters that have no say in the verdict; they are asked after it and have all the time they need.

    Latencies are a single client's only at a concurrency of 1.
    """
    slots = asyncio.Semaphore(concurrency)

    async def answer(row: KeyedRow) -> AnsweredRow:
        async with slots:
            verdict = await answerer.answer(row.question, Deadline.after(seconds))
        extra = {v.member.name: (await v.complete_vote(row.question)).probabilities for v in measured}
        advance()
        votes = {m.name: m.vote.probabilities for m in verdict.members if m.vote is not None}
        return AnsweredRow(row, verdict, {**votes, **extra, POOL: verdict.probabilities})

    return list(await asyncio.gather(*(answer(row) for row in rows)))


def summarise(answered: Sequence[AnsweredRow]) -> dict[str, Any]:
    """The whole report as JSON-able data: by voter, with intervals by source, topic and level, bias, calibration and
    latency.

    Topics and levels are those the rows carry: a row without one counts for none.
    """
    voters = list(dict.fromkeys([POOL, *(r.name for r in answered[0].verdict.members), *answered[0].distributions]))
    elapsed_s = [j.verdict.elapsed_ms / 1000 for j in answered]
    return {
        "rows": len(answered),
        "note": sample_note(sum(_is_right(j, POOL) for j in answered), len(answered)),
        "key_letters": letter_shares([j.row.key for j in answered]),
        "degraded": sum(j.verdict.degraded for j in answered),
        "seconds_per_question": {"mean": sum(elapsed_s) / len(elapsed_s), **percentiles(elapsed_s)},
        "voters": {name: _voter_report(name, answered) for name in voters},
    }


def sample_note(correct: int, rows: int) -> str | None:
    """What an accuracy on fewer than ``FEW_ROWS`` rows cannot tell, as a sentence; None for more.

    Half of Wilson's interval is what it may be off by; between two samples of that size it is √2 of that.
    """
    if rows >= FEW_ROWS:
        return None
    low, high = wilson_interval(correct, rows)
    half = (high - low) / 2 * 100
    return (
        f"{rows} rows: an interval of ±{half:.1f} points. "
        f"A difference under {math.sqrt(2) * half:.1f} points from what was measured on as many other rows cannot be "
        f"told; on the same rows a paired test may tell a smaller one. Use {FEW_ROWS} rows or more."
    )


def _voter_report(name: str, answered: Sequence[AnsweredRow]) -> dict[str, Any]:
    voted = [j for j in answered if name in j.distributions]
    if not voted:
        return {"rows": 0}
    distributions = [j.distributions[name] for j in voted]
    predicted = [likeliest(d) for d in distributions]
    keys = [j.row.key for j in voted]
    correct = [p == k for p, k in zip(predicted, keys, strict=True)]
    pool_correct = [_is_right(j, POOL) for j in voted]
    return {
        **_accuracy(correct),
        "chance": sum(1 / len(j.row.question.choices) for j in voted) / len(voted),
        **_breakdowns([j.row for j in voted], correct),
        "letters": letter_shares(predicted),
        "recall_spread": recall_spread(predicted, keys),
        "ece": expected_calibration_error([max(d) for d in distributions], correct),
        "brier": brier_score(distributions, keys),
        "nll_nats": negative_log_likelihood(distributions, keys),
        "p_equal_to_pool": None if name == POOL else mcnemar_p(correct, pool_correct),
    }


def _breakdowns(rows: Sequence[KeyedRow], correct: Sequence[bool]) -> dict[str, Any]:
    """The accuracy by source, topic and level."""
    return {
        "by_source": _accuracy_by([row.source for row in rows], correct),
        "by_topic": _accuracy_by([row.question.topic for row in rows], correct),
        "by_level": _accuracy_by([row.level or "" for row in rows], correct),
    }


def compare(answered: Sequence[AnsweredRow], other: Sequence[AnsweredRow]) -> dict[str, dict[str, float]]:
    """Every voter of ``answered`` against the pool of ``other`` on the same rows, paired.

    By voter: ``p_equal`` is McNemar's exact p; ``gain`` the difference in accuracy, with a 95% bootstrap interval.
    """
    theirs = [_is_right(j, POOL) for j in other]
    found = {}
    for name in dict.fromkeys(name for j in answered for name in j.distributions):
        pairs = [
            (_is_right(j, name), right) for j, right in zip(answered, theirs, strict=True) if name in j.distributions
        ]
        differences = [float(a) - float(b) for a, b in pairs]
        low, high = bootstrap_interval(differences)
        p = mcnemar_p([a for a, _ in pairs], [b for _, b in pairs])
        found[name] = {"p_equal": p, "gain": sum(differences) / len(pairs), "gain_low": low, "gain_high": high}
    return found


def _is_right(answered: AnsweredRow, name: str) -> bool:
    distribution = answered.distributions[name]
    return likeliest(distribution) == answered.row.key


def _accuracy_by(names: Sequence[str], correct: Sequence[bool]) -> dict[str, dict[str, Any]]:
    """The accuracy of every name's rows, in the order they first come; rows without a name are left out."""
    groups: dict[str, list[bool]] = {}
    for name, ok in zip(names, correct, strict=True):
        if name:
            groups.setdefault(name, []).append(ok)
    return {name: _accuracy(group) for name, group in groups.items()}


def _accuracy(correct: Sequence[bool]) -> dict[str, Any]:
    low, high = wilson_interval(sum(correct), len(correct))
    return {
        "rows": len(correct),
        "correct": sum(correct),
        "accuracy": sum(correct) / len(correct),
        "low": low,
        "high": high,
    }
