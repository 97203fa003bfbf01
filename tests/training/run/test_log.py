"""A run's log survives a kill at any byte, and a resumed run's log is the one of a run never killed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.errors import FileError
from training.guards import ProbeStats
from training.run.log import (
    DecisionRecord,
    ProbeRecord,
    Record,
    RowsRecord,
    RunLog,
    StepRecord,
    probe_record,
    read_run_log,
)

reproducibly = settings(derandomize=True, deadline=None, max_examples=40)

STATS = ProbeStats(rows=40, accuracy=0.5, top_share=0.3, label_mass=0.9, nll_nats=1.25)


def step(number: int, loss: float = 1.5) -> StepRecord:
    return StepRecord(number, (number - 1) // 10, loss, 2e-5, 0.75, 800, 1.5)


def write(path: Path, records: list[Record]) -> Path:
    with RunLog(path) as log:
        for record in records:
            log.write(record)
    return path


RECORDS: list[Record] = [
    RowsRecord(0, 72, 3, 1024),
    probe_record(0, -1, STATS),
    step(1),
    step(2, math.nan),
    step(3, math.inf),
    DecisionRecord(3, "roll_back", "Der Verlust ist „nan“.\nZwei Zeilen."),
    probe_record(10, 0, STATS),
]


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", RECORDS)
    assert repr(read_run_log(path)) == repr(RECORDS)  # nan is not equal to itself


def test_a_line_is_one_json_object_that_any_reader_takes(tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    path = write(tmp_path / "metrics.jsonl", RECORDS)
    lines = [json.loads(line, parse_constant=refuse) for line in path.read_text("utf-8").split("\n")[:-1]]
    assert [line["kind"] for line in lines] == ["rows", "probe", "step", "step", "step", "decision", "probe"]
    assert lines[0] == {"kind": "rows", "step": 0, "rows": 72, "too_long": 3, "max_tokens": 1024}
    assert lines[1] == {
        "kind": "probe",
        "rows": 40,
        "accuracy": 0.5,
        "top_share": 0.3,
        "label_mass": 0.9,
        "nll_nats": 1.25,
        "step": 0,
        "chunk": -1,
    }
    assert lines[2] == {
        "kind": "step",
        "step": 1,
        "chunk": 0,
        "loss": 1.5,
        "learning_rate": 2e-5,
        "gradient_norm": 0.75,
        "tokens": 800,
        "seconds": 1.5,
    }
    assert (lines[3]["loss"], lines[4]["loss"]) == ("nan", "inf")


def test_every_record_is_there_before_the_next_is_written(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run" / "metrics.jsonl") as log:
        for number in range(1, 4):
            log.write(step(number))
            assert len(read_run_log(log.path)) == number


@reproducibly
@given(st.data())
def test_a_log_cut_at_any_byte_keeps_its_whole_lines_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    whole = write(path, RECORDS).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = RECORDS[: whole[:cut].count(b"\n")]
    assert repr(read_run_log(path)) == repr(kept)
    write(path, [step(11)])
    assert repr(read_run_log(path)) == repr([*kept, step(11)])


def test_a_resumed_run_ends_with_the_log_of_one_never_killed(tmp_path: Path) -> None:
    records: list[Record] = [probe_record(0, -1, STATS), *map(step, range(1, 11)), probe_record(10, 0, STATS)]
    rest: list[Record] = [*map(step, range(11, 21)), probe_record(20, 1, STATS)]
    never_killed = write(tmp_path / "a.jsonl", [*records, *rest])
    killed = write(tmp_path / "b.jsonl", [*records, *rest[:7]])
    killed.write_bytes(killed.read_bytes() + b'{"kind": "st')
    with RunLog(killed) as resumed:
        resumed.truncate_after(10)
        for record in rest:
            resumed.write(record)
    assert killed.read_bytes() == never_killed.read_bytes()


def test_truncation_keeps_decisions_and_the_steps_they_undid(tmp_path: Path) -> None:
    story: list[Record] = [*map(step, range(1, 31)), DecisionRecord(30, "roll_back", "Collapse.")]
    path = write(tmp_path / "metrics.jsonl", [*story, *map(step, range(21, 25))])
    with RunLog(path) as log:
        log.truncate_after(20)
        assert read_run_log(path) == story
        log.truncate_after(0)
        assert read_run_log(path) == story


def test_truncation_to_the_start_keeps_the_probe_before_any_step(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", [probe_record(0, -1, STATS), step(1), step(2)])
    with RunLog(path) as log:
        log.truncate_after(0)
    assert read_run_log(path) == [probe_record(0, -1, STATS)]


def test_a_probe_record_is_the_statistics_and_where_they_were_taken() -> None:
    record = probe_record(10, 0, STATS)
    assert isinstance(record, ProbeRecord)
    assert (record.accuracy, record.nll_nats, record.step, record.chunk) == (0.5, 1.25, 10, 0)


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "[]",
        "{}",
        '{"kind": "song", "step": 1}',
        '{"kind": "decision", "step": 1}',
        '{"kind": "decision", "step": 1, "action": "stop", "reason": "", "more": 1}',
        '{"kind": "step", "step": 1, "chunk": 0, "loss": "high", "learning_rate": 1, "gradient_norm": 1, '
        '"tokens": 1, "seconds": 1}',
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "metrics.jsonl", [step(1)])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(FileError, match=r"metrics\.jsonl, line 2: found no record of a run"):
        read_run_log(path)


def test_a_log_that_cannot_be_read_or_written_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_run_log(tmp_path / "metrics.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="expected a file that can be written"):
        RunLog(tmp_path / "file" / "metrics.jsonl")
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(FileError, match="found is a directory"):
        RunLog(tmp_path / "metrics.jsonl")


def test_two_runs_cannot_write_one_log(tmp_path: Path) -> None:
    with RunLog(tmp_path / "metrics.jsonl"), pytest.raises(FileError, match="another process is writing"):
        RunLog(tmp_path / "metrics.jsonl")
