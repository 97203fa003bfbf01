"""The one thread that runs a PyTorch model: batches of rows first, one token of a generation in between.

Work arrives as jobs with a future each. A batch holds as many rows as fit a token budget, so that cancelling a future
stops its work at the next batch; the budget follows the model's measured speed. A row longer than the budget, prompt
and continuation alike, is read in pieces, and a very long one lets the others go first between them. Generations
advance a token at a time and only when no row waits: an answer is never late because a question is being written.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from agents.core.errors import EngineError
from agents.engines.protocol import Generation
from agents.engines.torch.forward import forward, generate
from agents.engines.torch.jobs import GenerateJob, Row, ScoreJob
from agents.engines.torch.token_tree import TokenTree
from agents.engines.torch.windows import Windows

BATCH_SECONDS = 0.5
"""How long a batch should take: cancelled work goes on for no longer. Longer ones save a little time."""
MIN_BATCH_TOKENS, MAX_BATCH_TOKENS = 64, 1024
LONG_ROW_TOKENS = 400
"""Rows of more tokens wait until no shorter one does. Questions that pass an organiser's filter have fewer."""
GATHER_SECONDS = 0.001
"""How long to wait for more rows after the first: the members of an ensemble ask within a millisecond."""


@dataclass
class WorkerCounters:
    """What the worker has done since it started; read by tests."""

    batches: int = 0
    largest_batch: int = 0
    """Most tokens that one batch computed."""
    computed_tokens: int = 0
    reused_tokens: int = 0
    requested_tokens: int = 0


@dataclass(eq=False)
class _Slot:
    model: Any
    windows: Windows
    tree: TokenTree = field(default_factory=TokenTree)


