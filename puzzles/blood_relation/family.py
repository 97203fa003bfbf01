"""Blood relations: facts about a family, coded facts, and the man in the photograph. Conventions: see ``kinship``.

Styles: ``how`` (facts; how is a related to b), ``who`` (facts; who is b's uncle), ``coded`` (one coded expression;
how), ``which`` (which expression means that a is b's uncle), ``pointing`` (a chain of relations spoken by somebody).

The key is right when it holds in every family that fits what is said. Every other choice is wrong because it does not
follow: it fails in the families that hold nothing but what is said (for a chain that can be read in several ways, in
the one of each reading). None says the same as the key, or more of the same.
"""

from __future__ import annotations

import random
from math import log2
from typing import Any

from puzzles.blood_relation.chains import tree
from puzzles.blood_relation.draw import draw_structure
from puzzles.blood_relation.kinship import LINKS, Kin, different, holds, words_for
from puzzles.blood_relation.structure import (
    BloodRelationPuzzle,
    distance,
    require_every_fact,
    require_every_only,
    told_families,
)
from puzzles.blood_relation.text import codes_text, expression, facts_text, pointing_text
from puzzles.family import Proof, Text
from puzzles.fingerprint import digest, fingerprint
from puzzles.puzzle import CHOICES, ProofError

REACHABLE = (4, 11, 14)
"""Basic relations that 1, 2, and 3 or more links can make: the alternatives while that many are unread."""

CRITERION = "the key holds in every family that fits; every other choice fails in those that hold only what is said"


