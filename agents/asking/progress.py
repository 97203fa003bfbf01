"""Asking a number of questions with a person watching: a bar, the questions if asked for, a summary."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.answering.question_file import dump_rows, filtered_path
from agents.asking.pool.pool import ServedQuestion
from agents.asking.questioner import Questioner
from agents.core.deadline import DeadlinePolicy
from agents.core.edition import Edition
from agents.core.errors import EngineError, NotReadyError
from agents.core.rules import CountTokens, filter_questions
from agents.core.token_estimate import estimate_tokens
from agents.support.atomic_file import write_whole


@dataclass(frozen=True)
class AskedQuestions:
    """One entry a question: what was served, or the sentence that says why nothing was."""

    served: list[ServedQuestion | str]
    seconds: float
    slowest_s: float

    def questions(self) -> list[ServedQuestion]:
        return [each for each in self.served if not isinstance(each, str)]


async def ask_many(
    questioner: Questioner,
    number: int,
    edition: Edition,
    *,
    batch_size: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> AskedQuestions:
    """``number`` questions over the questioner's topics, ``batch_size`` at a time.

    Each has the edition's seconds, less a margin, from the moment its turn comes.
    """
    started = time.perf_counter()
    slots = asyncio.Semaphore(batch_size)
    slowest_s = 0.0
    policy = DeadlinePolicy(edition.question_seconds)

    async def one() -> ServedQuestion | str:
        nonlocal slowest_s
        async with slots:
            begun = time.perf_counter()
            try:
                return await questioner.ask(deadline=policy.from_now())
            except (NotReadyError, EngineError) as error:
                return str(error)
            finally:
                slowest_s = max(slowest_s, time.perf_counter() - begun)
                advance()

    served = await asyncio.gather(*(one() for _ in range(number)))
    return AskedQuestions(list(served), time.perf_counter() - started, slowest_s)


async def ask_to_file(
    questioner: Questioner,
    number: int,
    target: Path,
    edition: Edition,
    batch_size: int,
    verbose: bool = False,
) -> AskedQuestions:
    """Asks, writes both output files, and reports on stderr.

    Raises FileError, and NotReadyError when there is not one question to write.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    columns = (TextColumn("asking"), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("asking", total=number)
        asked = await ask_many(questioner, number, edition, batch_size=batch_size, advance=lambda: bars.advance(task))
    if not asked.questions():
        raise NotReadyError(str(asked.served[0]))
    survivors = write_questions(target, asked.questions(), edition, estimate_tokens)
    for place, each in enumerate(asked.served, start=1):
        if isinstance(each, str):
            console.print(f"question {place}: {each}")
        elif verbose:
            console.print(f"question {place}: {each.question.key_letter}  {each.question.text}")
    status = await questioner.status()
    console.print(_summary(asked, survivors))
    console.print(questioner.gate_counts.table())
    if status.problem is not None:
        console.print(f"kept in memory, and forgotten now: {status.problem}")
    console.print(f"{target}\n{filtered_path(target)}")
    return asked


def write_questions(
    output: Path, questions: Sequence[ServedQuestion], edition: Edition, count_tokens: CountTokens
) -> int:
    """Both output files of the organisers' command line; returns how many pass their filter.

    Raises FileError; neither file is ever half written.
    """
    rows = [each.canonical() for each in questions]
    survivors = filter_questions(rows, count_tokens, edition)
    write_whole(output, dump_rows(rows))
    write_whole(filtered_path(output), dump_rows(survivors))
    return len(survivors)


def _summary(asked: AskedQuestions, survivors: int) -> str:
    questions = asked.questions()
    letters = Counter(each.question.key_letter or "" for each in questions)
    topics = Counter(each.question.topic for each in questions)
    return (
        f"{len(questions)} asked ({', '.join(f'{k} {n}' for k, n in sorted(letters.items()))}), "
        f"{survivors} pass the organisers' filter, {len(asked.served) - len(questions)} without a question, "
        f"{sum(each.degraded for each in questions)} flagged; "
        f"{asked.seconds:.1f} s in all, slowest {asked.slowest_s:.2f} s\n"
        + ", ".join(f"{topic}: {number}" for topic, number in topics.items())
    )
