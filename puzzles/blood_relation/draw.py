"""How blood relation puzzles are drawn: chains and trees of links whose ends have a word for each other."""

from __future__ import annotations

import random
from typing import Any

from puzzles.blood_relation.chains import Step, endings, tree
from puzzles.blood_relation.kinship import LINKS, RELATIONS, different, holds, words_for
from puzzles.blood_relation.structure import (
    BloodRelationPuzzle,
    Fact,
    distance,
    require_every_fact,
    require_every_only,
    told_families,
)
from puzzles.blood_relation.text import SYMBOLS, names_for
from puzzles.family import shuffled_choices
from puzzles.puzzle import CHOICES, ProofError

MAX_TRIES = 30
"""Structures of one style tried in a draw, so that styles that rarely come to something are not crowded out."""


def draw_structure(rng: random.Random, low: float) -> BloodRelationPuzzle | None:
    """A structure of any style with links for a difficulty from ``low`` on; None where no try came to something."""
    # There are few coded puzzles of two links, and no easy ones of more.
    easy_styles = ("how",) * 3 + ("who",) * 5 + ("pointing",) * 3 + ("coded",)
    styles = ("how", "how", "who", "who", "coded", "which", "pointing", "pointing")
    style = rng.choice(easy_styles if low < 7.5 else styles)
    links = rng.choice((2, 3, 3, 4) if low < 7.5 else (3, 4, 5, 6) if low < 10.5 else (5, 6, 7, 8))
    for _ in range(MAX_TRIES):
        structure = {
            "how": lambda: _draw_how(rng, "how", links),
            "who": lambda: _draw_who(rng, links),
            "coded": lambda: _draw_how(rng, "coded", max(2, links - 3)),
            "which": lambda: _draw_which(rng, min(links, rng.choice((2, 3)))),
            "pointing": lambda: _draw_pointing(rng, links),
        }[style]()
        if structure is not None:
            return structure
    return None


def _near_words(rng: random.Random, key: str, gender: str | None, near: list[str]) -> list[str]:
    """Three words that say something else than ``key`` and fit the person's gender: the same on the other side, then
    those in ``near``, then any. None says more than a key without a side does."""
    gender = gender or rng.choice("MF")
    fit = [word for word, relation in RELATIONS.items() if relation.gender in (gender, None)]
    fit = [word for word in fit if different(key, word) and (RELATIONS[key].side or not RELATIONS[word].side)]
    twin = [word for word in fit if RELATIONS[word].basic == RELATIONS[key].basic]
    likely = [word for word in near if word in fit]
    return list(dict.fromkeys([*twin, *rng.sample(likely, len(likely)), *rng.sample(fit, len(fit))]))[: CHOICES - 1]


def _chain(rng: random.Random, links: int, forward: bool) -> list[Fact] | None:
    """A chain of facts from person 0 to person ``links``; all read from left to right if ``forward``. On the way the
    two ends always have a word for what they are to each other; None where that leads nowhere."""
    facts: list[Fact] = []
    for place in range(links):
        for name in rng.sample(sorted(LINKS), len(LINKS)):
            pair = (place, place + 1) if forward or rng.random() < 0.5 else (place + 1, place)
            kin = tree(place + 2, [*facts, (name, *pair)])
            if kin and (words_for(kin, 0, place + 1) or words_for(kin, place + 1, 0)):
                facts.append((name, *pair))
                break
        else:
            return None
    return facts


def _draw_how(rng: random.Random, style: str, links: int) -> BloodRelationPuzzle | None:
    facts = _chain(rng, links, style == "coded")
    kin = tree(links + 1, facts) if facts else None
    if facts is None or kin is None:
        return None
    a, b = (0, links) if style == "coded" or rng.random() < 0.5 else (links, 0)
    words = words_for(kin, a, b)
    if not words:
        return None
    key = rng.choice(words)
    near: list[str] = []
    for place, (name, x, y) in enumerate(facts):
        for other in LINKS:
            if other != name and LINKS[other][1] == LINKS[name][1]:
                slip = tree(links + 1, [*facts[:place], (other, x, y), *facts[place + 1 :]])
                near += words_for(slip, a, b) if slip else []
    used = sorted({name for name, _, _ in facts})
    codes = tuple(zip(used, rng.sample(SYMBOLS, len(used)), strict=True)) if style == "coded" else ()
    choices, place = shuffled_choices(rng, key, _near_words(rng, key, kin.gender[a], near))
    shown = facts if style == "coded" else rng.sample(facts, links)
    return BloodRelationPuzzle(
        style=style,
        names=names_for(rng, kin.gender),
        facts=tuple(shown),
        codes=codes,
        speaker="",
        steps=(),
        question=("how", a, b),
        choices=choices,
        key=place,
        wording=rng.randrange(1 << 30),
    )


