"""Truth-tellers and liars, and its kin: one of several people did it, and some of what they say is true.

Clues: ``says s statement`` (which is true exactly if s tells the truth), ``liars k`` and ``true k`` (how many lie; how
many statements are true). Statements: ``is p v`` (v 1: tells the truth), ``same p q``, ``differ p q``, ``count k``,
``least k``, ``most k`` (exactly, at least, at most k lie), ``odd`` (an odd number do), ``among k p q r`` (exactly k of
the three do), ``and p v q w``, ``or p v q w``; with a culprit also ``did p``, ``didnt p``, ``didone p q``. Questions:
``truthful`` (who are all of them), ``who v``, ``count``, ``pair p q``, ``culprit``.
"""

from __future__ import annotations

import random
from typing import Any

from puzzles.clue_puzzles import draw_clues, prove_by_models
from puzzles.family import Proof, Text
from puzzles.fingerprint import fingerprint
from puzzles.truth_teller.frame import TruthTellerFrame, truth_teller_frame
from puzzles.truth_teller.structure import Clue, Statement, TruthTellerPuzzle
from puzzles.truth_teller.text import DEEDS, KINDS, Voice
from puzzles.words import listed, people

FACTS = {"and": 2, "or": 2, "among": 2}
"""Elementary facts a statement says, where it is not one."""

KINDS_OF_STATEMENT = ("is", "is", "same", "differ", "count", "least", "most", "odd", "and", "or", "among")


