"""The benchmark's own parts: its questions, its loop, its verdicts."""

from __future__ import annotations

import asyncio
from itertools import islice

from agents.core.schema import Question, read_question
from benchmarks.answer import AIMS
from benchmarks.load import closed_loop
from benchmarks.reporting import judge
from benchmarks.sample_questions import questions


def test_questions_are_distinct_valid_and_the_same_for_the_same_seed() -> None:
    first = list(islice(questions(3), 300))
    assert first == list(islice(questions(3), 300))
    assert first != list(islice(questions(4), 300))
    assert len({question.text for question in first}) == 300
    for question in first:
        assert 30 <= len(question.text.split()) <= 60
        assert all(1 <= len(choice.split()) <= 5 for choice in question.choices)
        row = {"question": question.text, "choices": list(question.choices)}
        assert read_question(row).choices == question.choices


def test_a_closed_loop_asks_every_question_once_and_never_more_than_its_clients_at_a_time() -> None:
    asked: list[Question] = []
    running = most = 0

    async def ask(question: Question) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asked.append(question)
        await asyncio.sleep(0)
        running -= 1

    todo = list(islice(questions(0), 20))
    report = asyncio.run(closed_loop(ask, todo, 4))
    assert asked == todo
    assert most == 4
    assert (report["questions"], report["clients"]) == (20, 4)
    assert set(report["latency_ms"]) == {"p50", "p95", "p99"}


def test_an_aim_is_met_on_its_own_side_of_its_bound() -> None:
    at_bound = judge({name: bound for name, (_, bound) in AIMS.items()}, AIMS)
    assert [aim["met"] for aim in at_bound.values()] == [False, True, True, True]
    below = judge({name: bound - 0.01 for name, (_, bound) in AIMS.items()}, AIMS)
    assert [aim["met"] for aim in below.values()] == [True, False, False, False]
