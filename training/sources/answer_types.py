"""The type of a free-text answer. Distractors share the key's type, so its form does not give it away."""

from __future__ import annotations

import re
import string
import unicodedata

from training.sources.latex import canonical_latex, without_units

NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty"),
    *("forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million"),
)
TRUTH_VALUE = "truth value"
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_FORMS = (
    ("year", re.compile(r"1[0-9]{3}|20[0-9]{2}")),
    ("integer", re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)")),
    ("decimal", re.compile(r"[-+]?\d[\d,]*\.\d+|[-+]?\.\d+")),
    ("fraction", re.compile(r"[-+]?(?:\d+\s+)?\d+/\d+")),
    ("percentage", re.compile(r"[-+]?[\d.,]+\s*(?:%|per ?cent)", re.IGNORECASE)),
    ("amount of money", re.compile(r"[$£€¥]\s*[\d.,]+(?:\s*(?:thousand|million|billion))?", re.IGNORECASE)),
    ("decade", re.compile(r"(?:the )?(?:1\d|20)?\d0'?s", re.IGNORECASE)),
    (
        "date",
        re.compile(
            rf"(?:{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}|{_MONTH})"
            r"(?:,?\s+\d{4})?|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}",
            re.IGNORECASE,
        ),
    ),
    ("quantity", re.compile(r"[-+]?[\d.,]+\s*[a-z°]+(?:\s[a-z]+)?", re.IGNORECASE)),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SMALL_WORDS = _words("a an and at by de del der di du for from in la le of on or the to van von with")

_PERSON_NOUNS = _words(
    "actor actress artist author chancellor comedian composer director emperor explorer footballer king man monarch "
    "musician novelist painter philosopher player playwright poet politician pope president queen scientist singer "
    "sculptor songwriter woman writer"
)
_PLACE_NOUNS = _words(
    "area capital city continent country county desert island lake location mountain nation ocean place port province "
    "region republic river sea state street town village"
)
_ASKED = re.compile(r"\b(?:which|what)\s+((?:[\w'’-]+\s*){1,4})", re.IGNORECASE)
_NOT_NOUNS = _words(
    "a an and are be called can did do does first for had has have in is it name of on one s the this was were"
)
_MARKS_TO_SPACES = {ord(mark): " " for mark in (*string.punctuation, *"‘’´–—“”")}


def normalise(text: str) -> str:
    """Lower case, without accents, punctuation, articles and doubled spaces: what TriviaQA compares answers by."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = plain.translate(_MARKS_TO_SPACES)
    return " ".join(word for word in plain.split() if word not in ("a", "an", "the"))


def asked_noun(question: str) -> str:
    """What a question asks for, where it says so: ``river`` for "Which European river …?", else an empty text."""
    match = _ASKED.search(question)
    if match is None:
        return ""
    words = [word.casefold().removesuffix("'s") for word in match.group(1).split()]
    nouns = [word for word in words if word in _PERSON_NOUNS | _PLACE_NOUNS]
    return next((word for word in (*nouns, words[0]) if word not in _NOT_NOUNS), "")


def text_type(answer: str, question: str) -> str:
    """The type of a trivia answer: a kind of number or date, or its asked-for kind with its shape in words.

    Whether an answer names a person or a place cannot be seen in the answer: the question's "who", "where" or asked
    noun says it.
    """
    text = answer.strip()
    if form := next((name for name, pattern in _FORMS if pattern.fullmatch(text)), None):
        return form
    if text.casefold() in ("yes", "no", "true", "false"):
        return TRUTH_VALUE
    words = text.split()
    if all(word.casefold().strip(",") in (*NUMBER_WORDS, "and") for word in re.split(r"[\s-]+", text)):
        return "number in words"
    large = [word for word in words if word.casefold() not in _SMALL_WORDS]
    capitalised = all(word[0].isupper() or not word[0].isalpha() for word in large)
    shape = "one word" if len(words) == 1 else f"{'two or three' if len(words) <= 3 else 'more'} words"
    return f"{_asked_kind(question)}, {shape}, {'capitalised' if capitalised else 'lower case'}"


def _asked_kind(question: str) -> str:
    noun = asked_noun(question)
    if re.search(r"\bwho(?:m|se)?\b", question, re.IGNORECASE) or noun in _PERSON_NOUNS:
        return "person"
    if re.search(r"\bwhere\b", question, re.IGNORECASE) or noun in _PLACE_NOUNS:
        return "place"
    return "thing"


_LATEX_FORMS = (
    ("integer", re.compile(r"-?\d+")),
    ("decimal", re.compile(r"-?\d*\.\d+")),
    ("fraction", re.compile(r"-?\\frac\{-?\d+\}\{-?\d+\}|-?\d+/\d+")),
    ("mixed number", re.compile(r"-?\d+\\frac\{\d+\}\{\d+\}")),
    ("matrix", re.compile(r".*\\begin.*")),
    ("equation", re.compile(r".*=.*")),
    ("inequality", re.compile(r".*(?:<|>|\\leq?|\\geq?|\\neq?)(?![A-Za-z]).*")),
    ("interval", re.compile(r"[(\[].*,.*[)\]]|.*\\cup.*")),
    ("list", re.compile(r".*,.*")),
    ("radical", re.compile(r"(?=.*\\sqrt)(?:\\sqrt|\\frac|[-+*/^(){}\[\].\d])+")),
    ("multiple of pi", re.compile(r"(?=.*\\pi)(?:\\pi|\\sqrt|\\frac|[-+*/^(){}\[\].\d])+")),
    ("arithmetic", re.compile(r"(?:\\frac|[-+*/^(){}.\d])+")),
)
_UNIT_MARKS = (("percent", "%"), ("degrees", "\\circ"), ("dollars", "\\$"), ("unit", "\\text"), ("unit", "\\mbox"))


def latex_type(answer: str) -> str:
    """The type of a LaTeX answer: its form, its unit, and for points and lists the number of parts."""
    bare = canonical_latex(without_units(answer))
    if not bare:
        return "words"
    form = next((name for name, pattern in _LATEX_FORMS if pattern.fullmatch(bare)), "expression")
    parts = f" of {bare.count(',') + 1}" if form in ("interval", "list") else ""
    unit = next((f" ({name})" for name, mark in _UNIT_MARKS if mark in answer), "")
    return f"{form}{parts}{unit}"


def magnitude(number: str) -> str:
    """Sign and digits before the point, so that a number's distractors are of its order of magnitude."""
    return f"{'-' if number.lstrip().startswith('-') else ''}{len(re.sub(r'[^0-9]', '', number.partition('.')[0]))}"
