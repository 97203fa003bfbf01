"""`aiac answer`: a file of questions in, a file of answers out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from agents.core.edition import DEFAULT_EDITION
from agents.ensemble.loading import DEFAULT_ENSEMBLE

app = typer.Typer()


@app.command()
def answer(
    file: Annotated[Path, typer.Argument(help="A JSON file of questions, in any shape the field uses.")],
    output: Annotated[
        Path | None, typer.Option(help="Where the answers go; beside the questions as *.answers.json when not given.")
    ] = None,
    ensemble: Annotated[str, typer.Option(help="An ensemble's folder, or its name in ensembles/.")] = DEFAULT_ENSEMBLE,
    edition: Annotated[str, typer.Option(help="The edition whose limits and filter apply.")] = DEFAULT_EDITION,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions at a time.")] = 5,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; by default what suits the device.")] = None,
) -> None:
    """Answer every question of a file; a broken row becomes null, with its reason on stderr."""
    from agents.answering.progress import answer_to_file
    from agents.answering.question_file import filtered_path, read_question_file
    from agents.core.edition import load_edition
    from agents.support.atomic_file import require_writable
    from aiac.commands.shared import open_ensemble

    limits = load_edition(edition)
    rows = read_question_file(file)
    target = output or file.with_name(f"{file.stem}.answers.json")
    require_writable(target, filtered_path(target), inputs=[file])

    async def run() -> None:
        loaded = await open_ensemble(ensemble, dtype=dtype)
        try:
            await answer_to_file(loaded.answerer, loaded.engine.tokenizer, rows, target, limits, batch_size)
        finally:
            await loaded.close()

    asyncio.run(run())
