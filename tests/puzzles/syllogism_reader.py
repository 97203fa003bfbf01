"""Reads a syllogism's English and decides it twice: by chaining, and up to four terms in every Venn diagram.

Chaining looks at one thing at a time. "All x are y" and "no x are y" say what else a thing that is an x is; "some"
says that there is a thing. A thing can be as told unless what follows of it contradicts itself, and statements can all
be true when every thing they tell of can be. A conclusion is certain when its denial cannot be true beside the
statements.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from verdicts import decided

SENTENCES = (
    (r"All (\w+) being (\w+) is a possibility", "may all"),
    (r"Some (\w+) being (\w+) is a possibility", "may some"),
    (r"All (?:the )?(\w+) are (\w+)", "all"),
    (r"(?:No|None of the) (\w+) are (\w+)", "no"),
    (r"Only a few (\w+) are (\w+)", "few"),
    (r"Only (\w+) are (\w+)", "only"),
    (r"Some (\w+) are not (\w+)", "some not"),
    (r"(?:Some|At least some|A few) (\w+) are (\w+)", "some"),
)
VERDICTS = {
    (True, False): "Only conclusion I follows",
    (False, True): "Only conclusion II follows",
    (True, True): "Both conclusions follow",
    (False, False): "Neither conclusion follows",
}
GROUPS = {"None of them": (), "All three": (0, 1, 2)}
NUMERALS = {"I": 0, "II": 1, "III": 2}
CRITERIA = {
    "Which conclusion follows?": "must",
    "Which of these must be true?": "must",
    "Which of these cannot be true?": "cannot",
    "Which statement is certainly false?": "cannot",
    "Which conclusion does not follow?": "need not",
    "Which of these need not be true?": "need not",
    "Which of these is possible?": "may",
    "Which of these can be true?": "may",
}
DENIALS = {"all": "some not", "some not": "all", "no": "some", "some": "no"}
DRAWN = 4
"""Terms of which every Venn diagram can be looked at: 2**15 of them."""


def read_sentence(text):
    for pattern, kind in SENTENCES:
        match = re.fullmatch(pattern, text.strip().rstrip("."))
        if match:
            return kind, match[1], match[2]
    raise AssertionError(f"cannot read {text!r}")


def read(question):
    """The statements, the conclusions and the closing question."""
    body, asked = re.fullmatch(r"(.*\.) ([^.]+\?)", question).groups()
    body, _, conclusions = body.partition(" Conclusions: ")
    body = re.sub(r"\(\d\) |^Statements: ", "", body)
    premises = [read_sentence(s) for s in body.rstrip(".").split(". ")]
    return premises, [read_sentence(s) for s in re.split(r"\s*\bI{1,3}\. ", conclusions)[1:]], asked


def terms_of(statements):
    return list(dict.fromkeys(term for _, x, y in statements for term in (x, y)))


def denied(statement):
    """The statement that is true exactly when this one is not. "Only a few" and possibilities have none."""
    kind, x, y = statement
    return ("some not", y, x) if kind == "only" else (DENIALS[kind], x, y)


def things(statements):
    """What each thing that must be there is and is not, the things in each term included: dicts from term to bool.

    None where one contradicts itself: then the statements cannot all be true."""
    follows, told = [], [{term: True} for term in terms_of(statements)]
    for kind, x, y in statements:
        if kind in ("all", "only"):
            x, y = (y, x) if kind == "only" else (x, y)
            follows += [((x, True), (y, True)), ((y, False), (x, False))]
        elif kind == "no":
            follows += [((x, True), (y, False)), ((y, True), (x, False))]
        else:
            told += [{x: True, y: True}] if kind in ("some", "few") else []
            told += [{x: True, y: False}] if kind in ("some not", "few") else []
    return told if all(_chained(thing, follows) for thing in told) else None


def _chained(thing, follows):
    """Adds all that follows to ``thing``; False where that contradicts itself."""
    known = -1
    while known < len(thing):
        known = len(thing)
        for (x, inside), (y, then) in follows:
            if thing.get(x) == inside and thing.setdefault(y, then) != then:
                return False
    return True


def chained(statements):
    """Whether the statements can all be true."""
    return things(statements) is not None


def drawn(statements):
    """Whether they all are in some Venn diagram."""
    terms = terms_of(statements)
    return bool(models_of(len(terms), [(kind, terms.index(x), terms.index(y)) for kind, x, y in statements]).size)


@cache
def diagrams(terms):
    """Every set of inhabited regions in which every term has something: one number a diagram, bit r for region r."""
    every = np.arange(1 << ((1 << terms) - 1), dtype=np.int64) << 1
    for term in range(terms):
        every = every[(every & part(terms, [(term, True)])) != 0]
    return every


def part(terms, wanted):
    return sum(
        1 << region for region in range(1, 1 << terms) if all(bool(region >> t & 1) == inside for t, inside in wanted)
    )


def truth(terms, models, kind, x, y):
    """For every model, whether the proposition is true."""

    def inhabited(*wanted):
        return (models & part(terms, wanted)) != 0

    both, x_only, y_only = ((x, True), (y, True)), ((x, True), (y, False)), ((y, True), (x, False))
    return {
        "all": lambda: ~inhabited(*x_only),
        "no": lambda: ~inhabited(*both),
        "some": lambda: inhabited(*both),
        "some not": lambda: inhabited(*x_only),
        "only": lambda: ~inhabited(*y_only),
        "few": lambda: inhabited(*both) & inhabited(*x_only),
    }[kind]()


def models_of(terms, premises):
    models = diagrams(terms)
    for premise in premises:
        models = models[truth(terms, models, *premise)]
    return models


def solve(question, choices):
    """Places of the right choices. Raises AssertionError where the two ways differ, or readers could."""
    premises, conclusions, asked = read(question)
    right = _right(choices, premises, conclusions, asked, chained)
    if len(terms_of(premises)) <= DRAWN:
        assert right == _right(choices, premises, conclusions, asked, drawn), "chaining and diagrams differ"
    return right


def _right(choices, premises, conclusions, asked, can_be):
    def possible(*more):
        assert {*terms_of(more)} <= {*terms_of(premises)}, "a term of which nothing is stated"
        return can_be([*premises, *more])

    def follows(conclusion):
        kind, x, y = conclusion
        if kind.startswith("may "):
            return possible((kind.removeprefix("may "), x, y))
        return not possible(denied(conclusion))

    assert possible(), "statements that contradict each other"
    if not conclusions:
        statements = [read_sentence(choice) for choice in choices]
        cases = [[True] * possible(s) + [False] * possible(denied(s)) for s in statements]
        return decided(CRITERIA[asked], cases)
    found = tuple(follows(conclusion) for conclusion in conclusions)
    plain = [c for c, ok in zip(conclusions, found, strict=True) if not ok and not c[0].startswith("may ")]
    pairs = [(p, q) for i, p in enumerate(plain) for q in plain[:i] if not possible(denied(p), denied(q))]
    if len(found) == 3:
        assert not pairs, "a pair of which one must hold although neither follows"
        group = tuple(i for i, ok in enumerate(found) if ok)
        named = [GROUPS.get(c, tuple(NUMERALS[n] for n in re.findall(r"\bI+\b", c))) for c in choices]
        return [place for place, numerals in enumerate(named) if numerals == group]
    if pairs:
        assert not any(possible(p, q) for p, q in pairs), "either, but not by contradiction"
    text = "Either conclusion I or II follows" if pairs else VERDICTS[found]
    return [place for place, choice in enumerate(choices) if choice == text]
