"""Where the marks of the report's two plots stand, in the units of their SVG. Only numbers: the template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tournament.report.calibration import Bin

WIDTH, HEIGHT = 640.0, 150.0
SIDE = 160.0
"""Width and height of the calibration plot."""
TOP_SHARE = 1.25
"""The share of the limit that the top of the time plot stands for; what took longer stands on the top."""


@dataclass(frozen=True)
class Mark:
    """One point. ``kind`` names its colour."""

    x: float
    y: float
    kind: str
    label: str
    size: float = 3.5


def limit_y() -> float:
    """Where the line of the limit stands."""
    return HEIGHT * (1 - 1 / TOP_SHARE)


def time_marks(items: Sequence[tuple[int, float, str]], number: int, limit_s: float) -> list[Mark]:
    """A mark for each of (index, seconds, kind): from left to right by index, upwards by the share of the limit."""
    marks = []
    for index, elapsed_s, kind in items:
        share = min(elapsed_s / limit_s, TOP_SHARE)
        x = WIDTH * (index + 0.5) / number
        marks.append(
            Mark(round(x, 1), round(HEIGHT * (1 - share / TOP_SHARE), 1), kind, f"{index + 1}: {elapsed_s:.3f} s")
        )
    return marks


def calibration_marks(bins: Sequence[Bin]) -> list[Mark]:
    """A mark a bin: confidence to the right, share of right answers upwards, its area by the number of answers."""
    return [
        Mark(
            round(SIDE * each.confidence, 1),
            round(SIDE * (1 - each.right), 1),
            "right",
            f"{each.answers} answers: {each.confidence:.0%} sure, {each.right:.0%} right",
            round(2 + each.answers**0.5, 1),
        )
        for each in bins
    ]
