"""Judge numbers of a 16-bit engine: are they a member's own with rounding, or those of other weights?

Rounding moves every log-prob a little and in no direction. Wrong weights move them far, or towards other weights whose
numbers are known. So there are two tests over all probes together:

1. **Size.** The root mean square of the gaps to the recorded log-probs has a limit. Missing layers, a wrong rope_theta
   and a foreign adapter exceed it at least twice.
2. **Direction.** Regress the gaps through the origin on the step from the member's numbers to those of the base, or of
   another member. The slope is the share of that step: 0 for the member itself, 1 for the other one, a half for
   an adapter that works in proportion and has half its alpha. This is the sharper test where a step is short: an
   adapter trained lightly. Its error is a jackknife over probes, since tokens of one probe round alike.

Both weigh a token by its recorded probability: that is the distance of probabilities (twice Hellinger's, to first
order) a unit of mass. On SmolLM2's members the least fault is 4.4 times the largest rounding that way, and 3.2 times
without weights, since improbable tokens round most and say least.

A step that is small beside the rounding has a large error. Then the two cannot be told apart, and ``Verdict.unsure``
says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Numbers = Sequence[Sequence[float]]
"""Log-probs by probe: of each candidate, or of the tokens of all continuations one after the other."""

MIN_PROBES = 16
"""Probes that the tests need. With fewer the jackknife has too few parts to be trusted."""
MAX_SHARE = 0.25
"""Share of the step towards other weights that is allowed. Half an adapter moves twice as far; rounding
moved SmolLM2's adapters by 8% at most."""
TINY = 1e-300
"""Keeps a division from zero where all recorded probabilities vanish."""
CERTAIN_ERRORS = 4.0
"""How many standard errors such a share must be from 0: a healthy member reaches it once in 900 (t, 15 degrees)."""


@dataclass(frozen=True)
class Shift:
    """How far the numbers went towards other weights: a share of the whole step, and its standard error."""

    share: float
    error: float

    @property
    def is_fault(self) -> bool:
        return abs(self.share) > max(MAX_SHARE, CERTAIN_ERRORS * self.error)

    @property
    def can_tell(self) -> bool:
        """Whether these very weights in the member's place would be noticed."""
        return CERTAIN_ERRORS * self.error < 1


@dataclass(frozen=True)
class Verdict:
    """``fault`` says why the numbers are not the member's, and ``tolerance`` how much of that is allowed.

    ``unsure`` names weights that cannot be told from the member.
    """

    size_nats: float
    fault: str | None = None
    tolerance: str = ""
    unsure: tuple[str, ...] = ()


def judge(
    found: Numbers, own: Numbers, others: Mapping[str, Sequence[Sequence[float] | None]], limit: float
) -> Verdict:
    """Judge ``found`` against a member's ``own`` numbers and those of ``others``, None where they have no such probe.

    ``limit`` is the largest root mean square of the gaps, in nats. NaN and infinity count as infinitely far.
    """
    size = root_mean_square(found, own)
    if not size <= limit:
        return Verdict(size, f"differs from its golden probes by {size:.4f} nats", f"{limit:g}")
    shifts = {name: found_shift for name, numbers in others.items() if (found_shift := shift(found, own, numbers))}
    for name, found_shift in shifts.items():
        if found_shift.is_fault:
            fault = f"its golden probes are off by {found_shift.share:+.0%} of the step to the numbers of {name}"
            return Verdict(size, fault, f"{MAX_SHARE:.0%}")
    unsure = tuple(name for name, found_shift in shifts.items() if not found_shift.can_tell)
    return Verdict(size, unsure=unsure)


def root_mean_square(found: Numbers, own: Numbers) -> float:
    """The root mean square of all gaps in nats, weighted by probability; infinity when one is not a number."""
    gaps = [a - b for row, recorded in zip(found, own, strict=True) for a, b in zip(row, recorded, strict=True)]
    if not all(map(math.isfinite, gaps)):
        return math.inf
    weights = [math.exp(value) for recorded in own for value in recorded]
    squares = math.fsum(weight * gap * gap for weight, gap in zip(weights, gaps, strict=True))
    return math.sqrt(squares / max(math.fsum(weights), TINY))


def shift(found: Numbers, own: Numbers, other: Sequence[Sequence[float] | None]) -> Shift | None:
    """The share of the step from ``own`` to ``other`` that ``found`` went. None without a step on two probes."""
    along, lengths = [], []
    for row, recorded, elsewhere in zip(found, own, other, strict=True):
        if elsewhere is not None:
            weighted = [(math.exp(b), f - b, e - b) for f, b, e in zip(row, recorded, elsewhere, strict=True)]
            along.append(math.fsum(weight * gap * step for weight, gap, step in weighted))
            lengths.append(math.fsum(weight * step * step for weight, _, step in weighted))
    total, length = math.fsum(along), math.fsum(lengths)
    rest = [length - one for one in lengths]
    if len(rest) < 2 or not min(rest) > 0:
        return None
    share = total / length
    spread = math.fsum(((total - one) / left - share) ** 2 for one, left in zip(along, rest, strict=True))
    return Shift(share, math.sqrt(spread * (len(rest) - 1) / len(rest)))
