"""When to interfere with a training run: numbers in, decisions out. Nothing here knows a model or a trainer.

A collapse is judged against the start of the run on the same probe rows, never in absolute terms: an untrained small
model may say A to nearly everything, and that is not a collapse. A change counts only when it is larger than the
recipe's threshold and larger than chance explains for so few rows (``is_significant``).
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, median
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SIGNIFICANCE = 0.01
"""The one-sided p below which a change on the probe rows is not put down to chance."""

Action = Literal["go", "restart_lower_alpha", "roll_back", "stop"]


class GuardRecipe(BaseModel):
    """Thresholds of the guards."""

    model_config = ConfigDict(extra="forbid")
    gradient_steps: int = Field(default=100, ge=0)
    """Steps in which the gradient watch may restart the run; later only a number that is not finite is acted on."""
    gradient_factor: float = Field(default=10.0, gt=1)
    """A gradient norm this many times the median of the norms before it restarts the run."""
    gradient_warm: int = Field(default=5, ge=1)
    """Norms seen before their median counts."""
    collapse_top_share: float = Field(default=0.6, gt=0, le=1)
    """Share of the most frequent choice place over the probes; n choices in all orders give about 1/n."""
    collapse_accuracy_drop: float = Field(default=0.1, gt=0, le=1)
    """Accuracy lost on the probes since the start, absolute."""
    min_label_mass_ratio: float = Field(default=0.5, ge=0, le=1)
    """Label mass on the probes ÷ that at the start."""
    collapse_nll_factor: float = Field(default=3.0, gt=1)
    """Mean −ln p(key) on the probes ÷ the larger of that at the start and ``CHANCE_NLL_NATS``."""
    probe_rows: int = Field(default=40, ge=1)
    """Rows probed at the start and after each chunk, each in all cyclic orders. More of them see smaller changes."""
    disk_reserve_gb: float = Field(default=2.0, ge=0)
    """Disk that a save must leave free, in 10⁹ bytes."""


@dataclass(frozen=True)
class GuardDecision:
    """The trainer's next action, and why: one sentence with the numbers."""

    action: Action
    reason: str = ""


GO = GuardDecision("go")


class GradientWatch:
    """Watches every step for a gradient or loss that is not finite, and the first steps for an exploding gradient.

    ``norms`` are those of the steps already done, when a run is resumed.
    """

    def __init__(self, recipe: GuardRecipe, norms: Iterable[float] = ()) -> None:
        self._recipe = recipe
        self._norms = sorted(norm for norm in norms if math.isfinite(norm))

    def see(self, step: int, norm: float, loss: float = 0.0) -> GuardDecision:
        """Judges step ``step`` (counted from 1) by its gradient norm before clipping and its loss."""
        early = step <= self._recipe.gradient_steps
        for name, value in (("gradient norm", norm), ("loss", loss)):
            if not math.isfinite(value):
                return GuardDecision(
                    "restart_lower_alpha" if early else "stop", f"The {name} of step {step} is {value}."
                )
        usual = median(self._norms) if early and len(self._norms) >= self._recipe.gradient_warm else 0.0
        insort(self._norms, norm)
        limit = usual * self._recipe.gradient_factor
        if not 0 < limit < norm:
            return GO
        return GuardDecision(
            "restart_lower_alpha",
            f"The gradient norm of step {step} is {norm:.3g}, more than {self._recipe.gradient_factor:g} times "
            f"the median of the steps before it, {usual:.3g}.",
        )


class AlphaFallback:
    """The alphas to try after the first, in order; ``used`` counts those tried already, when a run is resumed."""

    def __init__(self, alpha: float, fallbacks: Sequence[float], used: int = 0) -> None:
        self._alphas = (alpha, *fallbacks)
        self._used = used

    @property
    def alpha(self) -> float:
        """The alpha to train with now."""
        return self._alphas[self._used]

    def apply(self, decision: GuardDecision) -> GuardDecision:
        """Moves on to the next alpha when ``decision`` asks for one, and names it; a stop when there is none."""
        if decision.action != "restart_lower_alpha":
            return decision
        if self._used + 1 == len(self._alphas):
            return GuardDecision("stop", f"{decision.reason} No alpha is left below {self.alpha:g}.")
        self._used += 1
        return replace(decision, reason=f"{decision.reason} The run starts again with alpha {self.alpha:g}.")


@dataclass(frozen=True)
class ProbeStats:
    """What the model does on the probe rows, each asked in all cyclic orders of its choices."""

    rows: int
    """Different rows; the orders of one row are not independent of each other."""
    accuracy: float
    """Share of the orders in which the key is chosen."""
    top_share: float
    """Share of the choice place that is chosen most often."""
    label_mass: float
    """Mean probability of all labels together; 1.0 where the method has no labels."""
    nll_nats: float
    """Mean −ln probability of the key among the choices."""


