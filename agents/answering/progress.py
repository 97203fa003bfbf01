"""Answering a file of questions with a person watching: a bar, the answers if asked for, a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agents.answering.answerer import Answerer
from agents.answering.question_file import AnsweredFile, answer_rows, filtered_path, write_answers
from agents.core.edition import Edition
from agents.core.schema import BrokenRow, Question
from agents.core.tokenizer import Tokenizer


async def answer_to_file(
    answerer: Answerer,
    tokenizer: Tokenizer,
    rows: Sequence[Question | BrokenRow],
    target: Path,
    edition: Edition,
    batch_size: int,
    verbose: bool = False,
) -> AnsweredFile:
    """Answers ``rows``, writes both output files, and reports on stderr. Raises FileError."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn("answering"), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("answering", total=len(rows))
        answered = await answer_rows(answerer, rows, edition, batch_size=batch_size, advance=lambda: bars.advance(task))
    write_answers(target, answered.answers(), edition, lambda text: len(tokenizer.encode_text(text)))
    for number, result in enumerate(answered.results, start=1):
        if isinstance(result, BrokenRow):
            console.print(f"row {number}: {result.reason}")
        elif verbose:
            console.print(f"row {number}: {result.answer.letter}  {result.answer.reasoning}")
    console.print(_summary(answered, target))
    return answered


def _summary(answered: AnsweredFile, target: Path) -> str:
    results = [v for v in answered.results if not isinstance(v, BrokenRow)]
    letters = ", ".join(f"{k} {n}" for k, n in sorted(Counter(v.answer.letter for v in results).items())) or "none"
    slowest = max((v.elapsed_ms for v in results), default=0.0) / 1000
    return (
        f"{len(results)} answered ({letters}), {len(answered.results) - len(results)} broken, "
        f"{sum(v.degraded for v in results)} cut short; {answered.seconds:.1f} s in all, slowest {slowest:.2f} s\n"
        f"{target}\n{filtered_path(target)}"
    )
