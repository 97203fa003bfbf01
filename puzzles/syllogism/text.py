"""Syllogisms in English. Terms are plural nouns; no form needs a singular."""

from __future__ import annotations

import random
from typing import Any

from puzzles.syllogism.logic import Proposition
from puzzles.words import listed

TERMS = (
    "cats", "dogs", "birds", "trees", "rivers", "roads", "books", "pens", "chairs", "tables", "doors", "keys", "lamps",
    "cups", "plates", "cars", "trains", "ships", "boats", "planes", "stars", "moons", "clouds", "stones", "bricks",
    "walls", "roofs", "towers", "bridges", "singers", "dancers", "doctors", "lawyers", "teachers", "painters",
    "writers", "poets", "kings", "queens", "apples", "grapes", "oranges", "lions", "bears", "wolves", "horses",
    "shirts", "coats", "shoes", "hats", "rings", "coins", "notes", "cards", "games", "songs", "films", "stories",
    "roses", "seeds", "leaves", "fruits", "tools", "nails", "clocks", "watches", "bells", "drums", "phones", "tablets",
    "cameras", "radios", "engines", "wheels",
)  # fmt: skip

_FORMS: dict[str, tuple[str, ...]] = {
    "all": ("All {0} are {1}", "All the {0} are {1}"),
    "no": ("No {0} are {1}", "None of the {0} are {1}"),
    "some": ("Some {0} are {1}", "Some {0} are {1}", "At least some {0} are {1}", "A few {0} are {1}"),
    "some not": ("Some {0} are not {1}",),
    "only": ("Only {0} are {1}",),
    "few": ("Only a few {0} are {1}",),
    "may all": ("All {0} being {1} is a possibility",),
    "may some": ("Some {0} being {1} is a possibility",),
}

_VERDICTS = {
    "I": "Only conclusion I follows",
    "II": "Only conclusion II follows",
    "both": "Both conclusions follow",
    "neither": "Neither conclusion follows",
    "either": "Either conclusion I or II follows",
}
_NUMERALS = ("I", "II", "III")

_QUESTIONS = {
    "verdict": ("Which of the conclusions follow?", "What follows?"),
    "subset": ("Which of the conclusions follow?", "What follows?"),
    "must": ("Which conclusion follows?", "Which of these must be true?"),
    "cannot": ("Which of these cannot be true?", "Which statement is certainly false?"),
    "need not": ("Which conclusion does not follow?", "Which of these need not be true?"),
    "may": ("Which of these is possible?", "Which of these can be true?"),
}


def say(proposition: Proposition, terms: tuple[str, ...], rng: random.Random | None = None) -> str:
    """A proposition as a sentence without full stop: in its plainest form unless ``rng`` chooses."""
    kind, x, y = proposition
    forms = _FORMS[kind]
    return (rng.choice(forms) if rng else forms[0]).format(terms[x], terms[y])


def question_text(
    kind: str,
    premises: tuple[Proposition, ...],
    conclusions: tuple[Proposition, ...],
    terms: tuple[str, ...],
    rng: random.Random,
) -> str:
    """The whole question."""
    said = [say(premise, terms, rng) for premise in premises]
    style = rng.randrange(3)
    if style == 0:
        parts = ["Statements: " + ". ".join(said) + "."]
    elif style == 1:
        parts = [". ".join(said) + "."]
    else:
        parts = [" ".join(f"({place}) {text}." for place, text in enumerate(said, 1))]
    if conclusions:
        shown = " ".join(f"{_NUMERALS[i]}. {say(c, terms)}." for i, c in enumerate(conclusions))
        parts.append(f"Conclusions: {shown}")
    parts.append(rng.choice(_QUESTIONS[kind]))
    return " ".join(parts)


def choice_text(kind: str, value: Any, terms: tuple[str, ...]) -> str:
    """A choice's text."""
    if kind == "verdict":
        return _VERDICTS[value]
    if kind == "subset":
        if not value:
            return "None of them"
        return "All three" if len(value) == len(_NUMERALS) else f"Only {listed([_NUMERALS[i] for i in value])}"
    return say(value, terms)
