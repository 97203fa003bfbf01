"""The command line of a benchmark: its options, one JSON document on stdout, and everything else on stderr."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

N = TypeVar("N", int, float)


def argument_parser(name: str, document: str | None) -> argparse.ArgumentParser:
    """Return the parser of ``python -m benchmarks.NAME``, with the module's docstring as its help."""
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=document, formatter_class=formatter)


def positive(kind: Callable[[str], N]) -> Callable[[str], N]:
    """Return an argparse type: a number above zero."""
    return _checked(kind, lambda value: value > 0, "a positive number")


def at_least(kind: Callable[[str], N], least: int) -> Callable[[str], N]:
    """Return an argparse type: a number of at least ``least``."""
    return _checked(kind, lambda value: value >= least, f"{least} or more")


def _checked(kind: Callable[[str], N], holds: Callable[[N], bool], expected: str) -> Callable[[str], N]:
    def number(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}") from None
        if not holds(value):
            raise argparse.ArgumentTypeError(f"found {value:g}; expected {expected}")
        return value

    return number


def run_with_servers(measure: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run a benchmark that starts servers: they end with it on SIGTERM too, and their output goes to stderr."""
    # An interrupt unwinds the blocks that end what was started; a plain SIGTERM would not.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with stdout_for_the_report():
        return asyncio.run(measure)


def print_report(report: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]] | None = None) -> None:
    """Print the report on stdout; on stderr the aims that were met, of the report or of its named ``parts``."""
    print(json.dumps(report, indent=1))
    for part, found in (parts or {"": report}).items():
        for name, aim in found.get("aims", {}).items():
            verdict = "met" if aim["met"] else "NOT met"
            note(f"{part}{': ' * bool(part)}{name}: {aim['value']:.2f} (aim: {aim['aim']}) {verdict}")


@contextmanager
def stdout_for_the_report() -> Iterator[None]:
    """Send to stderr everything printed meanwhile, also by vLLM and child processes."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
