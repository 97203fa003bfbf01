"""Blood relation puzzles in English."""

from __future__ import annotations

import random
from collections.abc import Sequence

from puzzles.blood_relation.chains import Facts, Step
from puzzles.blood_relation.kinship import FEMALE, MALE
from puzzles.words import MEN, WOMEN, listed

_LETTERS = "ABCDEFGHJKLM"
SYMBOLS = ("+", "-", "*", "@", "#", "$", "%", "&")

_PERSON = {MALE: "man", FEMALE: "woman"}
_PRONOUN = {MALE: "he", FEMALE: "she"}
_OBJECT = {MALE: "him", FEMALE: "her"}


def names_for(rng: random.Random, genders: Sequence[str | None]) -> tuple[str, ...]:
    """Letters, or first names that fit the genders where all are known."""
    if None in genders or rng.random() < 0.4:
        return tuple(rng.sample(_LETTERS[: len(genders)], len(genders)))
    men, women = rng.sample(MEN, len(genders)), rng.sample(WOMEN, len(genders))
    return tuple(men[i] if gender == MALE else women[i] for i, gender in enumerate(genders))


def facts_text(facts: Facts, names: tuple[str, ...], rng: random.Random) -> str:
    """The facts as sentences."""
    forms = ("{a} is the {link} of {b}.", "{a} is {b}'s {link}.", "{a} is the {link} of {b}.")
    return " ".join(rng.choice(forms).format(a=names[a], b=names[b], link=link) for link, a, b in facts)


def expression(facts: Facts, names: tuple[str, ...], codes: dict[str, str]) -> str:
    """A chain of coded facts: "A + B - C"."""
    parts = [names[facts[0][1]]]
    for link, _, b in facts:
        parts += [codes[link], names[b]]
    return " ".join(parts)


def codes_text(codes: dict[str, str], rng: random.Random) -> str:
    """What each symbol means."""
    if rng.random() < 0.5:
        meanings = [f"P {symbol} Q means that P is the {link} of Q" for link, symbol in codes.items()]
        return "; ".join(meanings) + "."
    return "In a code, " + listed([f'{symbol} means "is the {link} of"' for link, symbol in codes.items()]) + "."


def chain_text(steps: Sequence[Step], rng: random.Random) -> str:
    """ "the only son of my mother's brother": the last step first, in one of several ways to say it."""
    words = [("only " if only else "") + link for link, only in steps]
    # The first steps hang together by "'s", the others by "of".
    joined = rng.randint(1, len(words))
    text = "my " + "'s ".join(words[:joined])
    for word in words[joined:]:
        text = f"the {word} of {text}"
    return text


def pointing_text(speaker: str, person: str, steps: Sequence[Step], asked_back: bool, rng: random.Random) -> str:
    """The whole question. ``asked_back``: how is the speaker related to the other person?"""
    he, him = _PRONOUN[person], _OBJECT[person]
    scene = rng.choice(
        (
            f"Pointing to a {_PERSON[person]}, a {_PERSON[speaker]} says",
            f"Pointing to a photograph of a {_PERSON[person]}, a {_PERSON[speaker]} says",
            f"A {_PERSON[speaker]} introduces a {_PERSON[person]}, saying",
        )
    )
    said = f'{scene}, "{he.capitalize()} is {chain_text(steps, rng)}."'
    if asked_back:
        return f"{said} How is the speaker related to {him}?"
    if speaker == person:
        return f"{said} How is that {_PERSON[person]} related to the speaker?"
    return f"{said} How is {he} related to {_OBJECT[speaker]}?"
