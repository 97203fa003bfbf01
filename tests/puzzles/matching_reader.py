"""Reads a matching puzzle's English and solves it by trying every way to match."""

from __future__ import annotations

import re
from itertools import permutations, product

from verdicts import decided

PLACES = ("first", "second", "third", "fourth", "fifth")
ORDER = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", *PLACES, "1", "2", "3", "4", "5")
PHRASES = {
    "job": (r"is the (\w+)", r"is not the (\w+)", r"the (\w+)"),
    "city": (r"lives in (\w+)", r"does not live in (\w+)", r"the person from (\w+)"),
    "drink": (r"drinks (\w+)", r"does not drink (\w+)", r"the (\w+) drinker"),
    "game": (r"plays (\w+)", r"does not play (\w+)", r"the (\w+) player"),
    "pet": (r"owns the (\w+)", r"does not own the (\w+)", r"the (\w+) owner"),
    "colour": (r"wears (\w+)", r"does not wear (\w+)", r"the person in (\w+)"),
    "day": (r"sings on (\w+)", r"does not sing on (\w+)", r"the (\w+) singer"),
    "floor": (r"lives on floor (\w+)", r"does not live on floor (\w+)", r"the person on floor (\w+)"),
    "place": (r"finishes (\w+)", r"does not finish (\w+)", r"the person who finishes (\w+)"),
}
LATER = {
    "day": r"(.+) sings later in the week than (.+)",
    "floor": r"(.+) lives above (.+)",
    "place": r"(.+) finishes after (.+)",
}
NEXT = {
    "day": r"(.+) sings the day after (.+)",
    "floor": r"(.+) lives immediately above (.+)",
    "place": r"(.+) finishes immediately after (.+)",
}
WHAT = {
    r"Which job does (.+) have\?": "job", r"Where does (.+) live\?": "city", r"What does (.+) drink\?": "drink",
    r"What does (.+) play\?": "game", r"Which pet does (.+) own\?": "pet", r"Which colour does (.+) wear\?": "colour",
    r"On which day does (.+) sing\?": "day", r"On which floor does (.+) live\?": "floor",
    r"Where does (.+) finish\?": "place",
}  # fmt: skip


class Reader:
    """One puzzle's people, attributes and values, and what its sentences say of a way to match them."""

    def __init__(self, question: str) -> None:
        sentences = [s.strip() for s in re.findall(r"[^.?]+[.?]", question)]
        opening = sentences.pop(0)
        self.names = re.findall(r"[A-Z][a-z]*", re.sub(r"^Consider ", "", opening))
        self.values: dict[str, list[str]] = {}
        while match := re.fullmatch(
            r"(?:Each has a different (\w+): |Their (\w+), in some order, are )(.+)\.", sentences[0]
        ):
            noun = match[1] or {"cities": "city"}.get(match[2], match[2][:-1])
            self.values[noun] = re.split(r", | and ", match[3])
            sentences.pop(0)
        self.clues, self.asked = sentences[:-1], sentences[-1]

    def cases(self):
        """Every way to match: attribute -> name -> value."""
        orders = [
            [dict(zip(self.names, order, strict=False)) for order in permutations(vs)] for vs in self.values.values()
        ]
        for case in product(*orders):
            yield dict(zip(self.values, case, strict=False))

    def who(self, case, phrase: str) -> str:
        """The name of whoever ``phrase`` means."""
        if phrase in self.names:
            return phrase
        phrase = phrase[0].lower() + phrase[1:]
        for noun, (_, _, holder) in PHRASES.items():
            match = re.fullmatch(holder, phrase)
            if match and match[1] in self.values.get(noun, ()):
                return next(name for name, value in case[noun].items() if value == match[1])
        raise AssertionError(f"cannot read {phrase!r}")

    def clue(self, sentence: str):
        """The sentence as a function of a case."""
        text = sentence.rstrip(".")
        for table, fits in ((NEXT, lambda d: d == 1), (LATER, lambda d: d > 0)):
            for noun, pattern in table.items():
                match = re.fullmatch(pattern, text)
                if match and noun in self.values:
                    return lambda case, noun=noun, match=match, fits=fits: fits(
                        ORDER.index(case[noun][self.who(case, match[1])])
                        - ORDER.index(case[noun][self.who(case, match[2])])
                    )
        for noun, (has, lacks, _) in PHRASES.items():
            for pattern, wanted in ((lacks, False), (has, True)):
                match = re.fullmatch(rf"(.+?) {pattern}(?: or (?:floor )?(\w+))?", text)
                if match and match[2] in self.values.get(noun, ()):
                    return lambda case, noun=noun, match=match, wanted=wanted: (
                        (case[noun][self.who(case, match[1])] in match.groups()[1:]) == wanted
                    )
        raise AssertionError(f"cannot read {sentence!r}")

    def answer(self, choice: str):
        """Whether ``choice`` answers the question, as a function of a case."""
        if self.asked in ("Which of these is correct?", "Which statement is true?"):
            return self.clue(choice)
        if self.asked.startswith("Who "):
            return self.clue(f"{choice} {self.asked[4:-1]}.")
        for pattern, noun in WHAT.items():
            match = re.fullmatch(pattern, self.asked)
            if match and noun in self.values:
                value = choice.removeprefix("Floor ")
                return lambda case: case[noun][self.who(case, match[1])].casefold() == value.casefold()
        raise AssertionError(f"cannot read {self.asked!r}")


def solve(puzzle, drop=None):
    reader = Reader(puzzle.question)
    tests = [reader.clue(clue) for place, clue in enumerate(reader.clues) if place != drop]
    cases = [case for case in reader.cases() if all(test(case) for test in tests)]
    answers = [reader.answer(choice) for choice in puzzle.choices]
    return decided("is", [[holds(case) for case in cases] for holds in answers]), len(reader.clues)
