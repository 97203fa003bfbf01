"""`aiac doctor`: what would go wrong with a submission folder or a service, found before the tournament finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.core.errors import FileError, InputError
from agents.core.rules import DEFAULT_EDITION

if TYPE_CHECKING:
    from agents.core.rules import Edition
    from aiac.commands.token_counter import TokenCounter
    from tournament.doctor.finding import Examination, Finding, Say
    from tournament.teams.protocol import Row

SIZES = "1 2 20 200"
QUICK_SIZES = "1 2"
MAX_SIZE = 1000
MAX_DRAWS = 10
"""Puzzles drawn for each sample that is wanted, at most: a few do not fit an edition's token limit."""


def doctor(
    target: Annotated[str, typer.Argument(help="A submission folder, or the address of a service (http://…).")],
    edition: Annotated[str, typer.Option(help="The edition whose rules hold.")] = DEFAULT_EDITION,
    sizes: Annotated[str, typer.Option(help="How many questions and answers to ask for, ascending.")] = SIZES,
    quick: Annotated[bool, typer.Option("--quick", help=f"Only the sizes {QUICK_SIZES}.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the questions that the A-agent is asked.")] = 0,
    python: Annotated[str | None, typer.Option(help="The interpreter of a folder that has no .venv.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="A model whose tokenizer counts for the filter; a Qwen that is here, if one is.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Examine a submission folder or a service under an edition's rules, and say what to mend.

    The exit code is 0 when nothing fails, 1 when something does, 2 for what cannot be examined. A folder's two command
    lines are run in it, as this user. A service that asks for a key gets AIAC_HOME_API_KEY.
    """
    from rich.console import Console

    from agents.core.rules import load_edition
    from aiac.commands.doctor_view import findings_table, progress_line, verdict_line
    from aiac.commands.token_counter import token_counter
    from tournament.doctor.finding import Examination, passes

    limits = load_edition(edition)
    numbers = read_sizes(QUICK_SIZES if quick else sizes)
    counter = token_counter(tokenizer)
    samples = sample_questions(numbers[-1], limits, counter, seed)
    examination = Examination(limits, counter.count, counter.name, samples, numbers)
    progress = Console(stderr=True, markup=False, highlight=False)
    findings: list[Finding] = []
    for finding in examine(target, examination, python, progress.print):
        progress.print(progress_line(finding))
        findings.append(finding)
    if as_json:
        report = {"target": target, "edition": limits.id, "sizes": numbers, "tokenizer": counter.name}
        rows = [finding.to_json() for finding in findings]
        typer.echo(json.dumps({**report, "passes": passes(findings), "findings": rows}, indent=4))
    else:
        console = Console()
        console.print(findings_table(target, limits, findings))
        console.print(verdict_line(findings))
    if not passes(findings):
        raise typer.Exit(1)


def examine(target: str, examination: Examination, python: str | None, say: Say) -> Iterator[Finding]:
    """The findings of every check that applies to ``target``. Raises FileError and InputError for what is no target."""
    from aiac.commands.arena_teams import side_key
    from tournament.doctor.finding import unchecked
    from tournament.doctor.runs import run_findings
    from tournament.doctor.service import service_findings
    from tournament.doctor.submission import AGENT_FILES, submission_findings

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


def read_sizes(text: str) -> list[int]:
    """``"1 2 20"`` or ``"1,2,20"`` as numbers. Raises InputError unless they ascend from 1 to ``MAX_SIZE``."""
    words = text.replace(",", " ").split()
    numbers = [int(word) for word in words if word.isascii() and word.isdigit()]
    ascending = numbers == sorted(set(numbers))
    if not numbers or len(numbers) != len(words) or not ascending or not 1 <= numbers[0] <= numbers[-1] <= MAX_SIZE:
        raise InputError("sizes", repr(text), f"ascending numbers from 1 to {MAX_SIZE}, such as {SIZES!r}")
    return numbers


def sample_questions(number: int, edition: Edition, counter: TokenCounter, seed: int) -> list[Row]:
    """``number`` puzzles with proved keys on the edition's topics, all of which pass its filter."""
    from agents.core.rules import broken_question_rule
    from aiac.commands.arena_teams import PuzzleSource
    from tournament.match.innings import request_for

    source = PuzzleSource()
    found: list[Row] = []
    for index in range(number * MAX_DRAWS):
        row = source.question(request_for(edition, 1, index, seed, None))
        if broken_question_rule(row, counter.count, edition) is None:
            found.append(row)
        if len(found) == number:
            return found
    expected = "a tokenizer that counts English text as the organisers' does"
    raise InputError("tokenizer", f"{counter.name}, by which only {len(found)} of our puzzles pass", expected)