class TorchWorker:
    """Owns the models, one per adapter (None is the bare one), and the thread that runs them."""

    def __init__(
        self,
        models: dict[str | None, Any],
        *,
        cache_tokens: int,
        windows: Windows = Windows(),  # noqa: B008 - frozen
    ) -> None:
        self.counters = WorkerCounters()
        self.batch_tokens = MIN_BATCH_TOKENS
        self._slots = {adapter: _Slot(model, windows) for adapter, model in models.items()}
        self._cache_tokens = cache_tokens
        self._rows: deque[Row] = deque()
        self._generations: deque[GenerateJob] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="aiac-torch-worker", daemon=True)
        self._thread.start()

    def score(self, adapter: str | None, rows: Sequence[tuple[list[int], int, list[list[int]]]]) -> Future[Any]:
        """Queues rows of (tokens, context, targets). The future gives, for each row, the log-probs of its targets."""
        job = ScoreJob(adapter, Future(), [[] for _ in rows], len(rows))
        with self._changed:
            self._require_open()
            for index, (tokens, context, targets) in enumerate(rows):
                self._rows.append(Row(job, index, tokens, context, targets))
            self._changed.notify()
        return job.future

    def generate(self, job: GenerateJob) -> Future[Generation]:
        with self._changed:
            self._require_open()
            self._generations.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Stops after the batch that is running; whatever still waits ends with EngineError."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        for future in [row.job.future for row in self._rows] + [job.future for job in self._generations]:
            _fail(future, EngineError("the engine was closed"))
        self._rows.clear()
        self._generations.clear()
        self._slots.clear()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closing

    def _require_open(self) -> None:
        if not self.alive:
            raise EngineError("the engine is closed")

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._rows or self._generations or self._closing):
                    self._changed.wait()
                if self._closing:
                    return
                if self._rows and len(self._rows) < self.batch_tokens:
                    self._changed.wait_for(lambda: self._closing, GATHER_SECONDS)
            if batch := self._next_batch():
                self._run_batch(batch)
            elif self._generations:
                self._run_generation_step()

    def _next_batch(self) -> list[Row]:
        """Rows of one adapter, in order of arrival but for long ones, up to the token budget.

        Cancelled ones fall out here.
        """
        batch: list[Row] = []
        budget = self.batch_tokens
        with self._changed:
            if len({len(row.tokens) > LONG_ROW_TOKENS for row in self._rows}) > 1:
                self._rows = deque(sorted(self._rows, key=lambda row: len(row.tokens) > LONG_ROW_TOKENS))
            later: deque[Row] = deque()
            while self._rows:
                row = self._rows.popleft()
                if row.job.future.done():
                    continue
                if batch and row.job.adapter != batch[0].job.adapter:
                    later.append(row)
                    continue
                cost = self._fresh_tokens(row, batch[-1] if batch else None)
                if batch and cost > budget:
                    later.append(row)
                    break
                batch.append(row)
                budget -= cost
            self._rows.extendleft(reversed(later))
        return batch

    def _fresh_tokens(self, row: Row, previous: Row | None) -> int:
        """About how many tokens ``row`` adds after ``previous``, which is most likely of the same question."""
        known = self._slots[row.job.adapter].tree.cached_length(row.tokens[: row.context])
        if previous is not None:
            shared = 0
            for ours, theirs in zip(row.tokens, previous.tokens, strict=False):
                if ours != theirs:
                    break
                shared += 1
            known = max(known, shared)
        return len(row.tokens) - known

    def _run_batch(self, batch: list[Row]) -> None:
        slot = self._slots[batch[0].job.adapter]
        started = time.perf_counter()
        try:
            if len(batch) == 1 and (left := self._tokens_left(slot, batch[0])) > self.batch_tokens:
                n_fresh = self._read_piece(slot, batch[0], len(batch[0].tokens) - left + self.batch_tokens)
                with self._changed:
                    self._rows.appendleft(batch[0])
            else:
                results, n_fresh = self._compute(slot, [(row.tokens, row.context, row.targets) for row in batch])
                for row, result in zip(batch, results, strict=True):
                    row.job.results[row.index] = [*row.found, *result]
                    row.job.waiting -= 1
                    if row.job.waiting == 0:
                        _succeed(row.job.future, row.job.results)
        except Exception as error:
            for row in batch:
                _fail(row.job.future, EngineError(f"the model failed: {type(error).__name__}: {error}"))
            return
        self._adapt(n_fresh, time.perf_counter() - started)

    def _tokens_left(self, slot: _Slot, row: Row) -> int:
        """How many tokens of a row are still to compute."""
        return len(row.tokens) - slot.tree.cached_length(row.tokens[: row.context])

    def _read_piece(self, slot: _Slot, row: Row, stop: int) -> int:
        """Computes a row up to the token ``stop`` and moves it on; returns the tokens computed."""
        context = min(row.context, stop)
        ready = stop - context
        results, n_fresh = self._compute(slot, [(row.tokens[:stop], context, row.targets[:ready])], keep_all=True)
        row.found += results[0]
        row.targets = row.targets[ready:]
        row.context = max(row.context, stop)
        return n_fresh

    def _adapt(self, n_tokens: int, seconds: float) -> None:
        """Moves the budget towards BATCH_SECONDS worth of tokens. Small batches, all fixed costs, are no guide."""
        if n_tokens >= self.batch_tokens // 2:
            target = n_tokens / seconds * BATCH_SECONDS
            self.batch_tokens = int(min(max((self.batch_tokens + target) / 2, MIN_BATCH_TOKENS), MAX_BATCH_TOKENS))

    def _compute(
        self, slot: _Slot, rows: Sequence[tuple[list[int], int, list[list[int]]]], *, keep_all: bool = False
    ) -> tuple[list[list[list[float]]], int]:
        """One forward pass over the rows as a tree: the log-probs of each row's targets, and the tokens computed."""
        import torch

        tree = slot.tree
        for tokens, context, _ in rows:
            tree.insert(tokens, context, keep_all=keep_all)
        paths = [tree.path(tokens) for tokens, _, _ in rows]
        layout = tree.layout(paths)
        wanted = [
            [layout.offset(path, context + i) for i in range(len(targets))]
            for path, (_, context, targets) in zip(paths, rows, strict=True)
        ]
        places = sorted({place for row in wanted for place in row})
        with torch.inference_mode():
            logits = forward(slot.model, slot.windows, layout, places)
            at = {place: i for i, place in enumerate(places)}
            flat = [
                (at[place], candidate)
                for row, (_, _, targets) in zip(wanted, rows, strict=True)
                for place, candidates in zip(row, targets, strict=True)
                for candidate in candidates
            ]
            values: Iterator[float] = iter(())
            if flat:
                index = torch.tensor(flat, device=logits.device)
                normaliser = logits.logsumexp(-1)
                values = iter((logits[index[:, 0], index[:, 1]] - normaliser[index[:, 0]]).tolist())
        # What was read of a row in pieces stays, however small the cache: it would be read again and again.
        tree.prune(max(self._cache_tokens, len(rows[0][0])) if keep_all else self._cache_tokens)
        self.counters.batches += 1
        self.counters.computed_tokens += layout.n_fresh
        self.counters.largest_batch = max(self.counters.largest_batch, layout.n_fresh)
        self.counters.reused_tokens += layout.n_cached
        self.counters.requested_tokens += sum(len(tokens) for tokens, _, _ in rows)
        return [[[next(values) for _ in c] for c in targets] for _, _, targets in rows], layout.n_fresh

    def _run_generation_step(self) -> None:
        with self._changed:
            job = self._generations.popleft()
        if job.future.done():
            return
        try:
            if job.steps is None:
                # Always the same pieces: pieces of the measured speed round otherwise, and in bfloat16 a seed then
                # gave other text from one run to the next.
                job.steps = generate(self._slots[job.adapter].model, job, MIN_BATCH_TOKENS)
            next(job.steps)
        except StopIteration as done:
            _succeed(job.future, done.value)
        except EngineError as error:
            _fail(job.future, error)
        except Exception as error:
            _fail(job.future, EngineError(f"the model failed: {type(error).__name__}: {error}"))
        else:
            with self._changed:
                self._generations.append(job)


def _succeed(future: Future[Any], result: Any) -> None:
    with suppress(InvalidStateError):  # cancelled while its last batch ran
        future.set_result(result)


def _fail(future: Future[Any], error: Exception) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)
