"""`aiac doctor`: what would go wrong with a submission folder or a service, found before the tournament finds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agents.core.edition import DEFAULT_EDITION
from agents.core.errors import InputError

if TYPE_CHECKING:
    from tournament.doctor.finding import Finding

SIZES = "1 2 20 200"
QUICK_SIZES = "1 2"
MAX_SIZE = 1000

app = typer.Typer()


@app.command()
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
    """Examine a submission folder or a service under an edition's rules, and say what to fix.

    The exit code is 0 when nothing fails, 1 when something does, 2 for what cannot be examined. A folder's two command
    lines are run in it, in a sandbox where one can be had. A service that asks for a key gets AIAC_HOME_API_KEY.
    """
    from rich.console import Console

    from agents.core.edition import load_edition
    from aiac.commands.doctor_view import findings_table, progress_line, verdict_line
    from aiac.commands.models import find_or_pull_with_progress
    from aiac.commands.shared import puzzle_source
    from tournament.doctor.examine import examine, sample_questions
    from tournament.doctor.finding import Examination, passes
    from tournament.match.token_counter import token_counter

    limits = load_edition(edition)
    numbers = read_sizes(QUICK_SIZES if quick else sizes)
    counter = token_counter(find_or_pull_with_progress, tokenizer)
    samples = sample_questions(numbers[-1], limits, counter, puzzle_source(), seed=seed)
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


def read_sizes(text: str) -> list[int]:
    """``"1 2 20"`` or ``"1,2,20"`` as numbers. Raises InputError unless they ascend from 1 to ``MAX_SIZE``."""
    words = text.replace(",", " ").split()
    numbers = [int(word) for word in words if word.isascii() and word.isdigit()]
    ascending = numbers == sorted(set(numbers))
    if not numbers or len(numbers) != len(words) or not ascending or not 1 <= numbers[0] <= numbers[-1] <= MAX_SIZE:
        raise InputError("sizes", repr(text), f"ascending numbers from 1 to {MAX_SIZE}, such as {SIZES!r}")
    return numbers
