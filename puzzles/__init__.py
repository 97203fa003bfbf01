"""Puzzles whose key is proved: structure first, proof second, text last. A leaf: it imports no other package.

    puzzle = puzzles.generate("linear_seating", "hard", seed=7)
    puzzles.verify(puzzle)

Families: syllogisms, linear and circular seating, blood relations, series, truth-tellers and liars, matching. What
"easy" means is the same in each (``puzzles.difficulty``).
"""

from puzzles.difficulty import LEVELS
from puzzles.generator import FAMILIES, generate, proved_key, stream, verify
from puzzles.puzzle import DifficultyError, ProofError, Puzzle, PuzzleError, UnknownFamilyError

__all__ = [
    "FAMILIES",
    "LEVELS",
    "DifficultyError",
    "ProofError",
    "Puzzle",
    "PuzzleError",
    "UnknownFamilyError",
    "generate",
    "proved_key",
    "stream",
    "verify",
]
