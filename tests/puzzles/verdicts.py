"""What a question's wording asks of its key and its other choices, written out for the second solvers."""

from __future__ import annotations


def decided(criterion: str, truths: list[list[bool]]) -> list[int]:
    """Places of the choices that are right. ``truths``: for every choice, its truth in each possible case.

    Raises AssertionError when a choice is neither right nor wrong: a question that some reader could dispute."""
    right = []
    for place, cases in enumerate(truths):
        assert cases, "no case fits the clues"
        if criterion == "is":
            assert all(cases) or not any(cases), "a choice that is right only in some cases"
            verdict = all(cases)
        elif criterion == "must":
            verdict = all(cases)
        elif criterion == "cannot":
            verdict = not any(cases)
        elif criterion == "may":
            verdict = any(cases)
        else:
            assert criterion == "need not"
            verdict = not all(cases)
        if verdict:
            right.append(place)
    return right
