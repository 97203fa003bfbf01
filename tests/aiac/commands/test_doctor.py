"""`aiac doctor` as a person runs it, and what it prints."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import pytest
from doctor_fakes import ANSWER, put, sound_service, sound_submission
from loopback import serving
from rich.console import Console

from agents.core.edition import load_edition
from agents.core.errors import InputError
from aiac.cli import run
from aiac.commands.doctor import read_sizes
from aiac.commands.doctor_view import findings_table, verdict_line
from tournament.doctor.finding import Finding

FEBRUARY = load_edition("feb2026_iitd")
LONG = Finding(
    "a check whose name is long",
    "fail",
    "[red]found[/red] \x1b[31m" + "outputs/" + "x" * 100 + "/end-of-found",
    "what is expected, in more words than one line of the narrow column holds",
    "Fix it as this sentence says, which goes on over several lines to its very end.",
)


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def doctor(word_counter, capsys):
    def command(*arguments: str) -> Ran:
        code = run(["doctor", *arguments, "--edition", "aaipl-2026-02", "--tokenizer", word_counter])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return command


def test_a_sound_submission_ends_with_0(doctor, tmp_path):
    ran = doctor(str(sound_submission(tmp_path / "team")), "--quick")
    assert ran.code == 0
    assert "fail" not in ran.out
    assert "2 questions" in ran.out
    assert "20 questions" not in ran.out
    assert ran.out.splitlines()[-1].endswith(" ok")


def test_a_submission_with_a_fault_ends_with_1_and_says_what_to_fix(doctor, tmp_path):
    ran = doctor(str(sound_submission(tmp_path / "team", answer=ANSWER.replace("ABCD", "abcd"))), "--sizes", "1")
    assert ran.code == 1
    assert "fix: Emit" in ran.out
    assert ran.out.splitlines()[-1].startswith("1 fail; ")


def test_findings_come_as_json(doctor, tmp_path):
    ran = doctor(str(sound_submission(tmp_path / "team")), "--sizes", "1,2", "--json")
    report = json.loads(ran.out)
    assert (report["edition"], report["sizes"], report["passes"]) == ("feb2026_iitd", [1, 2], True)
    named = {finding["check"]: finding for finding in report["findings"]}
    assert named["agen.yaml"] == {
        "check": "agen.yaml",
        "verdict": "ok",
        "found": "max_new_tokens: 512",
        "expected": "max_new_tokens: 512, as the starter kit has it",
        "fix": "",
    }


def test_a_submission_without_its_four_files_is_not_run(doctor, tmp_path):
    folder = sound_submission(tmp_path / "team")
    (folder / "agents/answer_model.py").unlink()
    ran = doctor(str(folder))
    assert ran.code == 1
    assert not (folder / "outputs").exists()
    assert "without answer_model.py there is no submission to run" in " ".join(ran.out.split())


def test_a_service_gets_the_key_of_the_home_side_and_progress_goes_to_stderr(doctor, monkeypatch):
    monkeypatch.setenv("AIAC_HOME_API_KEY", "secret")
    with serving(sound_service()) as service:
        ran = doctor(service.url, "--quick")
    assert ran.code == 0
    assert "burst of 20" in ran.out
    assert "asking for 1 answer" in ran.err
    assert "secret" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "nowhere: found no such folder; expected a submission folder, or an address"),
        (["ftp://x"], "team: found 'ftp://x'"),
        (["nowhere", "--sizes", "2 1"], "sizes: found '2 1'; expected ascending numbers from 1 to 1000"),
    ],
)
def test_what_cannot_be_examined_is_one_sentence(doctor, arguments, complaint):
    ran = doctor(*arguments)
    assert ran.code == 2
    assert complaint in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "0", "1 1", "2 1", "x", "1.5", "-1", "1 1001", "²"])
def test_sizes_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match="ascending numbers"):
        read_sizes(text)


def test_sizes_are_separated_by_spaces_or_commas():
    assert read_sizes("1 2, 20,200") == [1, 2, 20, 200]


@pytest.mark.parametrize("width", [80, 200])
def test_nothing_is_cut_in_a_pipe_and_what_a_team_wrote_is_plain_text(width):
    file = io.StringIO()
    Console(file=file, width=width).print(findings_table("./team", FEBRUARY, [LONG]))
    shown = file.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    # Long words are folded at the column's edge: without white space every word is whole again.
    squeezed = "".join(shown.split())
    for text in ("[red]found[/red]", r"\x1b[31m", "x" * 30, "end-of-found", LONG.expected, LONG.fix):
        pieces = text.split() if " " in text else [text]
        assert all(piece in squeezed for piece in pieces), text
    assert "\x1b" not in shown


def test_the_last_line_counts_the_verdicts_worst_first():
    findings = [Finding("a", "ok", ""), Finding("b", "not checked", ""), LONG, Finding("c", "ok", "")]
    assert verdict_line(findings).plain == "1 fail; 1 not checked; 2 ok"


def test_the_arguments_of_a_target_that_is_hostile_are_shown_as_text(doctor, tmp_path):
    folder = sound_submission(tmp_path / "[bold]team")
    put(folder, "agents/answer_agent.py", "print(")
    ran = doctor(str(folder), "--sizes", "1")
    assert ran.code == 1
    assert "[bold]team" in "".join(ran.out.split())
