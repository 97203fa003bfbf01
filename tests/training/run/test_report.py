"""A run's report: what was kept apart from what was undone, self-contained, escaped, and the same bytes each time."""

from __future__ import annotations

import math
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agents.core.errors import FileError, InputError
from training.guards import ProbeStats
from training.run.history import sort_history
from training.run.log import METRICS_FILE, DecisionRecord, Record, RowsRecord, RunLog, StepRecord, probe_record
from training.run.plots import PLOTS, describe_plot
from training.run.report import write_run_report

ROOT = Path(__file__).parents[3]
CHUNK_STEPS = 5
VOID = {"meta", "br"}


def steps(first: int, last: int, loss: float = 1.0, chunk_steps: int = CHUNK_STEPS) -> list[Record]:
    draw = random.Random(first)
    return [
        StepRecord(i, (i - 1) // chunk_steps, loss + draw.random(), 2e-5 - i * 1e-7, draw.random() + 0.5, 1_000, 2.0)
        for i in range(first, last + 1)
    ]


def probe(step: int, accuracy: float = 0.5, top_share: float = 0.3) -> Record:
    return probe_record(step, step // CHUNK_STEPS - 1, ProbeStats(40, accuracy, top_share, 0.9, 1.2))


COLLAPSE = DecisionRecord(15, "roll_back", 'One choice place has <b>100%</b> & "more".')

STORY: list[Record] = [
    RowsRecord(0, 1_200, 7, 1_024),
    probe(0, 0.4),
    *steps(1, 2, 50.0),
    DecisionRecord(2, "restart_lower_alpha", "The loss of step 2 is nan."),
    *steps(1, 5),
    probe(5),
    *steps(6, 10),
    probe(10, 0.6),
    *steps(11, 15, 9.0),
    probe(15, 0.25, 1.0),
    COLLAPSE,
    *steps(11, 15),
    probe(15, 0.7),
]


def write(folder: Path, records: list[Record]) -> Path:
    with RunLog(folder / METRICS_FILE) as log:
        for record in records:
            log.write(record)
    return folder


class Page(HTMLParser):
    """Collects tags with their attributes and the text; fails on a tag closed out of order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_run_report(write(tmp_path_factory.mktemp("a<run>"), STORY)).read_text(encoding="utf-8")


def test_what_was_undone_is_kept_apart() -> None:
    history = sort_history(STORY)
    assert [step.step for step in history.steps] == list(range(1, 16))
    assert max(step.loss for step in history.steps) <= 2
    assert [[step.step for step in run] for run in history.undone_steps] == [[1, 2], [11, 12, 13, 14, 15]]
    assert [(p.step, p.accuracy) for p in history.probes] == [(0, 0.4), (5, 0.5), (10, 0.6), (15, 0.7)]
    assert [(p.step, p.accuracy) for p in history.undone_probes] == [(15, 0.25)]
    assert history.decisions == [STORY[4], COLLAPSE]


def test_a_stop_undoes_the_chunk_it_was_made_in() -> None:
    history = sort_history([probe(0), *steps(1, 5), probe(5), *steps(6, 8), DecisionRecord(8, "stop", "NaN.")])
    assert [step.step for step in history.steps] == [1, 2, 3, 4, 5]
    assert [p.step for p in history.probes] == [0, 5]
    assert [[step.step for step in run] for run in history.undone_steps] == [[6, 7, 8]]


def test_a_run_without_a_decision_has_nothing_undone() -> None:
    history = sort_history([probe(0), *steps(1, 7)])
    assert (len(history.steps), history.undone_steps, history.undone_probes) == (7, [], [])


def test_the_page_needs_nothing_from_anywhere(report: str) -> None:
    page = Page(report)
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(tag for tag, _ in page.tags)
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "style", "clip-path"):
            value = attributes.get(name) or ""
            assert "//" not in value, (tag, name, value)
    assert "@import" not in report


def test_the_page_is_readable_on_a_phone(report: str) -> None:
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in Page(report).tags


def test_every_plot_has_a_caption_and_a_description(report: str) -> None:
    page = Page(report)
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == len(PLOTS) == 6
    assert all(drawing["role"] == "img" for drawing in drawings)
    labels = [drawing["aria-label"] for drawing in drawings]
    assert labels == [describe_plot(plot, sort_history(STORY)) for plot in PLOTS]
    for plot in PLOTS:
        assert plot.title in page.text


def test_no_drawing_borrows_a_shape_of_another(report: str) -> None:
    ids = [attributes["id"] for _, attributes in Page(report).tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    used = re.findall(r"url\(#([^)]+)\)", report) + re.findall(r'href="#([^"]+)"', report)
    assert used
    assert set(used) <= set(ids)


def test_a_description_says_where_a_line_starts_ends_and_peaks() -> None:
    accuracy = next(plot for plot in PLOTS if plot.name == "accuracy")
    assert describe_plot(accuracy, sort_history(STORY)) == (
        "Accuracy on the probes, with its 95% interval, by step. Accuracy goes from 0.4 at step 0 to 0.7 at step 15; "
        "lowest 0.4 at step 0, highest 0.7 at step 15."
    )


def test_text_is_escaped(report: str) -> None:
    assert "<b>" not in report
    page = Page(report)
    assert COLLAPSE.reason in page.text
    assert "Training run a<run>" in page.text


def test_the_facts_and_decisions_are_in_the_page(report: str) -> None:
    text = Page(report).text
    assert "1,200 trained on; 7 left out, longer than 1,024 tokens" in text
    assert "15 in 3 chunks" in text
    assert "0.7 minutes, 500 tokens a second" in text  # 22 steps of 2 seconds and 1,000 tokens
    assert "40.0% at step 0, 70.0% at step 15, on 40 rows" in text
    assert "restart lower alpha" in text
    assert "The loss of step 2 is nan." in text


def test_the_same_metrics_give_the_same_bytes(tmp_path: Path, report: str) -> None:
    again = write_run_report(write(tmp_path / "a<run>", STORY)).read_text(encoding="utf-8")
    name = re.search(r"<title>Training run (.*)</title>", report)
    assert name is not None
    assert again == report.replace(name[1], "a&lt;run&gt;")


def test_a_run_that_no_guard_touched_says_so(tmp_path: Path) -> None:
    text = write_run_report(write(tmp_path, steps(1, 7))).read_text(encoding="utf-8")
    assert "no guard had to act" in text
    assert text.count("<svg") == 3


def test_numbers_that_are_not_finite_are_gaps(tmp_path: Path) -> None:
    broken = StepRecord(8, 1, math.nan, 2e-5, math.inf, 1_000, 2.0)
    records = [probe(0), *steps(1, 7), broken, *steps(9, 10)]
    records.append(probe_record(10, 1, ProbeStats(40, 0.25, 1.0, math.nan, math.nan)))
    assert write_run_report(write(tmp_path, records)).is_file()


def test_a_run_stopped_in_its_first_chunk_keeps_nothing_and_still_has_a_report(tmp_path: Path) -> None:
    records = [probe(0), *steps(1, 3), DecisionRecord(3, "stop", "No alpha is left.")]
    text = Page(write_run_report(write(tmp_path, records)).read_text(encoding="utf-8")).text
    assert "0 in 0 chunks" in text


def test_a_long_run_is_not_a_large_page(tmp_path: Path) -> None:
    records = steps(1, 20_000, chunk_steps=2_000)
    assert write_run_report(write(tmp_path, records)).stat().st_size < 250_000


def test_a_run_without_metrics_or_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        write_run_report(tmp_path)
    with pytest.raises(InputError, match="found no training step"):
        write_run_report(write(tmp_path, [probe(0)]))
    assert [file.name for file in tmp_path.iterdir()] == [METRICS_FILE]


@pytest.mark.parametrize("module", ["plan.curriculum", "guards", "support.disk", "run.log", "run.report"])
def test_importing_loads_no_heavy_library(module: str) -> None:
    heavy = ("torch", "transformers", "peft", "trl", "datasets", "pyarrow", "scipy", "matplotlib", "huggingface_hub")
    code = f"import sys, training.{module}; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
