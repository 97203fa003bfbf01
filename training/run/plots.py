"""The plots of a run's report, as inline SVG by matplotlib. The same history gives the same bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from itertools import pairwise
from typing import Any

from training.run.history import History
from training.run.log import ProbeRecord, StepRecord
from training.support.statistics import wilson_interval

MAX_POINTS = 400
"""Points of a line. In a longer run each is the mean of some steps, inside the band of their extremes."""

BLUE, GREEN, ORANGE, GREY = "#0072b2", "#009e73", "#d55e00", "#a8a8a8"
"""Three of Okabe and Ito's colours, which the colour-blind can tell apart; grey is for what was undone."""


@dataclass(frozen=True)
class Plot:
    """One plot by step: the record fields it draws, each with its label, and what kind of numbers they are."""

    name: str
    title: str
    lines: tuple[tuple[str, str], ...]
    of_probes: bool = False
    is_share: bool = False
    log_scale: bool = False


PLOTS = (
    Plot("loss", "Loss (nats)", (("loss", "loss"),)),
    Plot("gradient-norm", "Gradient norm before clipping", (("gradient_norm", "gradient norm"),), log_scale=True),
    Plot("learning-rate", "Learning rate", (("learning_rate", "learning rate"),)),
    Plot(
        "accuracy",
        "Accuracy on the probes, with its 95% interval",
        (("accuracy", "accuracy"),),
        of_probes=True,
        is_share=True,
    ),
    Plot(
        "shares",
        "Most frequent choice place, and label mass, on the probes",
        (("top_share", "share of the most frequent place"), ("label_mass", "label mass")),
        of_probes=True,
        is_share=True,
    ),
    Plot("nll", "−ln probability of the key on the probes (nats)", (("nll_nats", "−ln p(key)"),), of_probes=True),
)


def draw_figure(plot: Plot, history: History) -> str:
    """An HTML figure with the plot as inline SVG, its title as caption and its description as label."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": plot.name, "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11}
    with rc_context(style):
        figure = Figure(figsize=(5, 2.9), layout="constrained")
        _draw(figure.add_subplot(), plot, history)
        text = StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = text.getvalue()
    # Several drawings share one document: ids get the plot's name in front, or a clip path of one would cut another.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{plot.name}-", svg[svg.index("<svg") :])
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(describe_plot(plot, history))}" ', 1)
    return f"<figure>\n<figcaption>{escape(plot.title)}</figcaption>\n{svg}</figure>"


def describe_plot(plot: Plot, history: History) -> str:
    """The plot in words, for those who do not see it."""
    sentences = [f"{plot.title}, by step."]
    for field, label in plot.lines:
        values = _finite(plot, history, field)
        if not values:
            sentences.append(f"No {label} was kept.")
            continue
        (first, start), (last, end), low, high = values[0], values[-1], min(values), max(values)
        sentences.append(
            f"{label[0].upper()}{label[1:]} goes from {first:.3g} at step {start} to {last:.3g} at step {end}; lowest "
            f"{low[0]:.3g} at step {low[1]}, highest {high[0]:.3g} at step {high[1]}."
        )
    return " ".join(sentences)


def _finite(plot: Plot, history: History, field: str) -> list[tuple[float, int]]:
    """The finite values that were kept, each with its step."""
    records: Sequence[StepRecord | ProbeRecord] = history.probes if plot.of_probes else history.steps
    return [(getattr(r, field), r.step) for r in records if math.isfinite(getattr(r, field))]


def _draw(axes: Any, plot: Plot, history: History) -> None:
    if plot.log_scale:
        axes.set_yscale("log", nonpositive="mask")
    for (field, label), colour, marker in zip(plot.lines, (BLUE, GREEN), "os", strict=False):
        if plot.of_probes:
            _draw_probes(axes, history, field, label, colour, marker)
        else:
            for undone in history.undone_steps:
                _draw_steps(axes, undone, field, GREY)
            _draw_steps(axes, history.steps, field, colour)
    for decision in history.decisions:
        axes.axvline(decision.step, color=ORANGE, linestyle="--", linewidth=1)
    _draw_chunks(axes, history.steps)
    axes.set_xlabel("step")
    axes.margins(x=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    if len(plot.lines) > 1:
        axes.figure.legend(frameon=False, fontsize=10, loc="outside lower center", ncols=2)
    if plot.is_share:
        axes.set_ylim(-0.02, 1.04)
    elif not plot.log_scale:
        axes.yaxis.set_major_formatter("{x:.3g}")
    if plot.name == "loss":
        _keep_readable(axes, plot, history)


def _keep_readable(axes: Any, plot: Plot, history: History) -> None:
    """Lets what was undone leave the plot at the top, so that a loss of 1,000 does not flatten what was kept."""
    values = [value for field, _ in plot.lines for value, _ in _finite(plot, history, field)]
    if values and (span := max(values) - min(values)) > 0:
        axes.set_ylim(top=min(axes.get_ylim()[1], max(values) + 3 * span))


def _draw_steps(axes: Any, steps: Sequence[StepRecord], field: str, colour: str) -> None:
    size = max(math.ceil(len(steps) / MAX_POINTS), 1)
    groups = [steps[i : i + size] for i in range(0, len(steps), size)]
    # A group with a number that is not finite is a gap in the line.
    values = [[getattr(s, field) if math.isfinite(getattr(s, field)) else math.nan for s in group] for group in groups]
    middles = [(group[0].step + group[-1].step) / 2 for group in groups]
    axes.plot(middles, [sum(v) / len(v) for v in values], color=colour, linewidth=1.4)
    if size > 1:
        lows, highs = [min(v) for v in values], [max(v) for v in values]
        axes.fill_between(middles, lows, highs, color=colour, alpha=0.2, linewidth=0)


def _draw_probes(axes: Any, history: History, field: str, label: str, colour: str, marker: str) -> None:
    probes = history.probes
    values = [getattr(probe, field) for probe in probes]
    axes.plot([p.step for p in probes], values, color=colour, marker=marker, markersize=5, label=label)
    undone = [(p.step, getattr(p, field)) for p in history.undone_probes]
    axes.plot(
        [x for x, _ in undone], [y for _, y in undone], color=GREY, marker=marker, markersize=5, linestyle="", zorder=3
    )
    if field == "accuracy":
        bounds = [wilson_interval(round(p.accuracy * p.rows), p.rows) for p in probes]
        axes.vlines([p.step for p in probes], *zip(*bounds, strict=True), color=colour, alpha=0.4)


def _draw_chunks(axes: Any, steps: Sequence[StepRecord]) -> None:
    """A line at each chunk's end and its number, counted from 1, above its middle; with many, not every number."""
    ends = {step.chunk: step.step for step in steps}
    borders = [steps[0].step - 1, *ends.values()] if steps else []
    every = math.ceil(len(ends) / 12)
    for number, (chunk, (start, end)) in enumerate(zip(ends, pairwise(borders), strict=True)):
        axes.axvline(end, color="#dddddd", linewidth=0.8, zorder=0)
        if number % every == 0:
            name, place = f"{chunk + 1}", (start + end) / 2
            axes.text(place, 1.02, name, transform=axes.get_xaxis_transform(), ha="center", fontsize=9, color="#666666")
