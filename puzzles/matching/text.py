"""Matching puzzles in English: the attributes people are matched with, and the sentences about them."""

from __future__ import annotations

import random
from typing import NamedTuple

from puzzles.words import listed, sentence

Entity = tuple[int, int]
"""An attribute's place (0: the name) and a value's: whoever has that value."""


class Attribute(NamedTuple):
    """How an attribute is spoken of. ``{0}`` stands for whoever is meant, ``{v}`` for the value."""

    values: tuple[str, ...]
    has: str
    lacks: str
    holder: str
    question: str
    noun: str
    later: str = ""
    """``{0}`` has a later value than ``{1}``; empty where values have no order."""
    next: str = ""
    """``{0}`` has the value right after that of ``{1}``."""

    @property
    def ordered(self) -> bool:
        return bool(self.later)


ATTRIBUTES: dict[str, Attribute] = {
    "job": Attribute(
        ("doctor", "lawyer", "teacher", "pilot", "baker", "writer", "singer", "farmer", "nurse", "judge"),
        "{0} is the {v}", "{0} is not the {v}", "the {v}", "Which job does {0} have?", "job",
    ),
    "city": Attribute(
        ("Delhi", "Mumbai", "Paris", "London", "Rome", "Cairo", "Tokyo", "Lima", "Oslo", "Madrid"),
        "{0} lives in {v}", "{0} does not live in {v}", "the person from {v}", "Where does {0} live?", "city",
    ),
    "drink": Attribute(
        ("tea", "coffee", "milk", "juice", "water", "wine", "beer"),
        "{0} drinks {v}", "{0} does not drink {v}", "the {v} drinker", "What does {0} drink?", "drink",
    ),
    "sport": Attribute(
        ("tennis", "chess", "hockey", "golf", "football", "cricket", "rugby"),
        "{0} plays {v}", "{0} does not play {v}", "the {v} player", "What does {0} play?", "game",
    ),
    "pet": Attribute(
        ("cat", "dog", "horse", "rabbit", "parrot", "fish", "duck"),
        "{0} owns the {v}", "{0} does not own the {v}", "the {v} owner", "Which pet does {0} own?", "pet",
    ),
    "colour": Attribute(
        ("red", "blue", "green", "white", "black", "yellow", "pink"),
        "{0} wears {v}", "{0} does not wear {v}", "the person in {v}", "Which colour does {0} wear?", "colour",
    ),
    "day": Attribute(
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
        "{0} sings on {v}", "{0} does not sing on {v}", "the {v} singer", "On which day does {0} sing?", "day",
        "{0} sings later in the week than {1}", "{0} sings the day after {1}",
    ),
    "floor": Attribute(
        ("1", "2", "3", "4", "5"),
        "{0} lives on floor {v}", "{0} does not live on floor {v}", "the person on floor {v}",
        "On which floor does {0} live?", "floor", "{0} lives above {1}", "{0} lives immediately above {1}",
    ),
    "race": Attribute(
        ("first", "second", "third", "fourth", "fifth"),
        "{0} finishes {v}", "{0} does not finish {v}", "the person who finishes {v}", "Where does {0} finish?", "place",
        "{0} finishes after {1}", "{0} finishes immediately after {1}",
    ),
}  # fmt: skip

CLASHES = (("city", "floor"), ("job", "day"))
"""Attributes that would sound confused together."""

_PLURALS = {"city": "cities"}


class Speaker:
    """Says things about one frame: names in ``values[0]``, then each attribute's values."""

    def __init__(self, kinds: tuple[str, ...], values: tuple[tuple[str, ...], ...]) -> None:
        self.kinds, self.values = kinds, values

    def whoever(self, entity: Entity) -> str:
        """ "Ben", or "the doctor"."""
        attribute, value = entity
        text = self.values[attribute][value]
        return text if attribute == 0 else ATTRIBUTES[self.kinds[attribute - 1]].holder.format(v=text)

    def says(self, form: str, about: Entity, entity: Entity) -> str:
        """``form`` (``has`` or ``lacks``) of ``about`` and the value of ``entity``."""
        attribute, value = entity
        template: str = getattr(ATTRIBUTES[self.kinds[attribute - 1]], form)
        return template.format(self.whoever(about), v=self.values[attribute][value])

    def clue(self, clue: tuple[object, ...]) -> str:
        """A clue as a sentence: see ``puzzles.matching.family`` for the kinds."""
        kind, first, second, *rest = clue
        if kind in ("later", "next"):
            ordered = ATTRIBUTES[self.kinds[int(str(rest[0])) - 1]]
            return sentence(getattr(ordered, str(kind)).format(self.whoever(_e(first)), self.whoever(_e(second))))
        text = self.says("lacks" if kind == "not" else "has", _e(first), _e(second))
        if kind == "either":
            attribute, value = _e(rest[0])
            text += f" or {'floor ' if self.kinds[attribute - 1] == 'floor' else ''}{self.values[attribute][value]}"
        return sentence(text)

    def setting(self, rng: random.Random) -> str:
        """The opening: the people, and the values of each attribute."""
        names = rng.choice(("Consider {0}.", "{0} are friends.", "{0} are neighbours.", "{0} meet."))
        parts = [names.format(listed(self.values[0]))]
        for kind, values in zip(self.kinds, self.values[1:], strict=True):
            noun = ATTRIBUTES[kind].noun
            plural = _PLURALS.get(noun, noun + "s")
            shown = listed(values)
            parts.append(
                rng.choice((f"Each has a different {noun}: {shown}.", f"Their {plural}, in some order, are {shown}."))
            )
        return " ".join(parts)


def _e(value: object) -> Entity:
    assert isinstance(value, tuple)  # noqa: S101 - the clue's arguments are entities there
    return value[0], value[1]
