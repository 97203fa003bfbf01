"""vLLM's limits, where code has to keep to them."""

from __future__ import annotations

import asyncio

from agents.engines.vllm.limits import MAX_CANDIDATES, score_in_chunks


def test_candidates_are_scored_once_each_in_requests_that_are_not_too_large() -> None:
    asked: list[list[int]] = []

    async def score(chunk: list[int]) -> list[float]:
        asked.append(chunk)
        return [-float(candidate) for candidate in chunk]

    candidates = [7, 7, *range(2 * MAX_CANDIDATES + 1), 7]
    assert asyncio.run(score_in_chunks(candidates, score)) == [-float(candidate) for candidate in candidates]
    assert sorted(map(len, asked)) == [1, MAX_CANDIDATES, MAX_CANDIDATES]
    assert len({candidate for chunk in asked for candidate in chunk}) == 2 * MAX_CANDIDATES + 1
