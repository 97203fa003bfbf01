"""The report on rows that were answered, checked on a list made by hand."""

from __future__ import annotations

import asyncio
import io
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from agents.answering.answerer import Answerer, AnswerResult, MemberReport
from agents.answering.voter import Vote
from agents.core.manifest import Base, Manifest, Member
from agents.core.schema import LETTERS, Answer, Question
from aiac.commands.validate import PARTS_SHOWN, breakdown_table
from training.curation.keyed_rows import KeyedRow
from training.release.validate import POOL, AnsweredRow, answer_rows, compare, summarise
from training.support.statistics import wilson_interval


def answered(
    source: str, key: int, pool: list[float], member: list[float] | None, elapsed_ms: float = 100.0
) -> AnsweredRow:
    question = Question("Which?", tuple(f"choice {i}" for i in range(len(pool))), key=key)
    vote = None if member is None else Vote([0.0] * len(member), member, 1, 1)
    report = MemberReport("letters", vote, None if vote else "late")
    letter = LETTERS[pool.index(max(pool))]
    verdict = AnswerResult(Answer(letter), pool, [report], elapsed_ms, degraded=member is None)
    return AnsweredRow(
        KeyedRow(source, question, key), verdict, {POOL: pool, **({"letters": member} if member else {})}
    )


ANSWERED = [
    answered("easy", 0, [0.8, 0.2], [0.4, 0.6], 100),
    answered("easy", 1, [0.1, 0.9], [0.3, 0.7], 200),
    answered("hard", 0, [0.3, 0.7], [0.2, 0.8], 300),
    answered("hard", 1, [0.25, 0.75], None, 1000),
]


def test_the_report_as_a_whole() -> None:
    report = summarise(ANSWERED)
    assert (report["rows"], report["degraded"]) == (4, 1)
    assert report["key_letters"] == {"A": 0.5, "B": 0.5}
    assert report["seconds_per_question"] == pytest.approx({"mean": 0.4, "p50": 0.2, "p95": 1.0, "p99": 1.0})
    assert list(report["voters"]) == [POOL, "letters"]
    json.dumps(report, allow_nan=False)


def test_the_pools_part_of_the_report() -> None:
    pool = summarise(ANSWERED)["voters"][POOL]
    low, high = wilson_interval(3, 4)
    assert (pool["rows"], pool["correct"], pool["accuracy"], pool["low"], pool["high"]) == (4, 3, 0.75, low, high)
    assert pool["chance"] == 0.5
    assert {name: (part["rows"], part["correct"]) for name, part in pool["by_source"].items()} == {
        "easy": (2, 2),
        "hard": (2, 1),
    }
    assert pool["letters"] == {"A": 0.25, "B": 0.75}
    assert pool["nll_nats"] == pytest.approx(-math.log(0.8 * 0.9 * 0.3 * 0.75) / 4)
    assert pool["brier"] == pytest.approx(2 * (0.2**2 + 0.1**2 + 0.7**2 + 0.25**2) / 4)
    assert pool["ece"] == pytest.approx((0.2 + 0.1 + abs(0.7 + 0.75 - 1)) / 4)
    assert pool["recall_spread"] is None
    assert pool["p_equal_to_pool"] is None


def test_a_member_is_measured_on_the_rows_it_voted_on() -> None:
    member = summarise(ANSWERED)["voters"]["letters"]
    assert (member["rows"], member["correct"]) == (3, 1)
    assert {name: part["rows"] for name, part in member["by_source"].items()} == {"easy": 2, "hard": 1}
    assert member["p_equal_to_pool"] == 1.0
    assert member["letters"] == {"B": 1.0}


def test_a_member_that_never_voted_has_no_rows() -> None:
    report = summarise([answered("easy", 0, [0.8, 0.2], None)])
    assert report["voters"]["letters"] == {"rows": 0}


def test_chance_is_that_of_the_rows_numbers_of_choices() -> None:
    rows = [answered("x", 0, [0.8, 0.2], None), answered("x", 0, [0.4, 0.2, 0.2, 0.2], None)]
    assert summarise(rows)["voters"][POOL]["chance"] == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_few_rows_come_with_a_note_on_what_they_cannot_tell() -> None:
    # 150 of 200 right. Wilson's half-width by its formula, and √2 of it between two such samples.
    n, p, z = 200, 0.75, 1.959964
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) * 100
    assert (f"{half:.1f}", f"{half * math.sqrt(2):.1f}") == ("6.0", "8.4")
    assert summarise(ANSWERED * 50)["note"] == (
        "200 rows: an interval of ±6.0 points. A difference under 8.4 points from what was measured on as many other "
        "rows cannot be told; on the same rows a paired test may tell a smaller one. Use 500 rows or more."
    )
    assert summarise(ANSWERED * 125)["note"] is None


def about(topic: str, *, right: bool) -> AnsweredRow:
    row = answered("quiz", 0, [0.8, 0.2] if right else [0.2, 0.8], [0.2, 0.8])
    return replace(row, row=replace(row.row, question=replace(row.row.question, topic=topic)))


