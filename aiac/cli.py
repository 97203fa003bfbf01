"""The command `aiac`: one sub-command a stage. Every heavy import waits until its command runs."""

from __future__ import annotations

import logging
import sys

import typer

from agents.errors import AiacError, outcome_of
from aiac.commands import data, models
from aiac.commands.answer import answer
from aiac.commands.export import export
from aiac.commands.merge import merge
from aiac.commands.serve import serve
from aiac.commands.train import train
from aiac.commands.validate import validate

app = typer.Typer(
    name="aiac",
    help="Question-and-answer agents for AI tournaments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
for command in (answer, train, validate, merge, export, serve):
    app.command()(command)


def main() -> None:
    """Runs the command; an error of ours is one line on stderr and the exit code of ``agents.errors``."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """The exit code of ``aiac`` with these arguments (those of the process when None)."""
    try:
        app(arguments, standalone_mode=False)
    except AiacError as error:
        typer.echo(f"aiac: {error}", err=True)
        return outcome_of(error).exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("aiac: interrupted", err=True)
        return 130
    except typer.Exit as stop:
        return stop.exit_code
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            # Click's own usage errors: an unknown option, a missing argument.
            typer.echo(f"aiac: {error.format_message()}", err=True)
            return int(error.exit_code)
        raise
    return 0
