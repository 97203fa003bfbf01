"""Proofs from strangers, checked in a process of its own, under limits on its time and memory.

    with ProofChecker() as checker:
        key = checker.proved_key(proof, question, choices)

The process is started for the first proof and serves the next ones too. A proof that breaks a limit ends it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from puzzles.generator import proved_key
from puzzles.puzzle import ProofError, Puzzle, PuzzleError

LIMIT_S = 3.0
"""Bounds one proof. The slowest of ours takes 0.3 s on a busy machine; a verdict shall come within 5 s."""
MAX_MEMORY_BYTES = 1 << 30
"""Bounds the address space of the process. The largest frame of ours, eight people in a row, takes 60 MB of it."""
MAX_PROOF_BYTES = 1 << 18
"""Bounds the JSON text of one proof. Ours take up to 5 kB."""


class ProofChecker:
    """A process that proves puzzles anew. One thread at a time uses it."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ProofChecker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def proved_key(self, proof: Mapping[str, Any], question: str, choices: Sequence[str]) -> int | None:
        """As ``puzzles.proved_key``, for the JSON of a puzzle. Raises ProofError also for a proof beyond the limits."""
        if question != proof.get("question") or not _same_texts(choices, proof.get("choices")):
            return None
        try:
            line = json.dumps([proof, question, list(choices)]).encode() + b"\n"
        except (TypeError, ValueError, RecursionError):
            raise ProofError("proof: found a value that is not JSON; expected the JSON of a puzzle") from None
        if len(line) > MAX_PROOF_BYTES:
            raise ProofError(f"proof: found {len(line):,} bytes; expected at most {MAX_PROOF_BYTES:,}")
        reply = self._ask(line)
        if not reply.endswith(b"\n"):
            self.close()
            raise ProofError(
                f"proof: found one that does not end within {self._limit_s:g} s and {MAX_MEMORY_BYTES >> 20} MiB; "
                "expected one that does"
            )
        key, error = json.loads(reply)
        if error is not None:
            raise ProofError(error)
        return cast("int | None", key)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            # Reads to the end and closes both pipes.
            self._process.communicate()
            self._process = None

    def _ask(self, line: bytes) -> bytes:
        """The line that answers ``line``; a part of one, or nothing, where the process ended before."""
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "puzzles.checking", str(self._limit_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
                env={"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return b""


def _same_texts(choices: Sequence[str], offered: Any) -> bool:
    """Whether ``offered`` holds the texts of ``choices``, in any order."""
    if not isinstance(offered, list) or len(offered) != len(choices):
        return False
    return all(isinstance(text, str) for text in offered) and sorted(offered) == sorted(choices)


def _verdict(line: bytes) -> tuple[int | None, str | None]:
    """The key, or why there is none."""
    try:
        proof, question, choices = json.loads(line)
        return proved_key(Puzzle.from_json(proof), question, choices), None
    except PuzzleError as error:
        return None, str(error)
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        return None, f"proof: found one that cannot be read ({type(error).__name__}); expected the JSON of a puzzle"


def _serve(limit_s: float) -> None:
    """Answer each line of stdin. The default action of SIGALRM ends the process at the limit, whatever it does."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        reply = json.dumps(_verdict(line)).encode() + b"\n"
        signal.setitimer(signal.ITIMER_REAL, 0)
        replies.write(reply)


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
