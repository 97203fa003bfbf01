"""Syllogisms in the style of Indian competitive exams: see ``logic`` for the conventions.

Questions: ``verdict`` (two conclusions: only I, only II, both, neither, either), ``subset`` (three conclusions), and
``must``, ``cannot``, ``need not``, ``may`` (four statements to choose from). Where authors differ nothing is asked: a
possibility is never a certainty, and when at least one of two conclusions must hold although neither follows, they are
contradictories, so that "either I or II" is what everybody answers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations, permutations
from typing import Any

from puzzles.family import Proof, Text, shuffled_choices
from puzzles.fingerprint import fingerprint
from puzzles.model_checking import CRITERIA
from puzzles.puzzle import CHOICES, ProofError
from puzzles.syllogism.logic import (
    MODAL,
    Premises,
    Proposition,
    certain,
    contradictory,
    follows,
    one_holds,
    open_relations,
    path,
    possible,
    together,
)
from puzzles.syllogism.structure import SyllogismPuzzle
from puzzles.syllogism.text import TERMS, choice_text, question_text, say
from puzzles.words import listed

PREMISES = ("all", "all", "some", "no", "few", "only", "some not")
PLAIN = ("all", "no", "some", "some not")
STATEMENT_KINDS = ("must", "cannot", "need not", "may")
MAX_TERMS = 5
VERDICTS = ("I", "II", "both", "neither", "either")


class Syllogisms:
    """See the module."""

    name = "syllogism"
    topics = ("Syllogisms",)
    reach = (4.0, 14.0)
    structure = SyllogismPuzzle

    def draw(self, rng: random.Random, low: float, high: float) -> SyllogismPuzzle | None:
        number = rng.choice((3, 3, 4) if low < 7.5 else (3, 4, 4, 5) if low < 10.5 else (4, 5))
        premises = _premises(rng, number)
        known = together(number, premises)
        if not known.consistent:
            return None
        kind = rng.choice(("verdict",) * 5 + ("subset", "subset", *STATEMENT_KINDS))
        pool = _conclusions(number, premises, known, modal=kind in ("verdict", "subset"))
        chosen = _pick(rng, kind, known, pool)
        if chosen is None:
            return None
        conclusions, key, others = chosen
        choices, place = shuffled_choices(rng, key, others)
        structure = SyllogismPuzzle(
            terms=tuple(rng.sample(TERMS, number)),
            premises=tuple(rng.sample(premises, len(premises))),
            conclusions=conclusions,
            kind=kind,
            choices=choices,
            key=place,
            wording=rng.randrange(1 << 30),
        )
        return structure if _spare(structure) is None else None

    def prove(self, structure: SyllogismPuzzle) -> Proof:
        """A step is a premise on the way between the two terms of a statement to be judged, or the turn to possibility;
        the alternatives are the ways in which its terms can still stand to each other (see ``open_relations``)."""
        if len(structure.terms) > MAX_TERMS:
            raise ProofError(f"terms: found {len(structure.terms)}; expected at most {MAX_TERMS}")
        if len(structure.premises) >= len(structure.terms):
            # Premises that form no tree have more paths between two terms than can be followed.
            found, most = len(structure.premises), len(structure.terms) - 1
            raise ProofError(f"premises: found {found}; expected at most {most}, one fewer than the terms")
        known = together(len(structure.terms), structure.premises)
        if not known.consistent:
            raise ProofError("premises: found some that contradict each other; expected a model")
        judged = _judged(structure)
        _require_key(structure, known)
        spare = _spare(structure)
        if spare is not None:
            raise ProofError(f"statement {spare + 1}: found one that bears on no conclusion; expected every one to")
        steps = [len(path(structure.premises, x, y)) + kind.startswith(MODAL) for kind, x, y in judged]
        bits = [open_relations(known, x, y) for _, x, y in judged]
        findings: dict[str, Any] = {
            "criterion": CRITERIA[structure.kind].meaning
            if structure.kind in CRITERIA
            else "a conclusion follows when it holds in every model, a possibility when it holds in at least one",
            "certain": [not kind.startswith(MODAL) and certain(known, (kind, x, y)) for kind, x, y in judged],
            "possible": [possible(known, conclusion) for conclusion in judged],
            "empty_regions": known.empty,
        }
        return Proof(sum(steps), sum(bits) / len(bits), findings)

    def render(self, structure: SyllogismPuzzle) -> Text:
        rng = random.Random(structure.wording)
        question = question_text(structure.kind, structure.premises, structure.conclusions, structure.terms, rng)
        return Text(question, tuple(choice_text(structure.kind, v, structure.terms) for v in structure.choices))

    def explain(self, structure: SyllogismPuzzle, proof: Proof) -> str:
        judged = _judged(structure)
        parts = []
        for place, proposition in enumerate(judged):
            verdict = self._verdict(proposition, proof.findings["certain"][place], proof.findings["possible"][place])
            used = sorted(path(structure.premises, *proposition[1:]))
            source = listed([str(step + 1) for step in used])
            parts.append(
                f"{say(proposition, structure.terms)}: {verdict} by statement{'s' * (len(used) > 1)} {source}."
            )
        end = ""
        if structure.choices[structure.key] == "either":
            end = " The two contradict each other, so exactly one of them holds."
        answer = choice_text(structure.kind, structure.choices[structure.key], structure.terms)
        return f"{' '.join(parts)}{end} So: {answer}."

    def fingerprint(self, structure: SyllogismPuzzle) -> str:
        statements: list[tuple[str, tuple[int, ...]]] = [_statement("premise", p) for p in structure.premises]
        statements += [_statement("conclusion", p) for p in structure.conclusions]
        statements.append((f"{structure.kind} {len(structure.terms)}", ()))
        return fingerprint(statements)

    @staticmethod
    def _verdict(proposition: Proposition, is_certain: bool, is_possible: bool) -> str:
        if proposition[0].startswith(MODAL):
            return "possible" if is_possible else "impossible"
        return "certain" if is_certain else "possible but not certain" if is_possible else "impossible"


def _premises(rng: random.Random, number: int) -> list[Proposition]:
    """A tree of premises over all terms, mostly a chain."""
    order = rng.sample(range(number), number)
    premises: list[Proposition] = []
    for place in range(1, number):
        before = order[place - 1] if rng.random() < 0.8 else order[rng.randrange(place)]
        pair = (before, order[place]) if rng.random() < 0.7 else (order[place], before)
        premises.append((rng.choice(PREMISES), *pair))
    return premises


def _conclusions(number: int, premises: Sequence[Proposition], known: Premises, modal: bool) -> list[Proposition]:
    """Everything worth concluding: no restated premise, no possibility of what is certain."""
    found: list[Proposition] = []
    for x, y in permutations(range(number), 2):
        found += [(kind, x, y) for kind in PLAIN if (kind, x, y) not in premises]
        if modal:
            found += [(MODAL + kind, x, y) for kind in ("all", "some") if not certain(known, (kind, x, y))]
    restated = {("only", y, x) for kind, x, y in premises if kind == "all"}
    restated |= {("all", y, x) for kind, x, y in premises if kind == "only"}
    restated |= {(kind, y, x) for kind, x, y in premises if kind in ("some", "no")}
    restated |= {("some", x, y) for kind, x, y in premises if kind == "few"}
    restated |= {("some not", x, y) for kind, x, y in premises if kind == "few"}
    return [proposition for proposition in found if proposition not in restated]


Picked = tuple[tuple[Proposition, ...], Any, list[Any]]


def _pick(rng: random.Random, kind: str, known: Premises, pool: list[Proposition]) -> Picked | None:
    """Conclusions, the key and three other choices; None where this draw has none that everybody would judge alike."""
    far = sorted(pool, key=lambda _: rng.random())
    if kind == "verdict":
        wanted = rng.choice(VERDICTS)
        return _pick_verdict(rng, wanted, known, far)
    if kind == "subset":
        three = tuple(far[:3])
        if len(three) < 3 or not _plain_verdicts(known, three):
            return None
        key = tuple(i for i, c in enumerate(three) if follows(known, c))
        groups = [group for size in range(4) for group in combinations(range(3), size) if group != key]
        near = sorted(groups, key=lambda group: (len(set(group) ^ set(key)), rng.random()))
        return three, key, near[: CHOICES - 1]
    right = [p for p in far if _answers(kind, known, p)]
    wrong = [p for p in far if not _answers(kind, known, p)]
    if not right or len(wrong) < CHOICES - 1:
        return None
    key_statement = right[0]
    # A wrong choice about the key's own terms is the nearest miss.
    wrong.sort(key=lambda p: (len({*p[1:]} & {*key_statement[1:]}) < 2, rng.random()))
    others: list[Any] = []
    for p in wrong:
        if len(others) < CHOICES - 1 and not any(_same(p, q) for q in (*others, key_statement)):
            others.append(p)
    return ((), key_statement, others) if len(others) == CHOICES - 1 else None


def _pick_verdict(rng: random.Random, wanted: str, known: Premises, far: list[Proposition]) -> Picked | None:
    following = {"I": (True, False), "II": (False, True), "both": (True, True)}.get(wanted, (False, False))
    first = [p for p in far if follows(known, p) == following[0]][:6]
    second = [p for p in far if follows(known, p) == following[1]]
    for p in first:
        for q in second:
            if p == q or _same(p, q) or contradictory(p, q) != (wanted == "either"):
                continue
            if wanted != "either" and not _plain_verdicts(known, (p, q)):
                continue
            others = [v for v in VERDICTS if v != wanted]
            others.remove(
                rng.choice([v for v in others if v in ("both", "either")] if wanted != "either" else ["both"])
            )
            return (p, q), wanted, others
    return None


def _answers(kind: str, known: Premises, p: Proposition) -> bool:
    """Whether a statement is a right answer to a question of a kind of ``STATEMENT_KINDS``."""
    if kind in ("must", "need not"):
        return certain(known, p) == (kind == "must")
    return possible(known, p) == (kind == "may")


def _same(p: Proposition, q: Proposition) -> bool:
    """Whether two propositions say the same."""
    return p == q or (p[0] == q[0] and p[0] in ("some", "no", "may some") and p[1:] == q[:0:-1])


def _plain_verdicts(known: Premises, conclusions: Sequence[Proposition]) -> bool:
    """Whether no two conclusions that do not follow leave it open whether "either" would be an answer."""
    loose = [c for c in conclusions if not follows(known, c) and not c[0].startswith(MODAL)]
    return not any(_same(p, q) for p, q in combinations(conclusions, 2)) and not any(
        one_holds(known, p, q) for p, q in combinations(loose, 2)
    )


def _judged(structure: SyllogismPuzzle) -> tuple[Proposition, ...]:
    return structure.choices if structure.kind in STATEMENT_KINDS else structure.conclusions


def _require_key(structure: SyllogismPuzzle, known: Premises) -> None:
    """Raises ProofError unless the key is right and every other choice wrong."""
    judged = _judged(structure)
    modal_certain = [c for c in judged if c[0].startswith(MODAL) and certain(known, (c[0][len(MODAL) :], *c[1:]))]
    if modal_certain or len(set(structure.choices)) != CHOICES:
        raise ProofError("conclusions: found a possibility that is certain, or a choice twice; expected neither")
    if structure.kind in STATEMENT_KINDS:
        right: list[Any] = [c for c in judged if _answers(structure.kind, known, c)]
    elif structure.kind == "subset":
        right = [tuple(i for i, c in enumerate(judged) if follows(known, c))] if _plain_verdicts(known, judged) else []
    else:
        first, second = judged
        both = (follows(known, first), follows(known, second))
        either = both == (False, False) and contradictory(first, second)
        if not either and not _plain_verdicts(known, judged):
            raise ProofError("conclusions: found two that authors judge differently; expected plain verdicts")
        right = [
            "either" if either else {(True, False): "I", (False, True): "II", (True, True): "both"}.get(both, "neither")
        ]
    if right != [structure.choices[structure.key]]:
        raise ProofError(f"key: found {structure.choices[structure.key]!r}; expected {right!r}, which alone is proved")


def _spare(structure: SyllogismPuzzle) -> int | None:
    """The place of a premise that bears on nothing: off the way between the terms of every statement to be judged, and
    without which every verdict is the same. None where there is none."""
    used: set[int] = set()
    for _, x, y in _judged(structure):
        used |= path(structure.premises, x, y)
    return next((place for place in range(len(structure.premises)) if place not in used), None)


def _statement(role: str, proposition: Proposition) -> tuple[str, tuple[int, int]]:
    """A proposition as ``fingerprint`` takes it: "only x are y" is "all y are x"."""
    kind, x, y = proposition
    if kind == "only":
        kind, x, y = "all", y, x
    return f"{'=' if kind in ('some', 'no', 'may some') else ''}{role} {kind}", (x, y)
