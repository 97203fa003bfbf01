"""Token sequences as a tree: every shared prefix is computed once, in a batch and across batches.

The rows of a multiple-choice question share most of their tokens: the template with every question, the question's text
with its choices and its letter prompts. A radix tree over the rows holds each shared run of tokens once, and each run
keeps its keys and values for the next batch. A batch is then ONE sequence without padding: the runs that are not
computed yet, one after the other, with a mask that lets a token see the runs above its own and itself so far. Positions
count from the root, so the numbers are those of plain forward passes.

The tree is RadixAttention's (Zheng et al. 2023, arXiv:2312.07104), the batch that of tree attention in SpecInfer
(Miao et al. 2023, arXiv:2305.09781).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

KeyValues = list[tuple[Any, Any]]
"""One (keys, values) pair of tensors a layer, each of shape [1, kv_heads, tokens, head_dim]."""


@dataclass(eq=False)
class Run:
    """Consecutive tokens without a branch between them. ``start`` is the position of the first; the root has none."""

    tokens: list[int]
    start: int
    parent: Run | None
    children: dict[int, Run] = field(default_factory=dict)
    key_values: KeyValues | None = None
    keep: bool = False
    last_used: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    def ancestors(self) -> list[Run]:
        """The runs above this one, the topmost first, without the root."""
        above: list[Run] = []
        run = self.parent
        while run is not None and run.parent is not None:
            above.append(run)
            run = run.parent
        return above[::-1]


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a batch stand: offsets of the runs that are cached, and of those to compute."""

    cached: dict[Run, int]
    fresh: dict[Run, int]
    n_cached: int
    n_fresh: int

    def offset(self, path: Sequence[Run], position: int) -> int:
        """The index in the batch of the token at ``position`` on ``path``; its run must be fresh."""
        run = next(run for run in path if run.start <= position < run.end)
        return self.fresh[run] + position - run.start

    def blocks(self) -> Iterable[tuple[slice, slice, bool]]:
        """Blocks of the attention mask: (rows of fresh tokens, columns of cached then fresh tokens, causal inside)."""
        for run, offset in self.fresh.items():
            rows = slice(offset, offset + len(run.tokens))
            for above in run.ancestors():
                column = self.cached[above] if above in self.cached else self.n_cached + self.fresh[above]
                yield rows, slice(column, column + len(above.tokens)), False
            yield rows, slice(self.n_cached + offset, self.n_cached + offset + len(run.tokens)), True


class TokenTree:
    """The runs of one model (an adapter has its own: other weights give other keys and values)."""

    def __init__(self) -> None:
        self.root = Run([], 0, None)
        self._tick = 0

    def cached_length(self, tokens: Sequence[int]) -> int:
        """How many leading tokens have keys and values already."""
        run, position = self.root, 0
        while position < len(tokens) and (child := run.children.get(tokens[position])) is not None:
            shared = _shared_length(child.tokens, tokens, position)
            if child.key_values is None:
                break
            position += shared
            if shared < len(child.tokens):
                break
            run = child
        return position

    def insert(self, tokens: Sequence[int], context: int, *, keep_all: bool = False) -> None:
        """Adds ``tokens``, with a boundary after the first ``context`` of them.

        Runs of the context keep their keys and values after the batch, with ``keep_all`` those after it as well. Those
        after it are computed anew even if they were before, since a logit is wanted at each of their tokens and only
        keys and values are kept.
        """
        self._tick += 1
        run, position = self.root, 0
        while position < len(tokens):
            stop = context if position < context else len(tokens)
            child = run.children.get(tokens[position])
            if child is None:
                child = Run(list(tokens[position:stop]), position, run)
                run.children[tokens[position]] = child
            else:
                shared = min(_shared_length(child.tokens, tokens, position), stop - position)
                if shared < len(child.tokens):
                    _split(child, shared)
            if child.end <= context or keep_all:
                child.keep = True
            if child.end > context:
                child.key_values = None
            child.last_used = self._tick
            run, position = child, child.end

    def path(self, tokens: Sequence[int]) -> list[Run]:
        """The runs that spell ``tokens``. Ask after the last ``insert`` of a batch: a later one may split a run."""
        path: list[Run] = []
        run, position = self.root, 0
        while position < len(tokens):
            run = run.children[tokens[position]]
            path.append(run)
            position = run.end
        return path

    def layout(self, paths: Iterable[Sequence[Run]]) -> Layout:
        """Offsets of all the runs on ``paths``: those with keys and values as cached, the others as fresh."""
        cached: dict[Run, int] = {}
        fresh: dict[Run, int] = {}
        n_cached = n_fresh = 0
        for path in paths:
            for run in path:
                if run in cached or run in fresh:
                    continue
                if run.key_values is not None:
                    cached[run] = n_cached
                    n_cached += len(run.tokens)
                else:
                    fresh[run] = n_fresh
                    n_fresh += len(run.tokens)
        return Layout(cached, fresh, n_cached, n_fresh)

    def prune(self, max_tokens: int) -> None:
        """Drops runs that hold no keys and values, then the least recently used leaves beyond ``max_tokens``."""
        total = 0
        leaves: list[tuple[int, int, Run]] = []
        stack = list(self.root.children.values())
        while stack:
            run = stack.pop()
            if run.key_values is None:
                _detach(run)
                continue
            total += len(run.tokens)
            stack.extend(run.children.values())
            if all(child.key_values is None for child in run.children.values()):
                leaves.append((run.last_used, id(run), run))
        heapq.heapify(leaves)
        while total > max_tokens and leaves:
            _, _, leaf = heapq.heappop(leaves)
            total -= len(leaf.tokens)
            _detach(leaf)
            parent = leaf.parent
            if parent is not None and parent is not self.root and not parent.children:
                heapq.heappush(leaves, (parent.last_used, id(parent), parent))


def _shared_length(run_tokens: Sequence[int], tokens: Sequence[int], position: int) -> int:
    limit = min(len(run_tokens), len(tokens) - position)
    shared = 0
    while shared < limit and run_tokens[shared] == tokens[position + shared]:
        shared += 1
    return shared


def _split(run: Run, length: int) -> None:
    """Cuts ``run`` after ``length`` tokens: it keeps the first part, a new child takes the rest and the children."""
    rest = Run(run.tokens[length:], run.start + length, run, run.children, None, run.keep, run.last_used)
    if run.key_values is not None:
        rest.key_values = [(k[:, :, length:], v[:, :, length:]) for k, v in run.key_values]
        run.key_values = [(k[:, :, :length], v[:, :, :length]) for k, v in run.key_values]
    for child in rest.children.values():
        child.parent = rest
    run.tokens = run.tokens[:length]
    run.children = {rest.tokens[0]: rest}


def _detach(run: Run) -> None:
    if run.parent is not None and run.parent.children.get(run.tokens[0]) is run:
        del run.parent.children[run.tokens[0]]