BY_TOPIC = [
    *[about("art", right=i < 3) for i in range(4)],
    *[about("law [/b]", right=True) for _ in range(9)],
    about("", right=True),
]


def test_accuracy_is_given_by_topic_where_rows_carry_one() -> None:
    voters = summarise(BY_TOPIC)["voters"]
    low, high = wilson_interval(3, 4)
    assert voters[POOL]["by_topic"]["art"] == {"rows": 4, "correct": 3, "accuracy": 0.75, "low": low, "high": high}
    assert {name: cell["rows"] for name, cell in voters[POOL]["by_topic"].items()} == {"art": 4, "law [/b]": 9}
    assert [cell["correct"] for cell in voters["letters"]["by_topic"].values()] == [0, 0]
    assert summarise(ANSWERED)["voters"][POOL]["by_topic"] == {}


def reported(rows: list[AnsweredRow], **changes: Any) -> dict[str, Any]:
    """What `aiac validate` makes of these rows."""
    return {"ensemble": "ours", **summarise(rows), **changes}


def shown(table: Table | None) -> list[list[str]]:
    """The cells of a table as it is printed."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    lines = console.export_text().splitlines()
    return [[cell.strip() for cell in line.strip("│┃ ").split("│")] for line in lines if line.startswith("│")]


def test_topics_are_a_table_of_their_own_the_largest_first() -> None:
    low, high = (round(100 * bound, 1) for bound in wilson_interval(9, 9))
    assert shown(breakdown_table(reported(BY_TOPIC), "topic")) == [
        ["law [/b]", "9", f"100.0 [{low}, {high}]"],
        ["art", "4", "75.0 [30.1, 95.4]"],
    ]
    assert breakdown_table(reported(BY_TOPIC[:4]), "topic") is None


def test_a_source_with_a_topic_a_row_does_not_fill_the_screen() -> None:
    table = breakdown_table(reported([about(f"topic {i}", right=True) for i in range(PARTS_SHOWN + 7)]), "topic")
    assert len(shown(table)) == PARTS_SHOWN
    assert table is not None
    assert table.caption == "7 more topics with 7 rows are in the report that --json writes"


def measured(level: str | None, *, right: bool) -> AnsweredRow:
    row = answered("puzzles", 0, [0.8, 0.2] if right else [0.2, 0.8], None)
    return replace(row, row=replace(row.row, level=level))


def test_accuracy_is_given_by_level_where_it_is_measured() -> None:
    rows = [
        *[measured("easy", right=i < 4) for i in range(5)],
        measured("hard", right=False),
        measured(None, right=True),
    ]
    found = summarise(rows)["voters"][POOL]["by_level"]
    assert {name: (cell["correct"], cell["rows"]) for name, cell in found.items()} == {"easy": (4, 5), "hard": (0, 1)}
    assert (found["easy"]["low"], found["easy"]["high"]) == wilson_interval(4, 5)


def test_another_ensemble_stands_beside_in_every_part() -> None:
    ours = [measured("easy", right=True), measured("easy", right=True), measured("hard", right=False)]
    theirs = [measured("easy", right=True), measured("easy", right=False), measured("hard", right=False)]
    against = {"ensemble": "theirs", "pool": summarise(theirs)["voters"][POOL]}
    table = breakdown_table(reported(ours, against=against), "level")
    assert [[cell.split(" ")[0] for cell in row] for row in shown(table)] == [
        ["easy", "2", "100.0", "50.0"],
        ["hard", "1", "0.0", "0.0"],
    ]


def test_rows_are_answered_in_order_and_each_is_counted() -> None:
    member = Member(name="m", method="letter", weight=1)
    manifest = Manifest(name="x", base=Base(model="x", sha256="0" * 64), members=[member], answer_prior={2: [0.3, 0.7]})
    rows = [KeyedRow("x", Question(f"Question {i}?", ("yes", "no"), key=i % 2), i % 2) for i in range(5)]
    done: list[None] = []
    found = asyncio.run(
        answer_rows(Answerer(manifest, []), rows, seconds=1, concurrency=2, advance=lambda: done.append(None))
    )
    assert [entry.row for entry in found] == rows
    assert len(done) == 5
    assert all(entry.distributions == {POOL: [0.3, 0.7]} for entry in found)
    assert all(entry.verdict.answer.letter == "B" and entry.verdict.degraded for entry in found)


def test_two_ensembles_are_compared_row_by_row() -> None:
    # ANSWERED's pool against itself with one more row wrong.
    row = ANSWERED[0]
    worse = [p if p != max(row.distributions[POOL]) else 0.0 for p in row.distributions[POOL]]
    other = [AnsweredRow(row.row, row.verdict, {POOL: worse}), *ANSWERED[1:]]
    found = compare(ANSWERED, other)
    assert found[POOL]["gain"] == pytest.approx(1 / len(ANSWERED))
    assert found[POOL]["p_equal"] == 1.0
    assert found[POOL]["gain_low"] <= found[POOL]["gain"] <= found[POOL]["gain_high"]
    assert set(found) == {POOL, "letters"}
