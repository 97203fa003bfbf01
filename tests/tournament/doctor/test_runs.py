"""The doctor's runs of a submission's two command lines: real processes, one planted fault a test."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doctor_fakes import ANSWER, ASK, by_check, examination, not_ok, sound_submission

from tournament.doctor.finding import Finding
from tournament.doctor.runs import run_findings

ONE_AS_TEXT = """
    rows = json.loads(Path(options.input_file).read_text())
    text = json.dumps({"answer": "A", "reasoning": "So it is."})
    write_both(list(text) if len(rows) == 1 else [text] * len(rows))
"""


def examined(at: Path, *, sizes: tuple[int, ...] = (1, 2), **scripts: str) -> dict[str, Finding]:
    return by_check(run_findings(sound_submission(at / "team", **scripts), examination(sizes=sizes)))


def test_a_sound_submission_has_nothing_to_mend(tmp_path):
    found = examined(tmp_path, sizes=(1, 2, 20))
    assert not_ok(found.values()) == {}
    assert found["question filter"].found == "20 of 20 pass"
    assert found["letters said"].found == "A 5, B 5, C 5, D 5; 20 of 20 right"
    assert found["filtered answers"].found == "20 rows that pass"
    assert {"1 question", "2 questions", "20 questions", "1 answer", "2 answers", "20 answers"} <= found.keys()


def test_the_answer_agent_sees_neither_key_nor_explanation(tmp_path):
    leak = """
        rows = json.loads(Path(options.input_file).read_text())
        write_both([{"answer": "A", "reasoning": " ".join(sorted(row))} for row in rows])
    """
    found = examined(tmp_path, answer=leak)
    # As many words as there are fields: topic, question and choices.
    assert found["reasonings"].found == "at most 3 words (row 1)"


@pytest.mark.parametrize(
    ("scripts", "check", "verdict", "words"),
    [
        ({"ask": "raise SystemExit(3)"}, "1 question", "fail", "exit code 3 without outputs/questions.json"),
        ({"answer": "1 / 0"}, "1 answer", "fail", "ZeroDivisionError: division by zero"),
        ({"ask": "write_both([])"}, "1 question", "fail", "0 rows"),
        ({"answer": ONE_AS_TEXT}, "1 answer", "fail", "41 rows"),
        ({"ask": ASK.replace("write_both", "write")}, "filtered questions", "fail", "no outputs/filtered_questions"),
        ({"answer": ANSWER.replace("write_both", "write")}, "filtered answers", "fail", "no outputs/filtered_answers"),
        ({"answer": ANSWER.replace("ABCD", "abcd")}, "answer letters", "fail", "'a', not exactly one upper-case"),
        ({"ask": ASK + "    print('x' * 2_000_000)"}, "what question runs print", "warning", "2,000,001 bytes"),
        ({"answer": ANSWER + "    Path('stash').touch()"}, "what answer runs leave", "warning", "made stash, outside"),
        ({"ask": ASK + "    raise SystemExit(1)"}, "what question runs leave", "warning", "ended with exit code 1"),
        (
            {"ask": ASK + "    Path('outputs/filtered_questions.json').write_text('{}')"},
            "filtered questions",
            "fail",
            "outputs/filtered_questions.json is no list",
        ),
        (
            {"ask": ASK + "    Path('outputs/filtered_questions.json').write_text('<html>')"},
            "filtered questions",
            "fail",
            "outputs/filtered_questions.json cannot be read",
        ),
        (
            {"ask": ASK + "    Path('outputs/filtered_questions.json').write_text('[]')"},
            "filtered questions",
            "warning",
            "0 rows that pass",
        ),
    ],
)
def test_a_fault_of_a_run_is_found(tmp_path, scripts: dict[str, Any], check: str, verdict: str, words: str):
    found = examined(tmp_path, **scripts)[check]
    assert found.verdict == verdict
    assert words in found.found
    assert found.fix


def test_after_a_size_that_fails_no_larger_one_is_run(tmp_path):
    found = examined(tmp_path, sizes=(1, 2, 20), ask=ASK.replace("write_both(rows)", "write_both(rows[:1])"))
    assert [found[check].verdict for check in ("1 question", "2 questions", "20 questions")] == [
        "ok",
        "fail",
        "not checked",
    ]
    assert found["20 questions"].found == "the run for 2 questions failed"
    # What the last good run gave is judged, and the other side is examined as ever.
    assert found["question filter"].found == "1 of 1 pass"
    assert found["20 answers"].verdict == "ok"


def test_a_filtered_copy_of_an_earlier_run_does_not_pass_for_this_one(tmp_path):
    once = """
        marker = Path("outputs/again")
        rows = json.loads(Path(options.input_file).read_text())
        rows = [{"answer": "A", "reasoning": "So it is."}] * len(rows)
        write(rows) if marker.exists() else write_both(rows)
        marker.touch()
    """
    assert examined(tmp_path, answer=once)["filtered answers"].verdict == "fail"


def test_a_run_over_its_limit_is_late_by_the_clock_that_examines(tmp_path):
    ticks = itertools.count(0, 14)
    late = replace(examination(), clock=lambda: float(next(ticks)))
    found = by_check(run_findings(sound_submission(tmp_path / "team"), late))
    assert (found["1 question"].verdict, found["1 question"].found) == ("fail", "14.0 s of 13")
    assert found["2 questions"].verdict == "not checked"
    assert found["1 answer"].found == "14.0 s of 9"


def test_start_and_pace_are_told_apart(tmp_path):
    # Five seconds and one for each item, for each of the runs of 1 and 2 of both sides.
    moments = itertools.accumulate(itertools.cycle([0.0, 6.0, 0.0, 7.0]))
    paced = replace(examination(), clock=lambda: next(moments))
    found = by_check(run_findings(sound_submission(tmp_path / "team"), paced))
    assert found["question pace"].found == "5.0 s to start, then 1.00 s each"
    assert found["answer pace"].found == "5.0 s to start, then 1.00 s each"


def test_a_run_that_hangs_is_ended_and_fails(tmp_path):
    folder = sound_submission(tmp_path / "team", ask="time.sleep(1000)")
    short = examination(run_patience_s=0.1)
    edition = replace(short.edition, question_seconds=0.1)
    found = by_check(run_findings(folder, replace(short, edition=edition)))["1 question"]
    assert found.verdict == "fail"
    assert found.found.startswith("the run was ended: its time was over; after ")
    assert found.fix == "Make the run end by itself and in time; the organisers do not wait."


def test_progress_is_told(tmp_path):
    said: list[str] = []
    list(run_findings(sound_submission(tmp_path / "team"), examination(), say=said.append))
    assert said[0] == "running agents.question_agent for 1 question"
    assert len(said) == 4
