"""What the questions of a Q-agent are worth by an edition's rules, whichever way they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.asking.similarity_index import question_id
from agents.core.errors import QuestionError, describe
from agents.core.rules import FILTER_FRACTION, broken_question_rule, count_question_tokens
from agents.core.schema import LETTERS, Question, read_sound_question, strip_labels
from tournament.doctor.finding import MIN_FOR_LETTERS, Examination, Finding, judged, named, unchecked
from tournament.teams.protocol import Row
from tournament.untrusted import parsed_row

CLOSE_TOKENS = 5
"""So near the limit another tokenizer's count may be over it."""
UNLIKELY = 0.001
"""Probability of so uneven a distribution if the keys were drawn evenly, below which it is called uneven."""


def question_findings(rows: Sequence[Any], examination: Examination) -> Iterator[Finding]:
    """Every check of questions as a team wrote them."""
    edition = examination.edition
    parsed = [parsed_row(row) for row in rows]
    rules = [broken_question_rule(row, examination.count_tokens, edition) for row in parsed]
    broken = {place: rule for place, rule in enumerate(rules) if rule is not None}
    valid = {place: row for place, row in enumerate(parsed) if place not in broken}
    share = max(FILTER_FRACTION, edition.survival_fraction)
    yield judged(
        "question filter",
        not broken,
        f"{len(valid)} of {len(rows)} pass" + (f"; {named(broken)}" if broken else ""),
        expected=f"all of them; fewer than {share:.0%} disqualify",
        fix="Check every question with agents.core.rules.broken_question_rule before it is written; if not, ask anew.",
        otherwise="warning" if rows and len(valid) >= share * len(rows) else "fail",
    )
    if not valid:
        yield unchecked("keys, duplicates, tokens, explanations", "no question passes the filter")
        return
    yield _keys(valid, LETTERS[: edition.choices])
    yield _readable(valid)
    yield _letters(list(valid.values()), LETTERS[: edition.choices])
    yield _duplicates(list(valid.values()))
    yield _tokens(valid, examination)
    yield _explanations(valid, edition.explanation_words)
    if edition.banned_question_kinds:
        yield _banned(valid, edition.banned_question_kinds)


def _keys(valid: Mapping[int, Row], letters: str) -> Finding:
    # The scoring looks at the key's first character only, and compares it with an upper-case letter.
    wrong = {place: describe(row["answer"]) for place, row in valid.items() if row["answer"][:1] not in set(letters)}
    return judged(
        "question keys",
        not wrong,
        named(wrong) if wrong else f"each begins with one of {letters}",
        expected=f"one upper-case letter of {letters}",
        fix="Write the key as one upper-case letter; with any other nobody can be right, and an oracle drops it.",
    )


def _readable(valid: Mapping[int, Row]) -> Finding:
    unreadable: dict[int, str] = {}
    for place, row in valid.items():
        try:
            read_sound_question(row)
        except QuestionError as error:
            unreadable[place] = str(error)
    return judged(
        "question texts",
        not unreadable,
        named(unreadable) if unreadable else "each has a text and distinct choices",
        expected="a question text and four different choices",
        fix="Drop questions whose text is empty or whose choices repeat, though the filter lets them through.",
        otherwise="warning",
    )


def _letters(rows: Sequence[Row], letters: str) -> Finding:
    counts = Counter(row["answer"][:1].upper() for row in rows)
    found = ", ".join(f"{letter} {counts[letter]}" for letter in letters)
    number = sum(counts[letter] for letter in letters)
    if number < MIN_FOR_LETTERS:
        return unchecked("key letters", f"{found}: too few questions to tell")
    from scipy.stats import chisquare

    return judged(
        "key letters",
        float(chisquare([counts[letter] for letter in letters]).pvalue) >= UNLIKELY,
        found,
        expected="about as many of each",
        fix="Draw the place of the right choice at random: an opponent that learns your favourite letter is right.",
        otherwise="warning",
    )


def _duplicates(rows: Sequence[Row]) -> Finding:
    repeats = len(rows) - len({_same_words(row) for row in rows})
    return judged(
        "duplicates",
        not repeats,
        f"{repeats} of {len(rows)} ({repeats / len(rows):.0%}) repeat an earlier one",
        expected="none",
        fix="Remember what has been asked and draw again: questions that repeat look hard-coded, which is forbidden.",
        otherwise="fail" if repeats > len(rows) / 2 else "warning",
    )


def _same_words(row: Row) -> str:
    # Not by read_sound_question: it refuses some rows that the filter lets through.
    return question_id(Question(row["question"], tuple(strip_labels(row["choices"]))))


def _tokens(valid: Mapping[int, Row], examination: Examination) -> Finding:
    edition = examination.edition
    counts = {place: count_question_tokens(row, examination.count_tokens, edition) for place, row in valid.items()}
    place, most = max(counts.items(), key=lambda pair: pair[1])
    advertised = edition.question_tokens_advertised
    announced = f"; {advertised} are announced" if advertised else ""
    return judged(
        "question tokens",
        most < edition.question_tokens - CLOSE_TOKENS,
        f"at most {most} (row {place + 1}), by the tokenizer of {examination.tokenizer}",
        expected=f"fewer than {edition.question_tokens}{announced}",
        fix=f"Stay {CLOSE_TOKENS} tokens below the limit, since the organisers' tokenizer may count a few more.",
        otherwise="warning",
    )


def _explanations(valid: Mapping[int, Row], limit: int) -> Finding:
    words = {place: len(str(row.get("explanation", "")).split()) for place, row in valid.items()}
    place, most = max(words.items(), key=lambda pair: pair[1])
    missing = sum(not number for number in words.values())
    found = f"at most {most} words (row {place + 1})" + (f"; without one: {missing}" if missing else "")
    return judged(
        "explanations",
        most <= limit and not missing,
        found,
        expected=f"one with each, of at most {limit} words",
        fix=f"Write an explanation with every question and cut it after {limit} words (agents.core.rules.clip_words).",
        otherwise="warning",
    )


def _banned(valid: Mapping[int, Row], kinds: Sequence[str]) -> Finding:
    banned = {
        place: repr(kind)
        for place, row in valid.items()
        for kind in kinds
        if kind.casefold() in row["question"].casefold()
    }
    return judged(
        "banned kinds",
        not banned,
        named(banned) if banned else "none",
        expected="no question that asks " + " or ".join(repr(kind) for kind in kinds),
        fix="Leave out the kinds of question that this edition's notices forbid.",
        otherwise="warning",
    )