def _draw_who(rng: random.Random, links: int) -> BloodRelationPuzzle | None:
    people = max(5, links + 2)
    facts: list[Fact] = []
    for new in range(1, people):
        old = rng.randrange(new)
        pair = (old, new) if rng.random() < 0.5 else (new, old)
        facts.append((rng.choice(sorted(LINKS)), *pair))
    kin = tree(people, facts)
    if kin is None:
        return None
    b = rng.randrange(people)
    words = {p: words_for(kin, p, b) for p in range(people) if p != b}
    known = [p for p in words if words[p]]
    far = [p for p in known if distance(facts, b, p) >= links]
    if len(known) < CHOICES or not far:
        return None
    key = rng.choice(far)
    word = rng.choice(words[key])
    others = [p for p in known if p != key and any(different(word, w) for w in words[p]) and word not in words[p]]
    if len(others) < CHOICES - 1:
        return None
    choices, place = shuffled_choices(rng, key, rng.sample(others, CHOICES - 1))
    structure = BloodRelationPuzzle(
        style="who",
        names=names_for(rng, kin.gender),
        facts=tuple(rng.sample(facts, len(facts))),
        codes=(),
        speaker="",
        steps=(),
        question=("who", b, word),
        choices=choices,
        key=place,
        wording=rng.randrange(1 << 30),
    )
    try:
        require_every_fact(structure)
    except ProofError:
        return None
    return structure


def _draw_which(rng: random.Random, links: int) -> BloodRelationPuzzle | None:
    coded = sorted(rng.sample(sorted(LINKS), rng.choice((3, 4)) if links == 2 else 3))

    def draw() -> tuple[Fact, ...]:
        return tuple((rng.choice(coded), place, place + 1) for place in range(links))

    key = draw()
    kin = tree(links + 1, key)
    words = words_for(kin, 0, links) if kin else []
    if not words:
        return None
    word = rng.choice(words)
    others: list[tuple[Fact, ...]] = []
    for _ in range(30):
        facts = draw()
        other = tree(links + 1, facts)
        if facts not in (key, *others) and other and words_for(other, 0, links) and not holds(other, word, 0, links):
            others.append(facts)
    if len(others) < CHOICES - 1:
        return None
    choices, place = shuffled_choices(rng, key, others[: CHOICES - 1])
    used = {name for facts in choices for name, _, _ in facts}
    if used != set(coded):
        return None
    return BloodRelationPuzzle(
        style="which",
        names=names_for(rng, [None] * (links + 1)),
        facts=(),
        codes=tuple(zip(coded, rng.sample(SYMBOLS, len(coded)), strict=True)),
        speaker="",
        steps=(),
        question=("which", 0, links, word),
        choices=choices,
        key=place,
        wording=rng.randrange(1 << 30),
    )


def _draw_pointing(rng: random.Random, links: int) -> BloodRelationPuzzle | None:
    speaker = rng.choice("MF")
    steps: tuple[Step, ...] = ()
    for _ in range(links):
        for link in rng.sample(sorted(LINKS), len(LINKS)):
            if steps and LINKS[link][0] == LINKS[steps[-1][0]][0] == "spouse":
                continue
            only = LINKS[link][0] in ("child", "sibling") and rng.random() < 0.4
            more = (*steps, (link, only))
            if all(e.end == 0 or words_for(e.kin, e.end, 0) for e in endings(speaker, more)):
                steps = more
                break
        else:
            return None
    question = ("how", 1, 0) if rng.random() < 0.7 else ("how", 0, 1)
    told = told_families(speaker, steps, question)
    if not told:
        return None
    words = [
        word for word in words_for(told[0].kin, *question[1:]) if all(holds(e.kin, word, *question[1:]) for e in told)
    ]
    if not words:
        return None
    key = rng.choice(words)
    near = [word for place in range(len(steps)) for word in _slipped(speaker, steps, place, question)]
    choices, place = shuffled_choices(rng, key, _near_words(rng, key, told[0].kin.gender[question[1]], near))
    structure = BloodRelationPuzzle(
        style="pointing",
        names=(),
        facts=(),
        codes=(),
        speaker=speaker,
        steps=steps,
        question=question,
        choices=choices,
        key=place,
        wording=rng.randrange(1 << 30),
    )
    try:
        require_every_only(structure)
    except ProofError:
        return None
    return structure


def _slipped(speaker: str, steps: tuple[Step, ...], place: int, question: tuple[Any, ...]) -> list[str]:
    """Words for what a solver finds who skips one step."""
    told = told_families(speaker, (*steps[:place], *steps[place + 1 :]), question)
    return [word for ending in told for word in words_for(ending.kin, *question[1:])]
