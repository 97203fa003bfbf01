"""Matching: people, each with a value of one or two attributes, no value shared.

Clues: ``is e f`` (whoever has e has f), ``not e f``, ``either e f g`` (f or g), ``later e f attribute`` and ``next e f
attribute`` for attributes with an order. Questions: ``who e``, ``what e attribute``, ``pair`` (which pairing is right).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from puzzles.clue_puzzles import draw_clues, prove_by_models, weighted_order
from puzzles.family import Proof, Text
from puzzles.fingerprint import fingerprint
from puzzles.matching.frame import MatchingFrame, matching_frame
from puzzles.matching.structure import Clue, MatchingPuzzle
from puzzles.matching.text import ATTRIBUTES, CLASHES, Entity, Speaker
from puzzles.words import listed, people, sentence

MAX_CLUES = 7


class Matching:
    """See the module."""

    name = "matching"
    topics = ("Matching-type Puzzles",)
    reach = (4.0, 13.0)
    structure = MatchingPuzzle

    def draw(self, rng: random.Random, low: float, high: float) -> MatchingPuzzle | None:
        number, attributes = rng.choice(_sizes(low))
        kinds = self._kinds(rng, attributes)
        frame = matching_frame(number, attributes)
        solution = 1 << rng.randrange(len(frame.space))
        statements = ((clue, frame.mask(clue), weight) for clue, weight in self._candidates(frame, kinds, rng))
        candidates = weighted_order(rng, (item for item in statements if item[1] & solution))
        question = self._question(frame, rng)
        offered = {value: frame.holds(question, value) for value in frame.values(question)}
        keys = [value for value, mask in offered.items() if mask & solution]
        drawn = draw_clues(rng, candidates, offered, rng.choice(keys), "is", frame.space.everything, MAX_CLUES)
        if drawn is None or _repeats_a_pair(drawn.clues):
            return None
        pools = [ATTRIBUTES[kind].values for kind in kinds]
        values = [
            pool[:number] if ATTRIBUTES[kind].ordered else tuple(rng.sample(pool, number))
            for kind, pool in zip(kinds, pools, strict=True)
        ]
        return MatchingPuzzle(
            kinds=kinds,
            values=(people(rng, number), *values),
            clues=drawn.clues,
            question=question,
            choices=drawn.choices,
            key=drawn.key,
            wording=rng.randrange(1 << 30),
        )

    def prove(self, structure: MatchingPuzzle) -> Proof:
        """A step is a clue, or a second person that the question goes through; an alternative a way to match."""
        frame = matching_frame(len(structure.values[0]), len(structure.kinds))
        masks = [frame.mask(clue) for clue in structure.clues]
        choices = [frame.holds(structure.question, value) for value in structure.choices]
        through = structure.question[0] == "what" and structure.question[1][0] != 0
        return prove_by_models(frame.space, masks, choices, structure.key, "is", len(masks) + through)

    def render(self, structure: MatchingPuzzle) -> Text:
        rng = random.Random(structure.wording)
        speaker = Speaker(structure.kinds, structure.values)
        parts = [speaker.setting(rng), *map(speaker.clue, structure.clues), self._ask(structure, speaker)]
        return Text(" ".join(parts), tuple(self._choice(structure, speaker, value) for value in structure.choices))

    def explain(self, structure: MatchingPuzzle, proof: Proof) -> str:
        found = proof.findings
        number = len(structure.values[0])
        speaker = Speaker(structure.kinds, structure.values)
        counts = [f"{count:,}" for count in found["narrowing"]]
        rows = [
            f"{name}: {', '.join(v[found['witness'][a * number + p]] for a, v in enumerate(structure.values[1:]))}"
            for p, name in enumerate(structure.values[0])
        ]
        only = "the only one" if found["models"] == 1 else f"one of the {found['models']}, which agree on the answer"
        answer = self._choice(structure, speaker, structure.choices[structure.key]).rstrip(".")
        return (
            f"Of {counts[0]} ways to match, the clues, the sharpest first, leave {listed(counts[1:])}. This is {only}: "
            f"{'; '.join(rows)}. So the answer is: {answer}."
        )

    def fingerprint(self, structure: MatchingPuzzle) -> str:
        number = len(structure.values[0])

        def thing(entity: Entity) -> int:
            return entity[0] * number + entity[1]

        statements: list[tuple[str, tuple[int, ...]]] = []
        for attribute in range(len(structure.kinds) + 1):
            ordered = attribute > 0 and ATTRIBUTES[structure.kinds[attribute - 1]].ordered
            for value in range(number):
                label = "person" if attribute == 0 else f"value {value if ordered else ''}"
                statements.append((label, (-1 - attribute, thing((attribute, value)))))
        for kind, e, *others in structure.clues:
            label = f"{'=' if kind in ('is', 'not') else ''}clue {kind}"
            statements += [(label, (thing(e), thing(f))) for f in others if isinstance(f, tuple)]
        kind, *rest = structure.question
        about = (thing(rest[0]), *(-1 - a for a in rest[1:])) if rest else ()
        statements.append((f"ask {kind}", about))
        return fingerprint(statements)

    @staticmethod
    def _kinds(rng: random.Random, attributes: int) -> tuple[str, ...]:
        ordered = [kind for kind, attribute in ATTRIBUTES.items() if attribute.ordered]
        if attributes == 1:
            return (rng.choice(ordered),)
        while True:
            kinds = tuple(rng.sample(sorted(ATTRIBUTES), attributes))
            both = set(kinds)
            if not any(both >= set(clash) for clash in CLASHES) and not both <= set(ordered):
                return kinds

    @staticmethod
    def _candidates(frame: MatchingFrame, kinds: tuple[str, ...], rng: random.Random) -> Iterator[tuple[Clue, float]]:
        number = frame.people
        entities = [(a, v) for a in range(frame.attributes + 1) for v in range(number)]
        for e, f in product(entities, repeat=2):
            if e[0] < f[0]:
                yield ("is", e, f), 0.5
                yield ("not", e, f), 0.8
                yield ("either", e, f, (f[0], rng.choice([v for v in range(number) if v != f[1]]))), 0.3
            for attribute, kind in enumerate(kinds, 1):
                if ATTRIBUTES[kind].ordered and e != f and attribute not in (e[0], f[0]):
                    yield ("later", e, f, attribute), 0.4
                    yield ("next", e, f, attribute), 0.6

    @staticmethod
    def _question(frame: MatchingFrame, rng: random.Random) -> tuple[Any, ...]:
        kind = rng.choice(("who", "what", "what", "pair"))
        entities = [(a, v) for a in range(frame.attributes + 1) for v in range(frame.people)]
        if kind == "pair":
            return ("pair",)
        if kind == "who":
            return ("who", rng.choice(entities[frame.people :]))
        entity = rng.choice(entities)
        attributes = [a for a in range(1, frame.attributes + 1) if a != entity[0]]
        return ("what", entity, rng.choice(attributes)) if attributes else ("who", entity)

    @staticmethod
    def _ask(structure: MatchingPuzzle, speaker: Speaker) -> str:
        kind, *rest = structure.question
        if kind == "pair":
            return random.Random(structure.wording + 1).choice(
                ("Which of these is correct?", "Which statement is true?")
            )
        if kind == "who":
            return f"Who {speaker.says('has', (0, 0), rest[0])[len(structure.values[0][0]) + 1 :]}?"
        return ATTRIBUTES[structure.kinds[rest[1] - 1]].question.format(speaker.whoever(rest[0]))

    @staticmethod
    def _choice(structure: MatchingPuzzle, speaker: Speaker, value: Any) -> str:
        kind, *rest = structure.question
        if kind == "pair":
            return sentence(speaker.says("has", *value))
        if kind == "who":
            return structure.values[0][int(value)]
        text: str = structure.values[rest[1]][value]
        return f"Floor {text}" if structure.kinds[rest[1] - 1] == "floor" else text[0].upper() + text[1:]


def _sizes(low: float) -> tuple[tuple[int, int], ...]:
    """People and attributes fit for a difficulty from ``low`` on."""
    if low < 7.5:
        return (5, 1), (5, 1), (4, 2)
    return ((4, 2), (4, 2), (5, 1)) if low < 10.5 else ((4, 2), (5, 2))


def _repeats_a_pair(clues: tuple[Clue, ...]) -> bool:
    """Whether two clues are about the same pair ("is red or blue", "is not red"): proved, but clumsy."""
    pairs = [frozenset((e, f)) for kind, e, *others in clues for f in others if kind in ("is", "not", "either")]
    return len(set(pairs)) < len(pairs)
