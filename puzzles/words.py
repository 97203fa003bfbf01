"""Names and small pieces of English, and how long a text may be."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

MEN = (
    "Adam", "Ben", "Carl", "Dan", "Eric", "Frank", "George", "Henry", "Ivan", "Jack", "Leo", "Mark", "Neil", "Omar",
    "Paul", "Sam", "Tom", "Victor", "Amit", "Raj", "Kumar", "Ali", "Hugo", "Luis", "Peter", "Simon", "Tim", "Max",
    "Alan", "Brian", "David", "Ahmed", "Kevin", "Martin", "Oscar", "Ryan", "Ken", "Jim", "Bob", "Joe", "Ted", "Roy",
)  # fmt: skip
WOMEN = (
    "Anna", "Beth", "Clara", "Diana", "Ella", "Fiona", "Helen", "Irene", "Jane", "Kate", "Laura", "Maria", "Nina",
    "Paula", "Rita", "Sara", "Tina", "Uma", "Vera", "Amy", "Emma", "Eva", "Julia", "Lisa", "Lucy", "Mary", "Nancy",
    "Ruth", "Susan", "Alice", "Linda", "Donna", "Ellen", "Joan", "Judy", "Karen", "Kelly", "Leah", "Mia", "Anita",
)  # fmt: skip
LETTERS = "ABCDEFGH"
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")

MAX_EXPLANATION_WORDS = 100
MAX_TOKENS = 127
"""Tokens that question, lettered choices and answer may have together by ``token_bound``: the organisers' code lets a
question through below 130, after taking 15 off. The 15 and two more are kept in reserve."""

_PIECE = re.compile(r"\"?[A-Z]?[a-z]+|[A-Z]|\s?\d|[^\sA-Za-z\d]")
_LONG_WORD = 8
_LONG_COMMON = frozenset(
    {
        "immediately", "between", "neighbours", "neighbour", "opposite", "conclusion", "conclusions", "possibility",
        "statement", "statements", "different", "following", "friends", "exactly", "daughter", "brother", "outward",
        "position", "directly",
    }
)  # fmt: skip
_TWO_TOKENS = frozenset({"knave", "knaves", "drinker", "parrot"})


def token_bound(text: str) -> int:
    """At least as many tokens as the Qwen tokenizer makes of one of our texts, usually a few more.

    Every capital, digit, space before a digit and punctuation mark counts one; a word one, or two when it is long and
    not known to be one. One more is added for a word without a space in front: the first, and one in quotation marks.
    """
    return 1 + sum(map(_tokens, _PIECE.findall(text)))


def _tokens(piece: str) -> int:
    if piece[-1].isdigit():
        return len(piece)
    word = piece.lstrip('"').lower()
    long = word in _TWO_TOKENS or (len(word) >= _LONG_WORD and word not in _LONG_COMMON)
    return 1 + long + 2 * (piece != '"' and piece.startswith('"'))


def fits(question: str, choices: Sequence[str]) -> bool:
    """Whether a question is short enough for every edition."""
    lettered = sum(token_bound(choice) + 2 for choice in choices)
    return token_bound(question) + lettered + 1 <= MAX_TOKENS


def people(rng: random.Random, number: int) -> tuple[str, ...]:
    """``number`` distinct names: letters in order, or first names with distinct initials."""
    if rng.random() < 0.4:
        return tuple(LETTERS[:number])
    pool = rng.sample(MEN + WOMEN, len(MEN + WOMEN))
    by_initial = {name[0]: name for name in reversed(pool)}
    return tuple(name for name in pool if by_initial[name[0]] == name)[:number]


def listed(items: Sequence[str], joint: str = "and") -> str:
    """ "A, B and C"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}"


def sentence(text: str) -> str:
    """``text`` with a capital in front and a full stop behind."""
    return f"{text[0].upper()}{text[1:]}."


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "one person", "two people"."""
    return f"{NUMBERS[number]} {noun if number == 1 else plural or noun + 's'}"
