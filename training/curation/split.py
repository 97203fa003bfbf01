"""Which rows stay, and which side of the split they go to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Sequence


def draw_in_proportion(strata: Sequence[Hashable], rows: int, seed: int) -> list[int]:
    """Indices of ``rows`` rows in their order, each stratum in proportion to its size (largest remainders)."""
    if rows >= len(strata):
        return list(range(len(strata)))
    members: dict[Hashable, list[int]] = {}
    for i, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(i)
    exact = {stratum: len(indices) * rows / len(strata) for stratum, indices in members.items()}
    quota = {stratum: int(share) for stratum, share in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: quota[stratum] - exact[stratum])
    for stratum in by_remainder[: rows - sum(quota.values())]:
        quota[stratum] += 1
    rng = random.Random(seed)  # noqa: S311
    return sorted(i for stratum, indices in members.items() for i in rng.sample(indices, quota[stratum]))


def validation_groups(groups: Sequence[int], share: float, seed: int) -> set[int]:
    """Groups that together hold ``share`` of the rows, drawn in random order; a group that no longer fits is left out.

    Exact to the row where there are enough groups of one row, and never more than ``share``.
    """
    sizes = Counter(groups)
    order = sorted(sizes)
    random.Random(seed).shuffle(order)  # noqa: S311
    room = round(share * len(groups))
    chosen = set()
    for group in order:
        if sizes[group] <= room:
            chosen.add(group)
            room -= sizes[group]
    return chosen
