"""What the organisers' own agents read from a submission: generation settings, topics, examples, two prompts.

A starter kit's files are taken as they are. What it lacks, and everything where there is no kit, is written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from agents.core.edition import Edition
from agents.core.errors import FileError
from agents.core.token_estimate import estimate_tokens
from tournament.bundle.file_copy import FileContent
from tournament.teams.protocol import QuestionSpec, Row
from tournament.teams.puzzle_source import MAX_DRAWS, PuzzleSource

SETTINGS = """\
# max_new_tokens is the edition's; it must not be changed.
max_new_tokens: {limit}
temperature: {temperature}
top_p: 0.9
repetition_penalty: 1.2
do_sample: true
"""
PROMPTS = Path(__file__).with_name("build_prompt.py")
KIT_FOLDERS = ("assets", "utils")
EXAMPLES = 2
"""Worked questions a topic, which the organisers' own Q-agent quotes in its prompts."""


def worked_examples(edition: Edition, source: PuzzleSource) -> dict[str, list[Row]]:
    """Return puzzles with proved keys for each of the edition's topics, by topic; all of them pass its filter."""
    found: dict[str, list[Row]] = {}
    for topic in (topic for topics in edition.topics.values() for topic in topics):
        requests = (QuestionSpec(topic, None, seed) for seed in range(EXAMPLES * MAX_DRAWS))
        found[topic] = list(islice(source.fitting(requests, edition, estimate_tokens), EXAMPLES))
    return found


def kit_files(edition: Edition, examples: Mapping[str, Sequence[Row]], kit: Path | None) -> dict[str, FileContent]:
    """Every file by its path in the submission. ``examples`` are worked questions by topic.

    Of ``kit`` all of assets/ and utils/ is taken; a file may also lie at its top, without its folder. Raises FileError
    for a folder that is no kit.
    """
    written = _written(edition, examples)
    if kit is None:
        return written
    theirs: dict[str, FileContent] = {}
    for path in written:
        if (loose := kit / Path(path).name).is_file() and loose.name != "__init__.py":
            theirs[path] = loose
    for file in (file for folder in KIT_FOLDERS for file in sorted((kit / folder).rglob("*"))):
        if file.is_file() and file.suffix != ".pyc":
            theirs[file.relative_to(kit).as_posix()] = file
    if not theirs:
        found = "no file of a starter kit" if kit.is_dir() else "no such folder"
        raise FileError(str(kit), found, "a folder with qgen.yaml, agen.yaml, assets/ and utils/, or some of these")
    return {**written, **theirs}


def _written(edition: Edition, examples: Mapping[str, Sequence[Row]]) -> dict[str, FileContent]:
    return {
        "qgen.yaml": SETTINGS.format(limit=edition.question_max_new_tokens, temperature=0.7).encode(),
        "agen.yaml": SETTINGS.format(limit=edition.answer_max_new_tokens, temperature=0.1).encode(),
        "assets/topics.json": _json({category: list(names) for category, names in edition.topics.items()}),
        "assets/topics_example.json": _json({topic: list(map(_example, rows)) for topic, rows in examples.items()}),
        # Without it any installed package of that name would be found before this folder.
        "utils/__init__.py": b"",
        "utils/build_prompt.py": PROMPTS,
    }


def _example(row: Row) -> Row:
    # The editions' agents do not agree on the name of the key.
    names = ("question", "choices", "answer", "explanation")
    return {**{name: row[name] for name in names}, "expected_answer": row["answer"]}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=4, ensure_ascii=False) + "\n").encode()
