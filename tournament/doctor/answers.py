"""What the answers of an A-agent are worth by an edition's rules, whichever way they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.core.rules import broken_answer_rule, score_answer
from agents.core.schema import LETTERS
from tournament.doctor.finding import MIN_FOR_LETTERS, Examination, Finding, judged, named, unchecked
from tournament.match.answers import unscored
from tournament.teams.protocol import Row
from tournament.untrusted import parsed_row

COLLAPSED_SHARE = 0.75
"""Of answers that are all the same letter, to questions whose keys are spread evenly."""


def broken_answer(value: Any, examination: Examination) -> str | None:
    """Why an answer scores nothing whatever the key is; None where it can be right."""
    edition = examination.edition
    rule = broken_answer_rule(value, examination.count_tokens, edition)
    if rule is not None:
        return rule
    return unscored(parsed_row(value)["answer"], LETTERS[: edition.choices])


def answer_findings(questions: Sequence[Row], rows: Sequence[Any], examination: Examination) -> Iterator[Finding]:
    """Every check of ``rows``, the answers to as many ``questions``, as a team wrote them."""
    reasons = [broken_answer(row, examination) for row in rows]
    broken = {place: reason for place, reason in enumerate(reasons) if reason is not None}
    letters = LETTERS[: examination.edition.choices]
    yield judged(
        "answer letters",
        not broken,
        f"{len(rows) - len(broken)} of {len(rows)} are one" + (f"; {named(broken)}" if broken else ""),
        expected=f"each exactly one upper-case letter of {letters}",
        fix='Emit {"answer": "B", "reasoning": "…"} with one upper-case letter; everything else scores nothing.',
    )
    valid = {place: parsed_row(row) for place, row in enumerate(rows) if place not in broken}
    if not valid:
        yield unchecked("reasonings, letters said", "no answer can score")
        return
    yield _reasonings(valid, examination.edition.reasoning_words)
    yield _letters(questions, valid, letters)


def _reasonings(valid: Mapping[int, Row], limit: int) -> Finding:
    words = {place: len(str(row.get("reasoning", "")).split()) for place, row in valid.items()}
    place, most = max(words.items(), key=lambda pair: pair[1])
    missing = sum(not number for number in words.values())
    return judged(
        "reasonings",
        most <= limit and not missing,
        f"at most {most} words (row {place + 1})" + (f"; without one: {missing}" if missing else ""),
        expected=f"one with each, of at most {limit} words",
        fix=f"Give every answer a reasoning and cut it after {limit} words (agents.core.rules.clip_words).",
        otherwise="warning",
    )


def _letters(questions: Sequence[Row], valid: Mapping[int, Row], letters: str) -> Finding:
    counts = Counter(row["answer"] for row in valid.values())
    right = sum(score_answer(questions[place], row) for place, row in valid.items())
    found = f"{', '.join(f'{letter} {counts[letter]}' for letter in letters)}; {right} of {len(valid)} right"
    if len(valid) < MIN_FOR_LETTERS:
        return unchecked("letters said", f"{found}: too few answers to tell")
    return judged(
        "letters said",
        max(counts.values()) <= COLLAPSED_SHARE * len(valid),
        found,
        expected="no letter in more than three quarters; the keys are spread evenly",
        fix="The agent says one letter whatever is asked: look for a collapsed model or an uncorrected position bias.",
        otherwise="warning",
    )
