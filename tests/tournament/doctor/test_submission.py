"""The doctor's look at a submission's files: each fault by its name, and nothing in the folder is run for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arena_fakes import FEBRUARY
from doctor_fakes import by_check, not_ok, put, sound_submission

from agents.core.edition import load_edition
from tournament.doctor.finding import Finding
from tournament.doctor.submission import FREE_TO_REST_BYTES, submission_findings

PLENTY = FREE_TO_REST_BYTES


def look(folder: Path, free: int = PLENTY) -> list[Finding]:
    return list(submission_findings(folder, FEBRUARY, lambda at: free))


@pytest.fixture
def folder(tmp_path) -> Path:
    return sound_submission(tmp_path / "team")


def test_a_sound_submission_has_nothing_to_mend(folder):
    assert not_ok(look(folder)) == {}


def test_nothing_in_the_folder_is_run(folder, tmp_path):
    for name in ("question_agent", "question_model", "answer_agent", "answer_model"):
        put(folder, f"agents/{name}.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
    look(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["question_agent.py", "question_model.py", "answer_agent.py", "answer_model.py"])
def test_each_of_the_four_files_must_be_there(folder, name):
    (folder / "agents" / name).unlink()
    found = by_check(look(folder))[f"agents/{name}"]
    assert (found.verdict, found.found) == ("fail", "no such file")
    assert found.fix == f"Add agents/{name}; all four files must exist."


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:", "invalid syntax"),
        (b"\xff\xfe = 1", "utf-8"),
        ("x = 1\0", "null bytes"),
        ("x" * 3_000_000, "at most 2,097,152 are read"),
    ],
)
def test_a_file_that_is_no_python_fails_with_the_reason(folder, source, words):
    put(folder, "agents/answer_agent.py", source)
    found = by_check(look(folder))["agents/answer_agent.py"]
    assert found.verdict == "fail"
    assert words in found.found


def test_a_file_that_is_a_link_fails(folder, tmp_path):
    put(tmp_path, "elsewhere.py", "")
    (folder / "agents/answer_agent.py").unlink()
    (folder / "agents/answer_agent.py").symlink_to(tmp_path / "elsewhere.py")
    assert by_check(look(folder))["agents/answer_agent.py"].verdict == "fail"


def test_a_model_file_must_give_its_class(folder):
    put(folder, "agents/answer_model.py", "class Agent:\n    pass\n\ndef f():\n    class AAgent: pass\n")
    found = by_check(look(folder))
    assert found["agents/answer_model.py"].verdict == "fail"
    assert "AAgent" in found["agents/answer_model.py"].fix
    assert "AAgent's interface" not in found


@pytest.mark.parametrize(
    "source",
    [
        "from team.model import Agent as AAgent",
        "import AAgent",
        "try:\n    from fast import AAgent\nexcept ImportError:\n    from slow import AAgent",
        "class Base: pass\nclass AAgent(Base): pass",
        "from functools import partial\nAAgent = partial(dict)",
        "if True:\n    with open('x'):\n        from x import AAgent",
    ],
)
def test_a_class_from_elsewhere_is_there_and_its_interface_is_not_checked(folder, source):
    put(folder, "agents/answer_model.py", source)
    found = by_check(look(folder))
    assert found["agents/answer_model.py"].verdict == "ok"
    assert found["AAgent's interface"].verdict == "not checked"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("**kwargs):\n        self", "model):\n        self", "__init__ takes no **kwargs"),
        ("self.tokenizer", "self.words", "no tokenizer"),
        ("def generate_response", "def respond", "no generate_response"),
        ("def generate_response", "async def generate_response", "generate_response is asynchronous"),
        ("system_prompt=None, **kwargs", "system_prompt=None", "generate_response takes no **kwargs"),
    ],
)
def test_a_class_must_take_what_their_agent_gives_it(folder, old, new, fault):
    source = (folder / "agents/question_model.py").read_text()
    assert old in source
    put(folder, "agents/question_model.py", source.replace(old, new))
    found = by_check(look(folder))["QAgent's interface"]
    assert (found.verdict, found.found) == ("fail", fault)


def test_a_tokenizer_may_be_a_property(folder):
    source = (folder / "agents/answer_model.py").read_text().replace("self.tokenizer = None", "pass")
    put(folder, "agents/answer_model.py", source + "    @property\n    def tokenizer(self): ...\n")
    assert not_ok(look(folder)) == {}


@pytest.mark.parametrize(("name", "limit"), [("qgen.yaml", 1024), ("agen.yaml", 512)])
def test_a_generation_limit_that_was_changed_fails(folder, name, limit):
    put(folder, name, "max_new_tokens: 2048\n")
    found = by_check(look(folder))[name]
    assert (found.verdict, found.found) == ("fail", "max_new_tokens: 2048")
    assert found.fix.startswith(f"Set max_new_tokens back to {limit};")


@pytest.mark.parametrize(
    ("contents", "verdict"),
    [
        ("temperature: 0.1", "ok"),
        ("max_new_tokens: true", "fail"),
        ("max_new_tokens: '512'", "fail"),
        ("- 512", "fail"),
        ("", "fail"),
        ("a: [", "fail"),
        ("a: !!python/object/apply:os.system [ls]", "fail"),
        ("[" * 5000, "fail"),
        (b"\xff", "fail"),
    ],
)
def test_settings_are_read_as_data_and_judged(folder, contents, verdict):
    put(folder, "agen.yaml", contents)
    assert by_check(look(folder))["agen.yaml"].verdict == verdict


def test_settings_that_are_missing_are_a_warning(folder):
    (folder / "qgen.yaml").unlink()
    assert not_ok(look(folder)) == {"qgen.yaml": "warning"}


@pytest.mark.parametrize("contents", ["{", "[]", "{}", '{"a": "b"}', '{"a": []}', "[" * 5000, b"\xff"])
def test_topics_that_cannot_be_read_fail(folder, contents):
    put(folder, "assets/topics.json", contents)
    assert by_check(look(folder))["assets/topics.json"].verdict == "fail"


def test_topics_that_are_missing_fail(folder):
    (folder / "assets/topics.json").unlink()
    assert not_ok(look(folder)) == {"assets/topics.json": "fail"}


def test_topics_of_another_edition_are_a_warning(folder):
    topics = load_edition("oct2025_aiac").topics
    put(folder, "assets/topics.json", json.dumps({name: list(of) for name, of in topics.items()}))
    found = by_check(look(folder))["assets/topics.json"]
    assert found.verdict == "warning"
    assert "not of AAIPL, February 2026: 'Puzzles involving generations and family tree logic'" in found.found
    assert "missing: Family tree logic, Mixed Series (Alphanumeric), Syllogisms" in found.found


def test_what_their_agents_read_beside_is_missed(folder):
    (folder / "utils/build_prompt.py").unlink()
    found = by_check(look(folder))["what their agents read"]
    assert (found.verdict, found.found) == ("warning", "not there: utils/build_prompt.py")


@pytest.mark.parametrize(
    ("free", "verdict"), [(PLENTY, "ok"), (PLENTY - 1, "warning"), (250_000_000, "warning"), (249_999_999, "fail")]
)
def test_a_disk_that_is_nearly_full(folder, free, verdict):
    assert by_check(look(folder, free))["disk"].verdict == verdict


def test_the_folder_is_weighed_and_a_file_with_two_names_counts_once(tmp_path):
    put(tmp_path, "weights/a", bytes(3_000_000))
    (tmp_path / "b").hardlink_to(tmp_path / "weights/a")
    (tmp_path / "c").symlink_to("/dev/zero")
    assert by_check(look(tmp_path))["disk"].found == "5.0 GB free; the folder holds 3.0 MB"
