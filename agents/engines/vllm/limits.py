"""Limits of vLLM that bind a server of it, an engine in this process, and what is trained for either."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from agents.support.concurrency import run_together

LEAST_VERSION = "0.11"
"""The first version with all that an engine uses: ``StructuredOutputsParams`` came last.

From 0.20 on one request gives the log-probs of all candidates (``token_scores``); over HTTP that takes 0.26."""
MAX_CANDIDATES = 128
"""The most token ids that log-probs are returned of in one request."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What it takes as ``max_lora_rank``: an adapter is served at the least of these that holds its rank."""


async def score_in_chunks(
    candidates: Sequence[int], score: Callable[[list[int]], Coroutine[Any, Any, list[float]]]
) -> list[float]:
    """Return a score for each candidate, from ``score`` of distinct ones, at most ``MAX_CANDIDATES`` at a time."""
    unique = list(dict.fromkeys(candidates))
    chunks = [unique[start : start + MAX_CANDIDATES] for start in range(0, len(unique), MAX_CANDIDATES)]
    found = await run_together(map(score, chunks))
    table = dict(zip(unique, [value for chunk in found for value in chunk], strict=True))
    return [table[candidate] for candidate in candidates]
