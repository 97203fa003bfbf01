"""Topics as the organisers write them, and the puzzle families that cover each.

A topics.json holds, in the editions seen, an object of categories with a list of names each. Read as well: one list of
names, objects of objects at any depth, names with their category in front (``Puzzles/Syllogisms``), and files whose
entries carry more than a name (``{"name": …}``), such as topics_example.json, whose values are worked examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from agents.core.edition import Edition
from agents.core.errors import InputError, describe
from agents.core.schema import MAX_JSON_DEPTH
from agents.core.text_file import read_json
from puzzles.generator import FAMILIES, family_named

NAME_FIELDS = ("name", "topic", "title")
ROW_FIELDS = frozenset({"question", "choices", "options", "answer", "expected_answer"})
"""An object with one of these is a worked example, not a topic."""
MAX_TOPICS = 1000
MAX_NAME_CHARS = 200
CLOSE = 0.85
"""How alike two names must be (Ratcliff and Obershelp, 0 to 1) for one to be taken for a misspelling of the other."""

_WORD = re.compile(r"[a-z0-9]+")
_FAMILY_WORDS: tuple[tuple[str, str], ...] = (
    (r"\bsyllogis", "syllogism"),
    (r"\b(linear|row)\b.*\b(seating|sitting|arrangement)|\b(seating|sitting)\b.*\b(linear|row)\b", "linear_seating"),
    (r"\bcircular\b.*\b(seating|sitting|arrangement)|\b(seating|sitting)\b.*\bcircular\b", "circular_seating"),
    (r"\bblood relation|\bfamily trees?\b|\bfamily relation|\bkinship\b", "blood_relation"),
    (r"\b(mixed|alphanumeric|alphabet|letter|number)s?\b.*\bseries\b|\bseries and patterns?\b", "series"),
    (r"\btruth ?(teller|telling)|\bliars?\b|\bknights? and knaves?\b", "truth_teller"),
    (r"\bmatching( type)? puzzle|\bmatching type\b|\blogic grids?\b", "matching"),
)
_SEATING = re.compile(r"\b(seating|sitting)\b")


@dataclass(frozen=True)
class Topic:
    """A topic, where it stands, and the puzzle families that cover it.

    The families are looked up once, so pass a topic down as this object and not by its name.
    """

    name: str
    category: str = ""

    @property
    def path(self) -> str:
        """``category/name``, as the organisers' prompt writes it."""
        return f"{self.category}/{self.name}" if self.category else self.name

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The families that cover the name: those whose puzzles are asked on this topic."""
        return families_of(self.name)

    @cached_property
    def _path_families(self) -> tuple[str, ...]:
        return families_of(self.path)


def read_topics(payload: Any) -> list[Topic]:
    """Every topic of a topics.json, in its order, each once.

    Raises InputError when there is none, or more than ``MAX_TOPICS``.
    """
    topics: dict[str, Topic] = {}
    for topic in _walk(payload, (), 0):
        if len(topics) == MAX_TOPICS:
            raise InputError("topics", f"more than {MAX_TOPICS:,} topics", f"at most {MAX_TOPICS:,}")
        topics.setdefault(_normalised(topic.path), topic)
    if not topics:
        raise InputError("topics", describe(payload), "an object of categories with a list of topic names each")
    return list(topics.values())


def read_topics_file(path: Path) -> list[Topic]:
    """The topics of a file. Raises FileError, and InputError as ``read_topics`` does."""
    payload = read_json(path, "a readable topics.json")
    try:
        return read_topics(payload)
    except InputError as error:
        raise InputError(f"{path}: {error.field}", error.found, error.expected) from None


def edition_topics(edition: Edition) -> list[Topic]:
    """The edition's own topics, in its order."""
    return [Topic(name, category) for category, names in edition.topics.items() for name in names]


def families_of(topic: str) -> tuple[str, ...]:
    """The puzzle families that cover ``topic``, in the order of ``FAMILIES``; empty when none does.

    Case, spacing, punctuation and a category in front do not matter, nor does a slip of the pen in a known name. The
    name decides; only a name that says nothing leaves it to the category.
    """
    if len(topic) > MAX_NAME_CHARS:
        return ()
    whole = _normalised(topic)
    name = _normalised(topic.rpartition("/")[2])
    table = _families_by_name()
    for text in (whole, name):
        if text in table:
            return table[text]
    for text in (name, whole):
        if found := _by_words(text):
            return found
    close = get_close_matches(name, table, n=1, cutoff=CLOSE)
    return table[close[0]] if close else ()


