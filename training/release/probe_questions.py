"""Questions that golden probes can be recorded on where a release's own rows are too few, or gone."""

from __future__ import annotations

from agents.core.schema import Question

PROBE_QUESTIONS = tuple(
    Question(text, choices)
    for text, choices in (
        ("Which animal lays eggs?", ("cow", "hen", "dog", "horse")),
        ("What do plants take in from the air?", ("carbon dioxide", "iron", "salt", "sugar")),
        ("Which planet is closest to the Sun?", ("Mars", "Mercury", "Saturn", "Earth")),
        ("What is seven times eight?", ("54", "56", "63", "48")),
        ("Where would you keep milk cold?", ("in an oven", "in a fridge", "on a roof", "in a drawer")),
        ("Which of these is a metal?", ("copper", "wood", "glass", "wool")),
        ("What does a thermometer measure?", ("weight", "length", "temperature", "speed")),
        ("Tom is taller than Ann, and Ann is taller than Bob. Who is the shortest?", ("Tom", "Ann", "Bob", "none")),
        ("What comes next: 2, 4, 8, 16?", ("18", "20", "24", "32")),
        ("Why do people wear coats in winter?", ("to stay warm", "to run faster", "to see better", "to sleep")),
        ("Which organ pumps blood?", ("the lung", "the heart", "the liver", "the skin")),
        ("What is frozen water called?", ("steam", "ice", "sand", "oil")),
        ("Which word means the opposite of early?", ("late", "soon", "fast", "new")),
        ("If all cats are animals, which sentence is true?", ("No cat is an animal", "Some animals are cats")),
        ("What makes a shadow?", ("light that is blocked", "a loud noise", "cold air", "a strong smell")),
        ("Who is your mother's sister?", ("your aunt", "your niece", "your cousin", "your uncle")),
    )
)
"""Sixteen short ones of different kinds: a start replays them all, so their tokens cost time on every machine."""
