"""Wrong choices for a question that was published with an answer only: the answers of other questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from training.sources.answer_types import normalise
from training.sources.latex import Value, same_value
from training.support.reservoir import Reservoir

DISTRACTORS = 3
ANSWERS_A_TYPE = 2_000
"""Answers the pool keeps of each type: enough variety, and a bound on memory (about 1 KB an answer with aliases)."""


@dataclass(frozen=True)
class OpenAnswer:
    """An answer of its question.

    ``forms`` holds every accepted wording in normal form, ``value`` the number it stands for where it is one.
    ``kin`` says which answers of the same ``type`` are closest: the noun asked for, the order of magnitude. ``words``
    are those of an answer in plain language, in normal form; a formula has none.
    """

    text: str
    type: str
    forms: frozenset[str]
    kin: str = ""
    value: Value | None = None
    words: tuple[str, ...] = ()

    def is_same(self, other: OpenAnswer) -> bool:
        """Whether one could be taken for the other: a shared wording, an equal value, or one contained in the other."""
        if self.forms & other.forms or same_value(self.value, other.value):
            return True
        mine, others = set(self.words), set(other.words)
        return bool(mine and others) and (mine <= others or others <= mine)


class AnswerPool:
    """A seeded sample of a stream's answers by type.

    Repeated answers are sampled as often as they occur: were each kept once, a common answer would be the key more
    often than a distractor, and so could be guessed.
    """

    def __init__(self, answers: Iterable[OpenAnswer], *, seed: int, capacity: int = ANSWERS_A_TYPE) -> None:
        random = Random(seed)  # noqa: S311
        reservoirs: defaultdict[str, Reservoir[OpenAnswer]] = defaultdict(lambda: Reservoir(capacity, random))
        for answer in answers:
            reservoirs[answer.type].add(answer)
        self._by_type = {name: reservoir.items for name, reservoir in reservoirs.items()}
        self._by_kin: defaultdict[tuple[str, str], list[OpenAnswer]] = defaultdict(list)
        for name, items in self._by_type.items():
            for answer in items:
                self._by_kin[name, answer.kin].append(answer)

    def distractors(self, key: OpenAnswer, question: str, random: Random) -> list[str] | None:
        """``DISTRACTORS`` texts of the key's type, none the same as the key or as another; None when there are too few.

        Kin of the key come first. An answer in words that the question itself contains is passed over: it would be
        ruled out at a glance.
        """
        asked = f" {normalise(question)} "
        chosen: list[OpenAnswer] = []
        kin, others = self._by_kin.get((key.type, key.kin), []), self._by_type.get(key.type, [])
        for candidate in chain(_shuffled(kin, random), _shuffled(others, random)):
            if any(candidate.is_same(taken) for taken in (key, *chosen)):
                continue
            if candidate.words and f" {' '.join(candidate.words)} " in asked:
                continue
            chosen.append(candidate)
            if len(chosen) == DISTRACTORS:
                return [answer.text for answer in chosen]
        return None


def _shuffled(items: Sequence[OpenAnswer], random: Random) -> Iterator[OpenAnswer]:
    """The items in random order, one swap an item: a few are wanted of thousands."""
    moved: dict[int, int] = {}
    for place in range(len(items)):
        drawn = random.randrange(place, len(items))
        yield items[moved.get(drawn, drawn)]
        moved[drawn] = moved.get(place, place)
