"""Bad input on the command line: one sentence, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents.ensemble.loading import find_ensemble
from agents.ensemble.manifest_file import read_manifest
from aiac.cli import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ask(capsys):
    def run_command(*arguments: str) -> tuple[int, str]:
        code = run(list(arguments))
        return code, capsys.readouterr().err

    return run_command


def one_sentence(message: str) -> bool:
    return message.count("\n") == 1 and "Traceback" not in message


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (None, "no such file"),
        (b"not json", "text that is not JSON"),
        (b'["\xff"]', "bytes that are not UTF-8"),
        (b"5", "found int 5; expected an object, a list, or an object with questions"),
    ],
    ids=["missing", "not JSON", "not UTF-8", "a number"],
)
def test_a_file_that_is_not_questions(ask, tmp_path, contents, expected):
    file = tmp_path / "questions.json"
    if contents is not None:
        file.write_bytes(contents)
    code, message = ask("answer", str(file), "--output", str(tmp_path / "answers.json"))
    assert code == 2
    assert expected in message
    assert one_sentence(message)
    assert not (tmp_path / "answers.json").exists()


@pytest.fixture
def questions(tmp_path) -> Path:
    file = tmp_path / "questions.json"
    file.write_text(json.dumps([{"question": "Q?", "choices": ["x", "y"]}]))
    return file


def test_an_unknown_edition_names_those_there_are(ask, questions):
    code, message = ask("answer", str(questions), "--edition", "mars2031")
    assert code == 2
    assert "'mars2031'" in message
    assert "oct2025_aiac" in message


def test_an_unknown_ensemble_says_where_it_looked(ask, questions):
    code, message = ask("answer", str(questions), "--ensemble", "nowhere")
    assert code == 2
    assert "ensembles/nowhere" in message
    assert one_sentence(message)


def test_an_unknown_model_names_the_catalogue(ask):
    code, message = ask("models", "pull", "GPT-17")
    assert code == 2
    assert "SmolLM2-135M-Instruct" in message
    assert one_sentence(message)


def test_a_manifest_of_another_schema_or_without_a_field(ask, questions, tmp_path):
    folder = tmp_path / "ensemble"
    folder.mkdir()
    (folder / "ensemble.json").write_text('{"schema_version": 99}')
    code, message = ask("answer", str(questions), "--ensemble", str(folder))
    assert (code, "schema_version: found int 99; expected 1" in message) == (2, True)
    (folder / "ensemble.json").write_text('{"schema_version": 1}')
    code, message = ask("answer", str(questions), "--ensemble", str(folder))
    assert code == 2
    assert "name" in message
    assert one_sentence(message)


def test_an_output_that_cannot_be_written_is_refused_before_any_work(ask, questions, tmp_path):
    (tmp_path / "file").write_text("")
    code, message = ask("answer", str(questions), "--output", str(tmp_path / "file" / "answers.json"))
    assert code == 2
    assert str(tmp_path / "file") in message
    assert one_sentence(message)


def test_usage_errors_are_one_line_too(ask):
    code, message = ask("answer")
    assert code == 2
    assert one_sentence(message)


def test_the_organisers_command_line_speaks_the_same_way(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "agents.answer_agent", "--input_file", "nowhere.json", "--output_file", "x.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "answer_agent: nowhere.json: found no such file or directory; expected a readable JSON file of questions\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.model
def test_a_broken_row_becomes_null_in_its_place_and_its_reason_goes_to_stderr(ask, tmp_path, default_checkpoint):
    good = {"question": "What do bees make?", "choices": ["Honey", "Concrete", "Electricity", "Paper money"]}
    file, output = tmp_path / "questions.json", tmp_path / "answers.json"
    file.write_text(json.dumps([good, {**good, "choices": ["one"]}, "not json", good]))
    code, message = ask("answer", str(file), "--output", str(output), "--edition", "feb2026_iitd")
    assert code == 0
    answers = json.loads(output.read_text())
    assert [answer and answer["answer"] for answer in answers] == ["A", None, None, "A"]
    assert "row 2: choices: found 1 choices; expected 2 to 10 choices" in message
    assert "row 3: question row: found text that is not JSON" in message


@pytest.mark.model
def test_a_damaged_weight_file_is_named(ask, questions, tmp_path, default_checkpoint):
    import shutil

    copy = tmp_path / "model"
    shutil.copytree(default_checkpoint, copy)
    weights = copy / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))
    manifest = json.loads((ROOT / "ensembles" / "default" / "ensemble.json").read_text())
    manifest["base"]["model"] = str(copy)
    folder = tmp_path / "ensemble"
    folder.mkdir()
    (folder / "ensemble.json").write_text(json.dumps(manifest))
    code, message = ask("answer", str(questions), "--ensemble", str(folder))
    assert code == 2
    last = message.splitlines()[-1]
    assert str(weights) in last
    assert "SHA-256" in last


@pytest.mark.model
def test_validate_reports_every_voter_on_the_terminal_and_as_json(tmp_path, default_checkpoint, capsys):
    rows = [
        {"id": str(i), "source": "made", "question": "What do bees make?", "answer_index": i % 4,
         "choices": [*["Concrete", "Sand", "Glass"][: i % 4], "Honey", *["Concrete", "Sand", "Glass"][i % 4 :]]}
        for i in range(8)
    ]  # fmt: skip
    data, report = tmp_path / "made.test.jsonl", tmp_path / "report.json"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["validate", str(data), "--json", str(report), "--edition", "feb2026_iitd"]) == 0
    found = json.loads(report.read_text())
    assert found["rows"] == 8
    # Cloze scores do not look at places: all eight orders of one question are right together.
    assert found["voters"]["pool"]["correct"] == 8
    assert found["voters"]["pool"]["by_source"]["made"]["low"] == pytest.approx(8 / (8 + 1.959964**2), abs=1e-4)
    assert set(found["voters"]) == {
        "pool",
        *(m.name for m in read_manifest(find_ensemble("starter")).members if m.weight),
    }
    assert "pool" in capsys.readouterr().out


@pytest.mark.model
def test_check_says_which_member_an_engine_does_not_reproduce(tmp_path, default_checkpoint, capsys):
    assert run(["check", "--ensemble", "default"]) == 0
    assert "yes" in capsys.readouterr().out
    manifest = json.loads((find_ensemble("default") / "ensemble.json").read_text())
    [row, *_] = manifest["members"][0]["probes"][0]["logprobs"]
    row[0] -= 1.0
    (tmp_path / "ensemble.json").write_text(json.dumps(manifest))
    assert run(["check", "--ensemble", str(tmp_path), "--dtype", "float32"]) == 1
    out = capsys.readouterr().out
    assert "differs from its golden probes by" in out
    assert "no" in out.split()
