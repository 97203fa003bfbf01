"""A series as it is written."""

from __future__ import annotations

from puzzles.series.structure import LETTER, SeriesPuzzle


def written(values: tuple[int, ...], parts: tuple[str, ...] | list[str], separator: str) -> str:
    """Letters and numbers, one a part, with ``separator`` between them."""
    pairs = zip(values, parts, strict=True)
    return separator.join(chr(ord("A") + value) if part == LETTER else str(value) for value, part in pairs)


def shown_terms(structure: SeriesPuzzle) -> list[str]:
    """The terms in their order, ``?`` for the hidden one."""
    if structure.style == "terms":
        columns = list(zip(*structure.shown, strict=True))
        return ["?" if None in c else written(c, structure.parts, structure.separator) for c in columns]
    first, second = structure.shown
    mixed = [
        (value, part)
        for place in range(len(first))
        for row, part in zip((first, second), structure.parts, strict=True)
        for value in row[place : place + 1]
    ]
    return ["?" if value is None else written((value,), (part,), "") for value, part in mixed]
