"""Questions for a benchmark: distinct, of a realistic length, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from agents.core.schema import Question

PEOPLE = ("Asha", "Bruno", "Chen", "Dalia", "Emeka", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kavya", "Liam")
PLACES = ("the market", "the library", "a railway station", "the north gate", "an old harbour", "the school garden")
THINGS = ("a red bicycle", "three brass keys", "a letter", "two loaves of bread", "an umbrella", "a basket of figs")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
ASKED = ("Who arrives last?", "Who carries the lightest thing?", "Who cannot have met the others?")


def questions(seed: int) -> Iterator[Question]:
    """Yield different questions of 30 to 60 words with four choices of one to five words.

    Each opens with a random number, so that a cache finds no shared prefix."""
    draw = random.Random(seed)
    seen: set[str] = set()
    while True:
        names = draw.sample(PEOPLE, 4)
        clues = [
            f"{name} leaves {draw.choice(PLACES)} on {draw.choice(DAYS)} with {draw.choice(THINGS)}."
            for name in names[: draw.choice((3, 4))]
        ]
        text = " ".join([f"Day {draw.randrange(10**6)}.", *clues, draw.choice(ASKED)])
        if text in seen:
            continue
        seen.add(text)
        endings = draw.choices(("", " alone", " and a friend", " with the umbrella", " on the last day"), k=4)
        yield Question(text, tuple(name + ending for name, ending in zip(names, endings, strict=True)))
