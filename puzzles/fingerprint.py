"""The structural fingerprint: what stays of a puzzle when names, wording and order are taken away.

Statements are tuples of a label and the things they are about. Things are told apart only by what is said of them, by
colour refinement (Weisfeiler and Leman, 1968): a thing's colour is hashed again and again with the colours of what it
shares statements with. Two puzzles that differ only by renaming or reordering always get one fingerprint. Two that
differ otherwise get two, but for rare regular structures that refinement cannot tell apart: those count as repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

ROUNDS = 4
"""Rounds of refinement: with at most nine things, statements this far apart have met."""


def digest(value: object) -> str:
    """32 hexadecimal digits of a value's ``repr``, which must be made of numbers, strings and tuples alone."""
    return blake2b(repr(value).encode(), digest_size=16).hexdigest()


def fingerprint(statements: Iterable[tuple[str, Sequence[int]]]) -> str:
    """The fingerprint of ``(label, things)`` statements.

    What is no thing (a distance, a side) belongs in the label. In a statement whose label begins with ``=`` the order
    of the things does not matter.
    """
    known = sorted((label, tuple(things)) for label, things in statements)
    colours = {thing: "" for _, things in known for thing in things}
    for _ in range(ROUNDS):
        seen: dict[int, list[tuple[str, int, tuple[str, ...]]]] = {thing: [] for thing in colours}
        for label, things in known:
            around = _around(label, things, colours)
            for place, thing in enumerate(things):
                seen[thing].append((label, 0 if label.startswith("=") else place, around))
        colours = {thing: digest((colours[thing], sorted(entries))) for thing, entries in seen.items()}
    return digest(sorted((label, _around(label, things, colours)) for label, things in known))


def _around(label: str, things: tuple[int, ...], colours: dict[int, str]) -> tuple[str, ...]:
    around = [colours[thing] for thing in things]
    return tuple(sorted(around) if label.startswith("=") else around)
