"""`aiac ask`: questions with a proved or confirmed key, and the proof of one that was served."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from agents.core.edition import DEFAULT_EDITION

if TYPE_CHECKING:
    from agents.asking.pool.pool import ServedQuestion
    from agents.core.edition import Edition
    from agents.ensemble.question_source import LazyModel

app = typer.Typer()


@app.command()
def ask(
    topic: Annotated[
        str | None, typer.Option(help="A topic in any spelling; if not given, the edition's in turn.")
    ] = None,
    difficulty: Annotated[str | None, typer.Option(help="easy, medium, hard, or a number; hard if not given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the questions anew, the same ones every first time.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    edition: Annotated[str, typer.Option(help="The edition whose topics and limits apply.")] = DEFAULT_EDITION,
    ensemble: Annotated[
        str | None,
        typer.Option(
            help="An ensemble whose model writes on a topic that no puzzle covers, and whose members confirm the key; "
            "if not given, such a topic is an error."
        ),
    ] = None,
    proof: Annotated[bool, typer.Option("--proof", help="Print the proof of each key as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    dispute: Annotated[
        str | None, typer.Option(metavar="TEXT|ID", help="Ask nothing: show a served question with its proof.")
    ] = None,
) -> None:
    """Ask questions that were never asked before, or show the proof of one that was."""
    from agents.asking.draft_sources import DraftSources
    from agents.asking.pool.store import QuestionStore, default_pool_path
    from agents.asking.questioner import Questioner
    from agents.core.edition import load_edition
    from agents.core.errors import InputError, describe

    limits = load_edition(edition)
    wanted = _number_or_level(difficulty)

    async def run() -> None:
        model = None if ensemble is None else _model(ensemble, limits)
        source = None if model is None else model.source
        questioner = Questioner(limits, QuestionStore(default_pool_path()), DraftSources(model=source))
        try:
            if dispute is not None:
                served = await questioner.served(dispute)
                if served is None:
                    expected = f"the id or the text of a question that was served from {default_pool_path()}"
                    raise InputError("dispute", describe(dispute), expected)
                _print(served, proof=True, as_json=as_json)
                return
            if model is not None and questioner.needs_model(topic):
                await model.open()
            for _ in range(count):
                _print(await questioner.ask(topic, wanted, seed), proof=proof, as_json=as_json)
            if problem := (await questioner.status()).problem:
                typer.echo(f"aiac: not recorded: {problem}", err=True)
        finally:
            await questioner.close()
            if model is not None:
                await model.close()

    asyncio.run(run())


def _model(ensemble: str, edition: Edition) -> LazyModel:
    from agents.ensemble.loading import find_ensemble
    from agents.ensemble.question_source import LazyModel
    from aiac.commands.shared import open_ensemble

    find_ensemble(ensemble)  # a wrong name is said at once, whether it is needed or not
    return LazyModel(lambda: open_ensemble(ensemble), edition)


def _number_or_level(text: str | None) -> str | float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _print(served: ServedQuestion, *, proof: bool, as_json: bool) -> None:
    row = served.to_json()
    shown = row.pop("proof")
    if as_json:
        typer.echo(json.dumps({**row, "proof": shown} if proof else row, ensure_ascii=False))
        return
    p = served.proposal
    measured = "" if p.difficulty is None else f" {p.difficulty:g}"
    lines = [
        f"[{served.question.topic} · {p.level}{measured} · {p.proposer} · {served.id}]",
        row["question"],
        *row["choices"],
        f"Answer: {row['answer']}. {row['explanation']}",
    ]
    if proof:
        lines.append(f"Proof: {json.dumps(shown, ensure_ascii=False)}")
    typer.echo("\n".join([*lines, ""]))
