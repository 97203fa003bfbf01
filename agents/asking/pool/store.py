"""The pool for an event loop: on a thread of its own, and in memory while its file is of no use."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from agents.asking.pool.file import BUSY_TIMEOUT_S
from agents.asking.pool.pool import PoolCount, QuestionPool, ServedQuestion
from agents.asking.proposal import Proposal
from agents.core.deadline import Clock
from agents.core.errors import FileError

logger = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_S = 5.0
"""How long a file that failed is left alone before it is opened again."""


def default_pool_path(cache: Path | None = None) -> Path:
    """``questions.sqlite`` in the folder ``cache`` of a bundle; outside one, None, ``AIAC_QUESTION_POOL`` comes first.

    The folder is then ``agents.models.store.cache_dir``.
    """
    from agents.models.store import cache_dir

    given = None if cache else os.environ.get("AIAC_QUESTION_POOL")
    return Path(given or (cache or cache_dir()) / "questions.sqlite").expanduser()


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="question-pool")


class QuestionStore:
    """``QuestionPool``'s methods as coroutines that never raise FileError.

    While the file at ``path`` cannot be used, a pool in memory stands in for it: it knows what the file held when it
    was last read, so nothing is served twice, and is moved into the file once that can be used again. ``path`` None
    is a pool in memory from the start. ``clock`` gives seconds.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        capacity: int = 50,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        retry_s: float = RETRY_S,
        clock: Clock = time.monotonic,
    ) -> None:
        self.path = path
        self.capacity = capacity
        self.problem: str | None = None
        """Why the file is of no use now: one sentence, None while all is well."""
        self._busy_timeout_s, self._retry_s, self._clock = busy_timeout_s, retry_s, clock
        self._retry_at_s = 0.0
        self._filed: QuestionPool | None = None
        self._memory: QuestionPool | None = None
        self._thread = _thread()

    async def take(self, topic: str, level: str | None = None, near: float | None = None) -> ServedQuestion | None:
        """As ``QuestionPool.take``; the answer is flagged while the file is of no use."""
        found = await self._run(lambda pool: pool.take(topic, level, near))
        return found and self._flagged(found)

    async def serve(self, proposal: Proposal) -> ServedQuestion:
        """As ``QuestionPool.serve``; flagged likewise."""
        return self._flagged(await self._run(lambda pool: pool.serve(proposal)))

    async def add(self, proposal: Proposal) -> None:
        """As ``QuestionPool.add``."""
        await self._run(lambda pool: pool.add(proposal))

    async def duplicate(self, proposal: Proposal, *, served_only: bool = False) -> str | None:
        """As ``QuestionPool.duplicate``."""
        return await self._run(lambda pool: pool.duplicate(proposal, served_only=served_only))

    async def served(self, id_or_text: str) -> ServedQuestion | None:
        """As ``QuestionPool.served``."""
        return await self._run(lambda pool: pool.served(id_or_text))

    async def counts(self) -> list[PoolCount]:
        """As ``QuestionPool.counts``."""
        return await self._run(lambda pool: pool.counts())

    async def close(self) -> None:
        """What is in memory goes to the file if it can; then everything is closed. Used again, it opens anew."""

        def end() -> None:
            self._retry_at_s = 0.0
            if self._memory is not None:
                self._usable_file()
            for pool in (self._filed, self._memory):
                if pool is not None:
                    pool.close()
            self._filed = self._memory = None

        await asyncio.get_running_loop().run_in_executor(self._thread, end)
        self._thread.shutdown(wait=False)
        self._thread = _thread()

    def _flagged(self, served: ServedQuestion) -> ServedQuestion:
        return replace(served, degraded=self.problem is not None)

    async def _run(self, action: Callable[[QuestionPool], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, action)

    def _do(self, action: Callable[[QuestionPool], T]) -> T:
        """On the pool's thread, as everything below."""
        pool = self._usable_file()
        if pool is not None:
            try:
                return action(pool)
            except FileError as error:
                self._fail(error)
        if self._memory is None:
            elsewhere = None if self._filed is None else self._filed.index
            self._memory = QuestionPool(None, capacity=self.capacity, elsewhere=elsewhere)
        return action(self._memory)

    def _usable_file(self) -> QuestionPool | None:
        if self.path is None:
            return None
        if self._filed is not None and self.problem is None:
            return self._filed
        if self.problem is not None and self._clock() < self._retry_at_s:
            return None
        opened = None
        try:
            opened = QuestionPool(self.path, capacity=self.capacity, busy_timeout_s=self._busy_timeout_s)
            if self._memory is not None:
                opened.absorb(self._memory)
        except FileError as error:
            if opened is not None:
                opened.close()
            self._fail(error)
            return None
        if self.problem is not None:
            logger.warning("the question pool works again: %s", self.path)
        if self._memory is not None:
            self._memory.close()
        self._filed, self._memory, self.problem = opened, None, None
        return opened

    def _fail(self, error: FileError) -> None:
        if str(error) != self.problem:
            logger.warning("questions are kept in memory until their pool can be used: %s", error)
        self.problem, self._retry_at_s = str(error), self._clock() + self._retry_s
        if self._filed is not None:
            # Its index stays: it knows what must not be served again.
            self._filed.close()
