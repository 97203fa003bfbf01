"""The callables that long jobs report their progress to."""

from __future__ import annotations

from collections.abc import Callable

StageProgress = Callable[[str, int, int | None], None]
"""Takes a stage's name, the items done, and the items in all: None in a stream whose end is not known."""

StepProgress = Callable[[int, int], None]
"""Takes the steps done and the steps in all."""

RowProgress = Callable[[int], None]
"""Takes the rows read so far, where their number is not known."""


def no_progress(*progress: object) -> None:
    """Ignore the progress of a job that runs unwatched."""
