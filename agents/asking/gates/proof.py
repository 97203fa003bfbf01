"""The key gate of proved puzzles: prove the puzzle anew, and compare it with the question text for text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Executor
from typing import Any

from agents.asking.proposal import Proposal, RejectedError
from agents.core.errors import EngineError, first_line
from agents.core.schema import Question
from puzzles import ProofError, Puzzle, verify
from puzzles.puzzle import PuzzleError

OTHER_TEXT = "proof of another text"


class ProofGate:
    """The key gate of the solver's questions. ``executor`` as in ``SolverProposer``."""

    name = "proof"

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor

    async def check(self, proposal: Proposal) -> Proposal:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, check_proof, proposal)
        except BrokenExecutor as error:
            if self._executor is None:
                raise EngineError(f"the proof cannot be checked: {first_line(error)}") from error
            self._executor = None
            await loop.run_in_executor(None, check_proof, proposal)
        return proposal


def check_proof(proposal: Proposal) -> None:
    """Raise RejectedError unless ``proposal.proof`` is a puzzle that verifies and says what the question says."""
    if proposal.proof is None:
        raise RejectedError("no proof")
    puzzle = prove_again(proposal.question, proposal.proof)
    question = proposal.question
    same = (
        question.key is not None
        and question.choices[question.key] == puzzle.choices[puzzle.key]
        and proposal.explanation == puzzle.explanation
        and (proposal.level, proposal.difficulty, proposal.fingerprint)
        == (puzzle.level, puzzle.difficulty, puzzle.fingerprint)
    )
    if not same:
        raise RejectedError(OTHER_TEXT)


def prove_again(question: Question, proof: Mapping[str, Any]) -> Puzzle:
    """Return the puzzle of ``proof``, proved anew from its structure: a false certificate convinces nobody.

    ``proof`` may be anything that another team sent. Raises RejectedError unless the puzzle verifies and has the
    question's text and choices, in any order.
    """
    try:
        puzzle = Puzzle.from_json(dict(proof))
        verify(puzzle)
    except ProofError:
        raise RejectedError("proof does not hold") from None
    except (PuzzleError, TypeError, ValueError, KeyError, AttributeError, RecursionError):
        raise RejectedError("proof of no known family") from None
    if question.text != puzzle.question or sorted(question.choices) != sorted(puzzle.choices):
        raise RejectedError(OTHER_TEXT)
    return puzzle