class TruthTellers:
    """See the module."""

    name = "truth_teller"
    topics = ("Truth-teller and Liar Problems",)
    reach = (4.0, 12.0)
    structure = TruthTellerPuzzle

    def draw(self, rng: random.Random, low: float, high: float) -> TruthTellerPuzzle | None:
        culprit = rng.random() < 0.3
        number = rng.choice((3, 4, 5, 5, 5) if low < 7.5 else (4, 5) if low < 10.5 else (5, 6))
        if culprit:
            number = max(4, min(5, number))
        frame = truth_teller_frame(number, culprit)
        index = rng.randrange(len(frame.space))
        solution = frame.space.model(index)
        clues = self._clues(rng, frame, solution, culprit, long=low >= 10.5)
        question = self._question(rng, number, culprit)
        offered = {value: frame.holds(question, value) for value in frame.values(question)}
        keys = [value for value, mask in offered.items() if mask >> index & 1]
        if not keys:
            return None
        candidates = [(clue, frame.mask(clue)) for clue in clues]
        drawn = draw_clues(rng, candidates, offered, rng.choice(keys), "is", frame.space.everything, number + 1)
        if drawn is None:
            return None
        if culprit and len(drawn.clues) <= number:  # everybody's statement counts among the true ones
            return None
        return TruthTellerPuzzle(
            names=people(rng, number),
            word=rng.choice(sorted(KINDS)),
            deed=rng.choice(DEEDS) if culprit else "",
            clues=self._ordered(drawn.clues),
            question=question,
            choices=drawn.choices,
            key=drawn.key,
            wording=rng.randrange(1 << 30),
        )

    def prove(self, structure: TruthTellerPuzzle) -> Proof:
        """A step is an elementary fact of a statement, or a count that is told; an alternative a way to lie or not."""
        frame = truth_teller_frame(len(structure.names), bool(structure.deed))
        masks = [frame.mask(clue) for clue in structure.clues]
        choices = [frame.holds(structure.question, value) for value in structure.choices]
        depth = sum(FACTS.get(clue[2][0], 1) if clue[0] == "says" else 1 for clue in structure.clues)
        return prove_by_models(frame.space, masks, choices, structure.key, "is", depth)

    def render(self, structure: TruthTellerPuzzle) -> Text:
        rng = random.Random(structure.wording)
        voice = Voice(structure.names, structure.word, structure.deed)
        parts = [voice.setting(rng), *(voice.clue(clue, rng) for clue in structure.clues)]
        parts.append(voice.question(structure.question))
        return Text(" ".join(parts), tuple(voice.choice(structure.question, value) for value in structure.choices))

    def explain(self, structure: TruthTellerPuzzle, proof: Proof) -> str:
        found = proof.findings
        voice = Voice(structure.names, structure.word, structure.deed)
        counts = [f"{count:,}" for count in found["narrowing"]]
        witness = found["witness"]
        true = [name for name, value in zip(structure.names, witness, strict=False) if value]
        false = [name for name in structure.names if name not in true]
        answer = voice.choice(structure.question, structure.choices[structure.key])
        only = "this" if found["models"] == 1 else "for example this"
        speaking = "truth from" if structure.deed else voice.kinds(1, 2) + ":"
        lying = "no truth from" if structure.deed else voice.kinds(0, 2) + ":"
        case = "; ".join(f"{word} {listed(names)}" for word, names in ((speaking, true), (lying, false)) if names)
        agree = "So" if found["models"] == 1 else "All of them agree that"
        return (
            f"Of {counts[0]} cases the statements, the sharpest first, leave {listed(counts[1:])}, {only}: {case}. "
            f"In every other case a true statement is a liar's, a false one a truth-teller's, or a count is off. "
            f"{agree} the answer is: {answer}."
        )

    def fingerprint(self, structure: TruthTellerPuzzle) -> str:
        statements: list[tuple[str, tuple[int, ...]]] = [("person", (p,)) for p in range(len(structure.names))]
        for clue in structure.clues:
            if clue[0] != "says":
                statements.append((f"{clue}", ()))
                continue
            kind, *a = clue[2]
            speaker = clue[1]
            if kind in ("and", "or"):
                statements += [(f"{kind} {v}", (speaker, p)) for p, v in ((a[0], a[1]), (a[2], a[3]))]
            elif kind in ("same", "differ", "didone"):
                statements += [(kind, (speaker, p)) for p in a]
            elif kind == "among":
                statements += [(f"{kind} {a[0]}", (speaker, p)) for p in a[1:]]
            else:
                things = 0 if kind in ("count", "least", "most", "odd") else 1
                statements.append((f"{kind} {a[things:]}", (speaker, *a[:things])))
        kind, *a = structure.question
        pair = kind == "pair"
        statements.append((f"=ask {kind} {'' if pair else a}", tuple(a) if pair else ()))
        return fingerprint(statements)

    @staticmethod
    def _ordered(clues: tuple[Clue, ...]) -> tuple[Clue, ...]:
        """Statements in their order by speaker's place in the draw, what is told of all of them last."""
        return tuple(sorted(clues, key=lambda clue: (clue[0] != "says", clue[1])))

    @staticmethod
    def _clues(
        rng: random.Random, frame: TruthTellerFrame, solution: tuple[int, ...], culprit: bool, long: bool
    ) -> list[Clue]:
        """One statement by each person, true or false as ``solution`` wants it, and perhaps a count; ``long`` ones of
        two facts mostly, those that tell least first, so that more of them are needed."""
        everyone = range(frame.people)
        lies = frame.people - sum(solution[: frame.people])
        clues: list[Clue] = []
        bit = 1 << frame.space.index(solution)
        for speaker in rng.sample(everyone, frame.people):
            for _ in range(20):
                statement = _statement(rng, speaker, frame.people, culprit, long and rng.random() < 0.8)
                if bool(frame.told(statement) & bit) == bool(solution[speaker]):
                    clues.append(("says", speaker, statement))
                    break
        if long:
            clues.sort(key=lambda clue: -frame.mask(clue).bit_count())
        if culprit:
            clues.insert(0, ("true", frame.people - lies))
        elif rng.random() < 0.4:
            clues.insert(rng.randrange(len(clues)), ("liars", lies))
        return clues

    @staticmethod
    def _question(rng: random.Random, number: int, culprit: bool) -> tuple[Any, ...]:
        if culprit:
            return ("culprit",)
        # Counting needs the most clues: among many people it would crowd out the rest.
        kinds = ("truthful", "pair", "count") if number < 4 else ("truthful", "truthful", "pair", "count", "who")
        kind = rng.choice(kinds if number < 5 else ("truthful",) * 5 + ("pair",) * 3 + ("who",) * 3 + ("count",))
        if kind == "pair":
            return (kind, *sorted(rng.sample(range(number), 2)))
        return (kind, rng.randrange(2)) if kind == "who" else (kind,)


def _statement(rng: random.Random, speaker: int, number: int, culprit: bool, long: bool) -> Statement:
    others = [p for p in range(number) if p != speaker]
    p, q = sorted(rng.sample(others, 2))
    if culprit:
        kind = rng.choice(("did", "did", "didnt", "didnt", "didone", "is"))
        if kind == "didone":
            return (kind, *sorted((p, rng.choice([r for r in range(number) if r != p]))))
        return (
            (kind, rng.choice((p, speaker)) if kind == "didnt" else p) if kind != "is" else ("is", p, rng.randrange(2))
        )
    kinds = ("and", "or", "or", "among") if long else KINDS_OF_STATEMENT
    kind = rng.choice(kinds)
    if kind == "is":
        return (kind, p, rng.randrange(2))
    if kind in ("same", "differ"):
        return (kind, *sorted((p, rng.choice((q, q, speaker)))))
    if kind in ("count", "least", "most"):
        return (kind, rng.randint(1, number - 1))
    if kind == "odd":
        return (kind,)
    if kind == "among" and len(others) > 2:
        return (kind, rng.randint(1, 2), *sorted(rng.sample(others, 3)))
    kind = rng.choice(("and", "or")) if kind == "among" else kind
    return (kind, *((speaker, 0) if rng.random() < 0.25 else (p, rng.randrange(2))), q, rng.randrange(2))
