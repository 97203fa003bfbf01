"""The command `aiac`: one sub-command a stage. Every heavy import waits until its command runs.

A command's function takes as many parameters as the command has options: Typer reads them from there. Nothing that it
calls does.
"""

from __future__ import annotations

import logging
import sys

import typer

from agents.core.errors import AiacError, codes_of
from agents.support.command_line import INTERRUPTED
from aiac.commands import answer, ask, bundle, check, data, doctor, export, merge, models, play, serve, train, validate

app = typer.Typer(
    name="aiac",
    help="Question-and-answer agents for AI tournaments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
for part in (answer, ask, check, doctor, bundle, train, validate, merge, export, play, serve):
    app.registered_commands += part.app.registered_commands


def main() -> None:
    """Runs the command; an error of ours is one line on stderr and the exit code of ``agents.core.errors``."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """The exit code of ``aiac`` with these arguments (those of the process when None)."""
    try:
        # Typer hands back the code of what it caught itself, an interrupt (130) among them.
        code = app(arguments, standalone_mode=False) or 0
    except AiacError as error:
        typer.echo(f"aiac: {error}", err=True)
        return codes_of(error).exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            # Click's own usage errors: an unknown option, a missing argument.
            typer.echo(f"aiac: {error.format_message()}", err=True)
            return int(error.exit_code)
        raise
    if code == INTERRUPTED:
        typer.echo("aiac: interrupted", err=True)
    return int(code)