def known_topics() -> list[str]:
    """The names of the topics that the puzzle families cover, each once."""
    return list(dict.fromkeys(name for family in FAMILIES for name in family_named(family).topics))


def find_topic(asked: str, topics: list[Topic]) -> Topic:
    """The one of ``topics`` that is meant: by name, by path, or as the one that the same puzzle families cover.

    A topic that is not among them stands for itself when puzzles cover it, under the name that they know it by.
    Raises InputError that lists what is known.
    """
    if not 0 < len(asked.strip()) <= MAX_NAME_CHARS or not asked.isprintable():
        raise unknown_topic(asked, topics)
    wanted = _normalised(asked)
    for topic in topics:
        if wanted in (_normalised(topic.name), _normalised(topic.path)):
            return topic
    if families := families_of(asked):
        for topic in topics:
            if topic._path_families == families:
                return topic
        category, _, name = asked.strip().rpartition("/")
        return Topic(_known_names().get(families, name.strip()), category.strip())
    by_name = {_normalised(topic.name): topic for topic in reversed(topics)}
    if close := get_close_matches(_normalised(asked.rpartition("/")[2]), by_name, n=1, cutoff=CLOSE):
        return by_name[close[0]]
    raise unknown_topic(asked, topics)


def unknown_topic(asked: str, topics: list[Topic]) -> InputError:
    """The error for a topic that nothing here can ask about."""
    known = dict.fromkeys([topic.name for topic in topics] + known_topics())
    return InputError("topic", describe(asked), f"one of {'; '.join(known)}")


def _walk(node: Any, above: tuple[str, ...], depth: int) -> Iterator[Topic]:
    if depth > MAX_JSON_DEPTH:
        raise InputError("topics", f"more than {MAX_JSON_DEPTH} nested containers", "categories of topic names")
    if isinstance(node, str):
        yield from _named(node, above)
    elif isinstance(node, list):
        if above and (not node or _is_rows(node)):
            yield from _named(above[-1], above[:-1])
            return
        for entry in node:
            yield from _walk(entry, above, depth + 1)
    elif isinstance(node, Mapping):
        named = next((node[field] for field in NAME_FIELDS if isinstance(node.get(field), str)), None)
        if named is not None:
            yield from _named(named, above)
        elif set(node) == {"topics"}:
            yield from _walk(node["topics"], above, depth + 1)
        elif node:
            for name, inner in node.items():
                yield from _walk(inner, (*above, str(name)), depth + 1)
        elif above:
            yield from _named(above[-1], above[:-1])
    elif above:
        # A name with a number or null behind it: a weight, a count.
        yield from _named(above[-1], above[:-1])


def _is_rows(node: list[Any]) -> bool:
    return all(isinstance(entry, Mapping) and ROW_FIELDS & set(entry) for entry in node)


def _named(text: str, above: tuple[str, ...]) -> Iterator[Topic]:
    category, _, name = text.strip().rpartition("/")
    name = name.strip()
    if not name or not name.isprintable() or len(text) > MAX_NAME_CHARS:
        raise InputError("topics", describe(text), f"names of 1 to {MAX_NAME_CHARS} printable characters")
    yield Topic(name, "/".join((*above, category.strip())) if category.strip() else "/".join(above))


def _normalised(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


@cache
def _families_by_name() -> dict[str, tuple[str, ...]]:
    names = {name for family in FAMILIES for name in family_named(family).topics}
    table = {
        _normalised(name): tuple(family for family in FAMILIES if name in family_named(family).topics) for name in names
    }
    return table | {_normalised(family): (family,) for family in FAMILIES}


@cache
def _known_names() -> dict[tuple[str, ...], str]:
    """The first known topic that exactly these families cover."""
    return {families_of(name): name for name in reversed(known_topics())}


def _by_words(text: str) -> tuple[str, ...]:
    found = {family for pattern, family in _FAMILY_WORDS if re.search(pattern, text)}
    if not found and _SEATING.search(text):
        found = {"linear_seating", "circular_seating"}
    return tuple(family for family in FAMILIES if family in found)
