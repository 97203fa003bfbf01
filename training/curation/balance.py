"""Balanced keys: choices permuted so that every letter is the key equally often."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from agents.core.schema import Question

# "All of the above" or "Both A and B" say something else once the choices have moved.
_REFERS_TO_PLACE = re.compile(
    r"\b[Tt]he above\b|\b(?:[Cc]hoice|[Oo]ption|[Aa]nswer)s? \(?[A-J]\b|\(?\b[A-J]\)? (?:and|or|nor|&) \(?[A-J]\b"
)


def refers_to_place(question: Question) -> bool:
    """Whether a choice means other choices by their place or letter, so that the order must stay."""
    return any(_REFERS_TO_PLACE.search(choice) for choice in question.choices)


def balance_keys(splits: Sequence[Sequence[Question]], seed: int) -> list[list[Question]]:
    """The same questions with permuted choices: for each number of choices, letter counts differ by at most one.

    That holds in every split and in all of them together. Rows that refer to places keep their order and count towards
    the balance; only when one letter has more of those than its share can a count be further off.
    """
    rng = random.Random(seed)  # noqa: S311
    balanced = [list(split) for split in splits]
    for count in sorted({len(question.choices) for split in splits for question in split}):
        first = rng.randrange(count)
        for split in balanced:
            places = [i for i, question in enumerate(split) if len(question.choices) == count]
            # Letters are dealt in a circle that goes on in the next split: any stretch of a circle is balanced.
            dealt = [(first + i) % count for i in range(len(places))]
            first = (first + len(places)) % count
            movable = [i for i in places if not refers_to_place(split[i])]
            fixed = Counter(_key(split[i]) for i in places) - Counter(_key(split[i]) for i in movable)
            keys = sorted((Counter(dealt) - fixed).elements())
            rng.shuffle(keys)
            # Where the fixed rows exceed a letter's share, fewer rows are left than letters were dealt.
            for i, key in zip(movable, keys, strict=False):
                split[i] = _with_key_at(split[i], key, rng)
    return balanced


def _key(question: Question) -> int:
    if question.key is None:
        raise ValueError("a question without a key")
    return question.key


def _with_key_at(question: Question, place: int, rng: random.Random) -> Question:
    order = [i for i in range(len(question.choices)) if i != question.key]
    rng.shuffle(order)
    order.insert(place, _key(question))
    return question.permuted(order)
