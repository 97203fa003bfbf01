"""The overhead of the service over its engine, in simulated time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from simulation import run_virtual

from agents.core.prompts import LetterPrompt
from agents.core.schema import Question
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.engine_kinds import placement
from agents.ensemble.loading import load_ensemble
from agents.ensemble.manifest_file import read_manifest
from benchmarks.in_process import BusyClock
from benchmarks.sample_questions import questions
from benchmarks.serve_overhead import Scale, compare, completion_request, letters_only

QUESTION = next(questions(0))


def test_ways_are_compared_on_the_same_number_of_questions_and_one_client_tells_what_is_added() -> None:
    async def run() -> dict[str, Any]:
        clock = BusyClock()
        asked = {"engine": 0, "service": 0}

        async def engine(question: Question) -> None:
            asked["engine"] += 1
            await clock.timed(asyncio.sleep(0.8))

        async def service(question: Question) -> None:
            asked["service"] += 1
            await asyncio.gather(clock.timed(asyncio.sleep(0.8)), clock.timed(asyncio.sleep(0.5)))
            await asyncio.sleep(0.2)

        found = await compare(engine, service, clock, Scale(clients=4, rounds=2, questions=8, alone=3), questions(0))
        # A warm-up, two rounds, one client; the service once more for what it adds, with a warm-up of its own.
        assert asked == {"engine": 4 + 2 * 8 + 3, "service": 4 + 2 * 8 + 3 + 4}
        return found

    found = run_virtual(run())
    assert found["questions_per_s"] == pytest.approx({"engine": 5.0, "service": 4.0})
    assert found["ratios"] == pytest.approx({"service_over_engine_throughput": 0.8})
    assert found["ratios_by_round"] == pytest.approx([0.8, 0.8])
    assert found["service_added_ms"] == pytest.approx({"requests": 3, "p50": 200, "p95": 200, "p99": 200})


def test_vllm_serve_is_asked_for_one_token_and_the_labels() -> None:
    request = completion_request("m", LetterPrompt([5, 6, 7], [65, 66, 67]))
    assert (request["prompt"], request["max_tokens"], request["logprob_token_ids"]) == ([5, 6, 7], 1, [65, 66, 67])


def test_for_the_comparison_members_are_asked_for_one_letter_and_keep_their_weights(
    tiny_ensemble: Path, tmp_path: Path
) -> None:
    copy = letters_only(str(tiny_ensemble), tmp_path / "copy")
    before = {member.name: member for member in read_manifest(tiny_ensemble).members}
    members = read_manifest(copy).members
    assert [(m.name, m.method, m.orders) for m in members] == [("plain", "letter", 1), ("tuned", "letter", 1)]
    assert all(member.weight == before[member.name].weight for member in members)

    async def steps() -> list[int]:
        loaded = await load_ensemble(copy, find_or_pull, placement("transformers"))
        try:
            return [voter.steps(QUESTION) for voter in loaded.answerer.voters]
        finally:
            await loaded.close()

    assert asyncio.run(steps()) == [1, 1]
