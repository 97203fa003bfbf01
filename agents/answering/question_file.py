"""A file of questions in, a file of answers out. Rows keep their places; outputs appear whole or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.answering.answerer import Answerer, AnswerResult
from agents.answering.batch import BatchAnswerer
from agents.core.deadline import DeadlinePolicy
from agents.core.edition import Edition
from agents.core.rules import CountTokens, filter_answers
from agents.core.schema import BrokenRow, Question, read_questions
from agents.core.text_file import read_json
from agents.support.atomic_file import write_whole


@dataclass(frozen=True)
class AnsweredFile:
    """One entry a row of the file: a result, or the reason why there is none."""

    results: list[AnswerResult | BrokenRow]
    seconds: float

    def answers(self) -> list[dict[str, str] | None]:
        """The canonical answers, null in the place of a broken row."""
        return [None if isinstance(v, BrokenRow) else v.answer.canonical() for v in self.results]


def read_question_file(path: Path) -> list[Question | BrokenRow]:
    """Every row of a JSON file of questions. Raises FileError, and QuestionError when it holds no rows at all."""
    return read_questions(read_json(path, "a readable JSON file of questions"))


async def answer_rows(
    answerer: Answerer,
    rows: Sequence[Question | BrokenRow],
    edition: Edition,
    *,
    batch_size: int = 1,
    advance: Callable[[], None] = lambda: None,
) -> AnsweredFile:
    """A result for every row that is a question, at most ``batch_size`` of them at a time.

    Row i is due (i + 1) times the edition's seconds, less a margin, after the start.
    """
    started = time.perf_counter()
    policy = DeadlinePolicy(edition.answer_seconds)
    deadlines = [policy.from_now(place) for place in range(len(rows))]
    questions = {place: row for place, row in enumerate(rows) if isinstance(row, Question)}
    for _ in range(len(rows) - len(questions)):
        advance()
    answers = await BatchAnswerer(answerer, batch_size).answer(
        list(questions.values()), [deadlines[place] for place in questions], lambda place, answer: advance()
    )
    by_place = dict(zip(questions, answers, strict=True))
    results = [row if isinstance(row, BrokenRow) else by_place[place].result for place, row in enumerate(rows)]
    return AnsweredFile(results, time.perf_counter() - started)


def filtered_path(output: Path) -> Path:
    """Where the organisers look for the filtered copy: ``answers.json`` -> ``filtered_answers.json`` beside it."""
    return output.with_name(f"filtered_{output.name}")


def write_answers(output: Path, answers: list[dict[str, str] | None], edition: Edition, count: CountTokens) -> None:
    """Both output files of the organisers' command line. Raises FileError; neither is ever half written."""
    write_whole(output, dump_rows(answers))
    write_whole(filtered_path(output), dump_rows(filter_answers(answers, count, edition)))


def dump_rows(rows: Sequence[Any]) -> str:
    return json.dumps(list(rows), indent=4, ensure_ascii=False) + "\n"
