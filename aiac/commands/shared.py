"""Parts of several commands: bars on stderr, opening an ensemble, and puzzles for the tournament."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.ensemble.loading import LoadedEnsemble
    from tournament.teams.puzzle_source import PuzzleSource


@contextmanager
def staged_progress(*, shown: bool = True) -> Iterator[Callable[[str, int, int | None], None]]:
    """Give a function of (stage, done, total) that draws a bar a stage; a total of None has no known length."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance


async def open_ensemble(name: str, *, dtype: str | None = None, all_members: bool = False) -> LoadedEnsemble:
    """Open the ensemble called ``name``, with its stages on stderr. Raises as find_ensemble and load_ensemble do."""
    from rich.console import Console

    from agents.ensemble.engine_kinds import placement
    from agents.ensemble.loading import find_ensemble, load_ensemble
    from aiac.commands.models import find_or_pull_with_progress

    path = find_ensemble(name)
    console = Console(stderr=True)
    # Not a live spinner: the pull draws its own bars, and rich shows one live display at a time.
    return await load_ensemble(
        path,
        find_or_pull_with_progress,
        placement("transformers", dtype=dtype),
        lambda stage: console.print(f"[dim]{stage}[/dim]"),
        all_members=all_members,
    )


def puzzle_source() -> PuzzleSource:
    """Return questions with proofs out of every puzzle family: the tournament may not import puzzles itself."""
    import puzzles
    from puzzles.generator import family_named
    from tournament.teams.puzzle_source import PuzzleMaker, PuzzleSource

    topics = {family: family_named(family).topics for family in puzzles.FAMILIES}
    return PuzzleSource(PuzzleMaker(topics, puzzles.generate))