class BloodRelations:
    """See the module."""

    name = "blood_relation"
    topics = ("Family tree logic", "Puzzles involving generations and family tree logic")
    reach = (5.0, 12.0)
    structure = BloodRelationPuzzle

    def draw(self, rng: random.Random, low: float, high: float) -> BloodRelationPuzzle | None:
        return draw_structure(rng, low)

    def prove(self, structure: BloodRelationPuzzle) -> Proof:
        """A step is a link on the way between the two people, a code to look up, an "only", or finding whom a question
        means; the alternatives are the relations that the links still unread can make."""
        style, key = structure.style, structure.choices[structure.key]
        if style == "pointing":
            kins = [ending.kin for ending in told_families(structure.speaker, structure.steps, structure.question)]
            links = len(structure.steps)
            require_every_only(structure)
        elif style == "which":
            links = len(key)
            kins = []
        else:
            kin = tree(len(structure.names), structure.facts)
            if kin is None:
                raise ProofError("facts: found some that do not fit together; expected one family")
            kins = [kin]
            links = len(structure.facts) if style != "who" else distance(structure.facts, structure.question[1], key)
        proves = [self._wrong_or_right(structure, kins, value) for value in structure.choices]
        if proves != [place == structure.key for place in range(CHOICES)]:
            raise ProofError(f"key: found choices of which {proves} hold; expected the key alone to")
        if style == "who":
            require_every_fact(structure)
        extra = len(structure.codes) + sum(only for _, only in structure.steps) + (style == "who")
        bits = [log2(REACHABLE[min(unread, len(REACHABLE)) - 1]) for unread in range(1, links + 1)]
        findings: dict[str, Any] = {
            "criterion": CRITERION,
            "families": max(1, len(kins)),
            "links": links,
            "relations": self._relations(structure, kins),
        }
        return Proof(links + extra, sum(bits) / len(bits), findings)

    def render(self, structure: BloodRelationPuzzle) -> Text:
        rng = random.Random(structure.wording)
        names, question = structure.names, structure.question
        codes = dict(structure.codes)
        choices = tuple(str(value).capitalize() for value in structure.choices)
        if structure.style == "pointing":
            person = LINKS[structure.steps[-1][0]][1]
            text = pointing_text(structure.speaker, person, structure.steps, question[1] == 0, rng)
            return Text(text, choices)
        if structure.style == "which":
            a, b, word = question[1:]
            choices = tuple(expression(facts, names, codes) for facts in structure.choices)
            ask = f"Which expression means that {names[a]} is the {word} of {names[b]}?"
            return Text(f"{codes_text(codes, rng)} {ask}", choices)
        if structure.style == "coded":
            a, b = question[1:]
            coded = expression(structure.facts, names, codes)
            return Text(f"{codes_text(codes, rng)} If {coded}, how is {names[a]} related to {names[b]}?", choices)
        facts = facts_text(structure.facts, names, rng)
        if structure.style == "who":
            b, word = question[1:]
            ask = rng.choice((f"Who is the {word} of {names[b]}?", f"Who is {names[b]}'s {word}?"))
            return Text(f"{facts} {ask}", tuple(names[p] for p in structure.choices))
        a, b = question[1:]
        return Text(f"{facts} How is {names[a]} related to {names[b]}?", choices)

    def explain(self, structure: BloodRelationPuzzle, proof: Proof) -> str:
        names, relations = structure.names, proof.findings["relations"]
        key = structure.choices[structure.key]
        if structure.style == "pointing":
            chain = ", ".join(("only " if only else "") + link for link, only in structure.steps)
            families = proof.findings["families"]
            ways = "one reading:" if families == 1 else f"{families} readings; in each,"
            who = "the speaker is the other's" if structure.question[1] == 0 else "that person is the speaker's"
            return f"From the speaker go to: {chain}. The chain has {ways} {who} {key}. Nobody points to themselves."
        if structure.style == "which":
            codes = dict(structure.codes)
            pairs = zip(structure.choices, relations, strict=True)
            said = [f"{expression(facts, names, codes)}: {word or 'no relation asked for'}" for facts, word in pairs]
            return f"Decoded, the first person is to the last: {'; '.join(said)}."
        if structure.style == "who":
            pairs = zip(structure.choices, relations, strict=True)
            said = [f"{names[p]} is the {word}" for p, word in pairs]
            return f"Seen from {names[structure.question[1]]}: {', '.join(said)}."
        steps = [f"{names[a]} is the {link} of {names[b]}" for link, a, b in structure.facts]
        a, b = structure.question[1:]
        return f"Follow the links: {', '.join(steps)}. Together they make {names[a]} the {key} of {names[b]}."

    def fingerprint(self, structure: BloodRelationPuzzle) -> str:
        if structure.style == "pointing":
            return digest((structure.style, structure.speaker, structure.steps, structure.question))
        if structure.style == "which":
            word = structure.question[3]
            sets = sorted(tuple(facts) for facts in structure.choices)
            return digest((structure.style, word, sets, structure.choices[structure.key]))
        statements: list[tuple[str, tuple[int, ...]]] = [(link, (a, b)) for link, a, b in structure.facts]
        kind, *about = structure.question
        people = tuple(p for p in about if isinstance(p, int))
        statements.append((f"{structure.style} {kind} {[w for w in about if isinstance(w, str)]}", people))
        return fingerprint(statements)

    @staticmethod
    def _wrong_or_right(structure: BloodRelationPuzzle, kins: list[Kin], value: Any) -> bool:
        """True for a choice that is right, False for one that is wrong. Raises ProofError for one that is neither."""
        kind, *about = structure.question
        key = structure.choices[structure.key]
        if kind == "how":
            a, b = about
            true = [holds(kin, value, a, b) for kin in kins]
            if true and all(true):
                return True
            if any(true) or not different(key, value):
                raise ProofError(f"choices: found {value!r} beside {key!r}; expected one that is plainly wrong")
            return False
        if kind == "which":
            a, b, word = about
            kin = tree(len(structure.names), value)
            if kin is None:
                raise ProofError("choices: found an expression that contradicts itself; expected a family")
            return holds(kin, word, a, b)
        b, word = about
        words = words_for(kins[0], value, b)
        if word in words:
            return True
        if not any(different(word, other) for other in words):
            raise ProofError(f"choice {value}: found nobody who is proved to be something else than the {word}")
        return False

    @staticmethod
    def _relations(structure: BloodRelationPuzzle, kins: list[Kin]) -> list[str]:
        """What each choice's person or expression is proved to be; of the other styles the key's word alone."""
        if structure.style == "who":
            return [words_for(kins[0], p, structure.question[1])[-1] for p in structure.choices]
        if structure.style == "which":
            a, b, _ = structure.question[1:]
            trees = [tree(len(structure.names), facts) for facts in structure.choices]
            return [(words_for(kin, a, b) or [""])[-1] if kin else "" for kin in trees]
        return [structure.choices[structure.key]]
