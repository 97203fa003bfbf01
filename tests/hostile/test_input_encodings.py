"""Every text file that a person writes is read in UTF-8, UTF-16 and UTF-32, with a byte order mark or without one."""

from __future__ import annotations

import codecs
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.answering.question_file import read_question_file
from agents.core.errors import AiacError, InputError
from agents.core.manifest import Base, Manifest, Member
from agents.core.schema import Question
from agents.core.text_file import decode_text
from agents.core.topics import read_topics_file
from agents.ensemble.manifest_file import read_manifest
from agents.models.checkpoint import read_json_object, read_record
from agents.support.bundle import read_bundle
from tournament.teams.names import read_teams
from tournament.teams.question_file import read_rows
from training.recipe import ExportRecipe, read_yaml
from training.sources.files import file_rows

ROOT = Path(__file__).resolve().parents[2]
ENCODINGS = {
    "UTF-8": (b"", "utf-8"),
    "UTF-8 with a mark": (codecs.BOM_UTF8, "utf-8"),
    "UTF-16": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "UTF-16 of the other order": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "UTF-16 without a mark": (b"", "utf-16-le"),
    "UTF-16 of the other order without a mark": (b"", "utf-16-be"),
    "UTF-32": (codecs.BOM_UTF32_LE, "utf-32-le"),
    "UTF-32 of the other order": (codecs.BOM_UTF32_BE, "utf-32-be"),
}
QUESTION = {"question": "Où ? \u2028 \U0001f600", "choices": ["A) é", "B) ü", "C) ß", "D) 𝒳"], "answer": "B"}
WANTED = Question("Où ? \u2028 \U0001f600", ("é", "ü", "ß", "𝒳"), key=1)
MANIFEST = Manifest(
    name="tiny", base=Base(model="é", sha256="0" * 64), members=[Member(name="plain", method="cloze", weight=1.0)]
)


def topic_paths(path: Path) -> list[str]:
    return [topic.path for topic in read_topics_file(path)]


def question_rows(path: Path) -> list[Question]:
    return [row.question for row in file_rows(path, "test") if hasattr(row, "question")]


Reader = Callable[[Path], Any]
READERS: dict[str, tuple[str, str, Reader, Any]] = {
    "a question file": ("q.json", json.dumps([QUESTION], ensure_ascii=False), read_question_file, [WANTED]),
    "a team's questions": ("q.json", json.dumps([QUESTION], ensure_ascii=False), read_rows, [QUESTION]),
    "rows of JSON": ("q.json", json.dumps([QUESTION], ensure_ascii=False), question_rows, [WANTED]),
    "rows of JSON lines": ("q.jsonl", json.dumps(QUESTION, ensure_ascii=False) + "\n", question_rows, [WANTED]),
    "topics": ("topics.json", '{"Énigmes": ["Seating"]}', topic_paths, ["Énigmes/Seating"]),
    "a league": ("t.yaml", "teams: {é: random, b: always-a}", read_teams, {"é": "random", "b": "always-a"}),
    "a manifest": ("ensemble.json", MANIFEST.model_dump_json(), read_manifest, MANIFEST),
    "a JSON object": ("config.json", '{"a": "é"}', read_json_object, {"a": "é"}),
}  # fmt: skip


def test_every_encoding_is_told_by_its_first_bytes() -> None:
    for text in ("", "a", "{}", "ab é \U0001f600"):
        for mark, encoding in ENCODINGS.values():
            if mark or len(text) > 1 or not text:
                assert decode_text(mark + text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("what", READERS)
def test_a_file_is_read_in_every_encoding(tmp_path: Path, what: str, encoding: str) -> None:
    name, text, read, wanted = READERS[what]
    mark, codec = ENCODINGS[encoding]
    path = tmp_path / name
    path.write_bytes(mark + text.encode(codec))
    assert read(path) == wanted


def test_a_gzipped_file_and_a_recipe_are_read_too(tmp_path: Path) -> None:
    data = codecs.BOM_UTF16_LE + json.dumps(QUESTION, ensure_ascii=False).encode("utf-16-le")
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(data))
    assert question_rows(tmp_path / "q.jsonl.gz") == [WANTED]
    recipe = (ROOT / "recipes" / "base-smollm2-135m.yaml").read_text("utf-8")
    (tmp_path / "recipe.yaml").write_bytes(codecs.BOM_UTF8 + recipe.encode())
    assert read_yaml(tmp_path / "recipe.yaml", ExportRecipe).model == "SmolLM2-135M-Instruct"


def read_record_beside(path: Path) -> Any:
    return read_record(path.parent)


def read_bundle_beside(path: Path) -> Any:
    return read_bundle(path.parent)


WRONG = {
    "bytes of no encoding": b'["\xff"]',
    "half a character of UTF-16": codecs.BOM_UTF16_LE + b"[",
    "a lone surrogate in UTF-16": codecs.BOM_UTF16_LE + b"[\x00\x00\xd8]\x00",
    "nothing": b"",
    "a hundred thousand brackets": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep YAML": b"- " * 20_000 + b"a",
    "a number of a million digits": b"[" + b"1" * 1_000_000 + b"]",
    "a date that is none": b"a: 2026-99-99",
    "null": b"null",
    "control characters": b"\x00\x01\x02\x03",
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        *((name, read) for name, _, read, _ in READERS.values()),
        ("recipe.yaml", lambda path: read_yaml(path, ExportRecipe)),
        ("model.json", read_record_beside),
        ("bundle.json", read_bundle_beside),
    ],
)
def test_a_file_that_is_nothing_is_one_sentence(tmp_path: Path, name: str, read: Reader, wrong: str) -> None:
    path = tmp_path / name
    path.write_bytes(WRONG[wrong])
    try:
        read(path)
    except AiacError as error:
        assert isinstance(error, InputError)
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 1000
