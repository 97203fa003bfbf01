"""`aiac serve`: the ensemble behind HTTP, with a console page."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from socket import socket

    from fastapi import FastAPI
    from rich.status import Status

    from agents.ensemble.loading import LoadedEnsemble
    from service.settings import Settings
    from service.state import Load

app = typer.Typer()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; overrides AIAC_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; overrides AIAC_PORT.")] = None,
    ensemble: Annotated[str | None, typer.Option(help="Ensemble to serve; overrides AIAC_ENSEMBLE.")] = None,
    engine: Annotated[str | None, typer.Option(help="Engine that computes; overrides AIAC_ENGINE.")] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; overrides AIAC_DTYPE.")] = None,
    edition: Annotated[str | None, typer.Option(help="Edition whose limits hold; overrides AIAC_EDITION.")] = None,
) -> None:
    """Serve an ensemble over HTTP: POST /answer, and a console page at /. All settings: AIAC_* in the README."""
    from agents.ensemble.engine_kinds import placement
    from agents.ensemble.loading import find_ensemble, load_ensemble
    from agents.ensemble.manifest_file import read_manifest
    from aiac.commands.models import find_or_pull_with_progress
    from service.server import allow_open_files, is_loopback, reserve_port
    from service.settings import load_settings

    settings = load_settings(host=host, port=port, ensemble=ensemble, engine=engine, dtype=dtype, edition=edition)
    logging.getLogger().setLevel(settings.log_level.upper())
    allow_open_files()
    with reserve_port(settings.host, settings.port) as reserved:
        place = placement(settings.engine, dtype=settings.dtype, threads=settings.threads)
        folder = find_ensemble(settings.ensemble)
        model = read_manifest(folder).base.model
        if settings.api_key is None and not is_loopback(settings.host):
            typer.echo(f"aiac: warning: anyone who reaches {settings.host} may ask; set AIAC_API_KEY", err=True)
        checkpoint = find_or_pull_with_progress(model)

        async def load(report: Callable[[str], None]) -> LoadedEnsemble:
            return await load_ensemble(folder, lambda name: checkpoint, place, report)

        asyncio.run(_run(settings, load, reserved))


async def _run(settings: Settings, load: Load, reserved: socket) -> None:
    from rich.console import Console

    from service.app import create_app
    from service.questioner import FillingProcess
    from tournament.match.live_board import LiveBoard

    console = Console(stderr=True, markup=False, highlight=False)
    status = console.status("starting")

    async def load_and_show(report: Callable[[str], None]) -> LoadedEnsemble:
        def show(stage: str) -> None:
            report(stage)
            if console.is_terminal:
                status.update(stage)
            else:
                typer.echo(f"aiac: {stage}", err=True)

        return await load(show)

    with FillingProcess() as filling:
        await _serve(create_app(settings, load_and_show, filling, LiveBoard), settings, reserved, status)


async def _serve(app: FastAPI, settings: Settings, reserved: socket, status: Status) -> None:
    from service.server import base_url, run_server

    url = base_url(settings.host, reserved.getsockname()[1])

    def on_ready() -> None:
        status.stop()
        typer.echo(ready_message(url, settings))

    status.start()
    try:
        state = await run_server(app, settings, reserved, on_ready)
    finally:
        status.stop()
    if not state.settled.is_set():
        # The thread that reads weights cannot be interrupted, and Python would wait for it: minutes, for a large model.
        typer.echo("aiac: interrupted", err=True)
        from agents.engines.vllm.start import end_engines

        end_engines()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130)


def ready_message(url: str, settings: Settings) -> str:
    """What is printed once the service is ready: the console's address, and a line to paste into a shell."""
    from service.openapi import EASY

    key = "" if settings.api_key is None else ' -H "Authorization: Bearer $AIAC_API_KEY"'
    question = shlex.quote(json.dumps(EASY))
    return f"Ready. Console: {url}/\nTry: curl -s {url}/answer{key} -H 'Content-Type: application/json' -d {question}"
