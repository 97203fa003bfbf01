"""The key gate of proved puzzles: prove the puzzle anew, and compare it with the question text for text."""

from __future__ import annotations

import asyncio
from concurrent.futures import BrokenExecutor, Executor

from agents.asking.proposal import Proposal, RejectedError
from agents.core.errors import EngineError, first_line
from puzzles import ProofError, Puzzle, proved_key
from puzzles.puzzle import PuzzleError


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
    try:
        puzzle = Puzzle.from_json(dict(proposal.proof))
        key = proved_key(puzzle, proposal.question.text, proposal.question.choices)
    except ProofError:
        raise RejectedError("proof does not hold") from None
    except PuzzleError:
        raise RejectedError("proof of no known family") from None
    same = (
        key is not None
        and key == proposal.question.key
        and proposal.explanation == puzzle.explanation
        and (proposal.level, proposal.difficulty, proposal.fingerprint)
        == (puzzle.level, puzzle.difficulty, puzzle.fingerprint)
    )
    if not same:
        raise RejectedError("proof of another text")
