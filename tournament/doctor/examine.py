"""The examination of whatever a person names: a submission folder, or a service at an address."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agents.core.edition import Edition
from agents.core.errors import FileError, InputError
from tournament.doctor.finding import Examination, Finding, Say, unchecked
from tournament.doctor.runs import run_findings
from tournament.doctor.service import service_findings
from tournament.doctor.submission import AGENT_FILES, submission_findings
from tournament.match.innings import request_for
from tournament.match.token_counter import TokenCounter
from tournament.teams.names import side_key
from tournament.teams.protocol import Row
from tournament.teams.puzzle_source import MAX_DRAWS, PuzzleSource


def examine(target: str, examination: Examination, python: str | None, say: Say) -> Iterator[Finding]:
    """Yield the findings of every check that applies to ``target``.

    ``python`` is the interpreter of a folder without its own. A service gets the key of the home side. Raises FileError
    and InputError for a target that is neither.
    """
    if "://" in target:
        yield from service_findings(target, examination, key=side_key("home"), say=say)
        return
    folder = Path(target)
    if not folder.is_dir():
        raise FileError(target, "no such folder", "a submission folder, or an address such as http://127.0.0.1:8000")
    yield from submission_findings(folder, examination.edition)
    missing = [name for name in AGENT_FILES if not (folder / "agents" / name).is_file()]
    if missing:
        yield unchecked("both command lines", f"without {', '.join(missing)} there is no submission to run")
        return
    yield from run_findings(folder, examination, python, say)


def sample_questions(
    number: int, edition: Edition, counter: TokenCounter, source: PuzzleSource, *, seed: int
) -> list[Row]:
    """Return ``number`` puzzles with proved keys on the edition's topics, all of which pass its filter.

    Raises InputError for a tokenizer by which too few pass.
    """
    requests = (request_for(edition, 1, index, seed, None) for index in range(number * MAX_DRAWS))
    found = list(islice(source.fitting(requests, edition, counter.count), number))
    if len(found) < number:
        expected = "a tokenizer that counts English text as the organisers' does"
        raise InputError("tokenizer", f"{counter.name}, by which only {len(found)} of our puzzles pass", expected)
    return found
