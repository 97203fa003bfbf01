"""What the command lines that run without aiac have in common: errors as one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from agents.core.errors import AiacError, codes_of
from agents.support.missing_package import packages_named

INTERRUPTED = 130
"""The exit code of a process that was interrupted: 128 and the number of SIGINT."""


def run_reported(name: str, work: Callable[[], None], interrupted: str) -> int:
    """The exit code: 0, or that of ``agents.core.errors`` with one sentence on stderr, which begins with ``name``.

    A package that ``work`` imports and that is not installed is such an error too; ``interrupted`` says what an
    interrupt leaves behind.
    """
    try:
        with packages_named():
            work()
    except AiacError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return codes_of(error).exit_code
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted; {interrupted}\n")
        return INTERRUPTED
    return 0
