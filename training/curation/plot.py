"""The composition of a data set as one picture: what each source gave, by level, and what it lost, by reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.curation.report import BuildReport
from training.curation.rows import LEVELS

LEVEL_COLOURS = ("#9ecae1", "#4292c6", "#08519c")
REASON_COLOURS = ("#737373", "#fdae6b", "#e6550d", "#a1d99b", "#31a354", "#bcbddc", "#756bb1", "#d9d9d9")
WIDTH, LEFT, RIGHT, BETWEEN, TOP, SOURCE, AXIS, LEGEND_LINE = 12.0, 2.4, 0.2, 0.4, 0.4, 0.42, 0.5, 0.22
"""Inches, so that bars, axis and legend never overlap, however many sources and reasons there are."""
LEGEND_COLUMNS = 2
NAME_CHARS = 28
HASH_SALT = "composition"
"""matplotlib names the parts of an SVG by a hash, at random unless it is salted."""


def write_composition(report: BuildReport, path: Path) -> None:
    """Writes an SVG (or what the file's suffix names); the same report gives the same bytes. Raises OSError."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = [_shown(s.name) + ("" if s.split == "train" else f" ({s.split})") for s in report.sources]
    levels = {level: [s.levels[level] for s in report.sources] for level in LEVELS}
    reasons = {reason: [s.dropped.get(reason, 0) for s in report.sources] for reason in report.reasons}
    lines = max(-(-len(parts) // LEGEND_COLUMNS) for parts in (levels, reasons))
    bottom = AXIS + LEGEND_LINE * (lines + 1)
    height = TOP + SOURCE * len(names) + bottom
    figure = Figure(figsize=(WIDTH, height))
    kept, dropped = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - RIGHT / WIDTH,
        top=1 - TOP / height,
        bottom=bottom / height,
        wspace=2 * BETWEEN / (WIDTH - LEFT - RIGHT - BETWEEN),
    )
    _stack(kept, names, levels, LEVEL_COLOURS)
    _stack(dropped, names, reasons, REASON_COLOURS)
    kept.set_title(f"{report.rows:,} rows kept, by difficulty ({report.difficulty})", loc="left")
    dropped.set_title(f"{sum(s.read for s in report.sources) - report.rows:,} rows dropped, by reason", loc="left")
    kept.set_ylim(len(names) - 0.5, -0.5)
    with rc_context({"svg.hashsalt": HASH_SALT}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _shown(name: str) -> str:
    """A source's name, or the end of a file's path, short enough to stand beside a bar."""
    name = Path(name).name
    return name if len(name) <= NAME_CHARS else f"…{name[1 - NAME_CHARS :]}"


def _stack(axes: Any, names: list[str], parts: dict[str, list[int]], colours: tuple[str, ...]) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    left = [0] * len(names)
    for i, (label, counts) in enumerate(parts.items()):
        axes.barh(range(len(names)), counts, left=left, height=0.66, color=colours[i % len(colours)], label=label)
        left = [a + b for a, b in zip(left, counts, strict=True)]
    for place, total in enumerate(left):
        axes.annotate(f"{total:,}", (total, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_xlim(0, max([*left, 1]) * 1.15)
    axes.set_xlabel("rows")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    if parts:
        below = -AXIS / (SOURCE * len(names))
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0, below),
            ncols=LEGEND_COLUMNS,
            frameon=False,
            fontsize=9,
            borderaxespad=0,
            handlelength=1.2,
            columnspacing=1.2,
        )
