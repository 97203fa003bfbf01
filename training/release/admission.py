"""Step two of a release: trained members against the best untrained one, on the same rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agents.core.pooling import likeliest
from training.release.fit import Scores
from training.support.statistics import bootstrap_interval, mcnemar_p


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


def judge_members(
    scores: Scores, keys: Sequence[int], *, trained: Collection[str], significance: float
) -> list[MemberResult]:
    """Measure every member, and reject trained ones that do not beat the best untrained one significantly."""
    right = {
        name: [likeliest(row) == key for row, key in zip(member, keys, strict=True)] for name, member in scores.items()
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