def probe_stats(
    places: Sequence[int],
    keys: Sequence[int],
    n_choices: Sequence[int],
    *,
    nll_nats: Sequence[float],
    label_mass: Sequence[float] | None = None,
) -> ProbeStats:
    """The statistics of probes given as parallel lists with one entry an order of a row, in any order.

    ``places`` and ``keys`` are the chosen and the right place, from 0; ``n_choices`` the number of choices of the row;
    ``label_mass`` None where the method has no labels. Raises ValueError for lists of other lengths, for no probes,
    and when the rows were not asked in all their orders.
    """
    lengths = {len(places), len(keys), len(n_choices), len(nll_nats), len(places if label_mass is None else label_mass)}
    if lengths != {len(places)} or not places:
        raise ValueError("the lists need one entry a probe, and at least one")
    if any(count % n for n, count in Counter(n_choices).items()):
        raise ValueError("every row is asked in all cyclic orders of its choices")
    probes = len(places)
    return ProbeStats(
        rows=sum(count // n for n, count in Counter(n_choices).items()),
        accuracy=sum(place == key for place, key in zip(places, keys, strict=True)) / probes,
        top_share=Counter(places).most_common(1)[0][1] / probes,
        label_mass=1.0 if label_mass is None else math.fsum(label_mass) / probes,
        nll_nats=math.fsum(nll_nats) / probes,
    )


CHANCE_NLL_NATS = math.log(4)
"""−ln p(key) of a guess among four choices: a run that starts below it is not held to its start."""


def is_significant(high: float, low: float, rows: int) -> bool:
    """Whether two means of values in [0, 1] over ``rows`` rows differ by more than chance (one-sided p < 0.01).

    The z test of two independent proportions with pooled variance. It is cautious here, twice over: the same rows are
    asked both times, and a mean over several orders varies less than a proportion. In simulated runs of ten chunks
    that get no worse, on 40 rows whose orders all agree, the collapse watch interferes with none in 1,500 when 80% of
    the rows are answered as at the start, with at most 1% when half are, and with 7% when none is.
    """
    pooled = (high + low) / 2
    error = math.sqrt(2 * pooled * (1 - pooled) / rows)
    return high - low > NormalDist().inv_cdf(1 - SIGNIFICANCE) * error


class CollapseWatch:
    """Compares the probes after each chunk with the ``start`` of the run.

    The first collapse rolls back to the last good chunk and halves the learning rate; the second stops the run, which
    keeps the last good chunk. ``collapses`` counts those seen already, when a run is resumed.
    """

    def __init__(self, recipe: GuardRecipe, start: ProbeStats, collapses: int = 0) -> None:
        self._recipe = recipe
        self._start = start
        self._collapses = collapses

    def see(self, chunk: int, stats: ProbeStats) -> GuardDecision:
        """Judges the probes after ``chunk``, counted from 0."""
        signs = self._signs(stats)
        if not signs:
            return GO
        self._collapses += 1
        found = f"After chunk {chunk + 1}, {' and '.join(signs)} on {stats.rows} probe rows."
        if self._collapses == 1:
            return GuardDecision("roll_back", f"{found} Back to the last good chunk at half the learning rate.")
        return GuardDecision("stop", f"{found} It is the second collapse; the last good chunk is kept.")

    def _signs(self, now: ProbeStats) -> list[str]:
        """What looks like a collapse, one phrase each."""
        recipe, start = self._recipe, self._start
        if not all(map(math.isfinite, (now.accuracy, now.top_share, now.label_mass, now.nll_nats))):
            return ["the scores are not finite"]
        signs = []
        if now.top_share >= recipe.collapse_top_share and is_significant(now.top_share, start.top_share, now.rows):
            signs.append(f"one choice place has {now.top_share:.0%} of the answers (start: {start.top_share:.0%})")
        drop = start.accuracy - now.accuracy
        if drop >= recipe.collapse_accuracy_drop and is_significant(start.accuracy, now.accuracy, now.rows):
            signs.append(f"accuracy is {now.accuracy:.1%} (start: {start.accuracy:.1%})")
        low_mass = now.label_mass < recipe.min_label_mass_ratio * start.label_mass
        if low_mass and is_significant(start.label_mass, now.label_mass, now.rows):
            signs.append(f"label mass is {now.label_mass:.3f} (start: {start.label_mass:.3f})")
        if now.nll_nats > recipe.collapse_nll_factor * max(start.nll_nats, CHANCE_NLL_NATS):
            signs.append(f"−ln p(key) is {now.nll_nats:.2f} nats (start: {start.nll_nats:.2f})")
        return signs
