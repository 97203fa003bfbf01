"""What a step costs an engine, learnt while it works, and when more steps would be done.

A step is one engine call: one order of a letter member, one cloze scoring. Members on the same engine share its queue.
While an engine is busy, the time that passes for a step of member m on a question of s characters is taken to be

    c_m · s + a / n        n: the steps outstanding,  c_m: the member's seconds a character,  a: the engine's seconds

On a CPU, where steps are computed one after the other, a comes out near zero. On a GPU, which batches what waits, a
nearly is the time of a step alone: a busy hour then teaches what a quiet one would forget, that a queue of hundreds is
soon gone. Outstanding steps of S characters in all are done after a + c · S.

The parameters follow what is observed by multiplicative updates. Over a window of completed steps the time that passed
is compared with the time predicted, and each parameter is moved by that ratio to the power of its share: exponential
smoothing of logarithms, in which nothing turns negative. No single window, such as one during which the machine stood
still, moves the prediction far.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from agents.core.deadline import Clock
from agents.core.prompts import MAX_CHOICES_TOKENS, MAX_QUESTION_TOKENS
from agents.core.schema import Question
from agents.engines.protocol import Engine

TEMPLATE_CHARACTERS = 100
"""What a step costs besides a question's own text (the chat template, the labels), as so many characters of it.

Measured on two cores with SmolLM2-135M (cloze_pmi, 60 ARC and CODAH questions): seconds = 0.0009 * (characters + 64),
which explains 79% of their variance; the median error is 11%, and 32% for a mean over steps of any length.
"""
CHARS_A_TOKEN = 4
"""Characters that a token of English text has, about."""
MEMORY = 0.2
"""Weight of the newest window. A change of speed is followed within about ten windows."""
SLOWEST, FASTEST = 4.0, 1 / 16
"""The ratios a window may show. Upwards it is bounded closely: what is slow once is mostly no fault of the engine."""
SAME_BATCH_S = 0.002
"""Steps that end within this of each other belong to one batch, so that its time is theirs together."""
OVERHEAD_SHARE = 0.3
"""How much of the first window is put down to the engine's own ``a``, until windows of other sizes tell them apart.

Too little of it, and an engine that batches seems slow after every quiet minute until a burst has taught otherwise (in
simulation, half as many full answers in the burst); too much, and one that does not seems too fast by that much.
"""


def size_of(question: Question) -> int:
    """Characters that a step on ``question`` is taken to read. Costs are proportional to it.

    Of very long texts a prompt leaves out the middle, so they count as what is left.
    """
    choices = sum(map(len, set(question.choices)))
    text = min(len(question.text), MAX_QUESTION_TOKENS * CHARS_A_TOKEN)
    return TEMPLATE_CHARACTERS + text + min(choices, MAX_CHOICES_TOKENS * CHARS_A_TOKEN)


@dataclass
class _Estimate:
    value: float = 0.0
    updates: int = 0

    def move(self, log_ratio: float) -> None:
        self.updates += 1
        # The first few are averaged: the very first, often a warm-up, must not count for more than the second.
        self.value *= math.exp(log_ratio * max(MEMORY, 1 / self.updates))


class CostModel:
    """The queues of the engines in use, and the costs of members, which outlive the engine that computes them.

    Belongs to one event loop. ``clock`` is in seconds.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._members: dict[str, _Estimate] = {}
        self._queues: dict[int, EngineQueue] = {}

    def queue(self, engine: Engine) -> EngineQueue:
        """The queue of ``engine``; an engine seen for the first time starts with an empty one."""
        # By identity, since engines need not be hashable; the queue keeps its engine, so that no other gets its id.
        return self._queues.setdefault(id(engine), EngineQueue(engine, self._members, self._clock))

    def keep(self, engines: list[Engine]) -> None:
        """Forgets the queues of all other engines. What is reserved there can still be released."""
        kept = {id(engine) for engine in engines}
        self._queues = {key: queue for key, queue in self._queues.items() if key in kept}

    def forget(self) -> None:
        """Forgets what was measured. Nothing may be queued."""
        self._members.clear()
        for queue in self._queues.values():
            queue.forget()

    def wait_s(self) -> float:
        """Seconds until the slowest engine would be done with what is queued now."""
        return max((queue.wait_s() for queue in self._queues.values()), default=0.0)


@dataclass(eq=False)
class Reservation:
    """Steps of one member on one question that an engine was given, until each of them is completed or given up."""

    queue: EngineQueue
    member: str
    size: int
    steps: int

    def complete(self, steps: int = 1) -> None:
        """``steps`` of them have just been computed."""
        for _ in range(min(steps, self.steps)):
            self.steps -= 1
            self.queue.complete(self.member, self.size)

    def release(self) -> None:
        """What has not been completed will not be: it was cancelled, or it failed. Idempotent."""
        for _ in range(self.steps):
            self.queue.abandon(self.member, self.size)
        self.steps = 0

    def withdraw(self) -> None:
        """Give up the steps left to make room for others. It says nothing of the engine's speed. Idempotent."""
        for _ in range(self.steps):
            self.queue.withdraw(self.member, self.size)
        self.steps = 0


@dataclass
class _Window:
    """What has been completed since ``start_s``, the last of it at ``end_s``."""

    start_s: float
    end_s: float
    sizes: dict[str, int] = field(default_factory=dict)
    rounds: float = 0.0


class EngineQueue:
    """What is outstanding on one engine, and how long that and more of it takes."""

    def __init__(self, engine: Engine, members: dict[str, _Estimate], clock: Clock) -> None:
        self.engine = engine
        self.outstanding = 0
        self._members = members
        self._overhead = _Estimate()
        self._clock = clock
        self._sizes: dict[str, int] = {}
        self._window = _Window(0.0, 0.0)
        self._busy_since_s = 0.0
        self._batch = 1

    def forget(self) -> None:
        """Forgets what the engine itself takes."""
        self._overhead = _Estimate()

    def step_s(self, member: str, size: int) -> float:
        """Seconds that one more step adds to the queue; 0 until one of the member has been measured."""
        estimate = self._members.get(member)
        return estimate.value * size if estimate else 0.0

    def ready_s(self) -> float:
        """Seconds until the engine would get through to one more step, whose own ``step_s`` comes on top."""
        return self._overhead.value + sum(self.step_s(member, total) for member, total in self._sizes.items())

    def wait_s(self) -> float:
        """Seconds until what is outstanding now is done."""
        return self.ready_s() if self.outstanding else 0.0

    def reserve(self, member: str, size: int, steps: int) -> Reservation:
        """Counts ``steps`` as outstanding from now on."""
        if not self.outstanding:
            now = self._clock()
            self._window = _Window(now, now)
            self._busy_since_s = now
        self.outstanding += steps
        self._sizes[member] = self._sizes.get(member, 0) + size * steps
        return Reservation(self, member, size, steps)

    def complete(self, member: str, size: int) -> None:
        """One step of ``member`` has been computed. Called by its reservation."""
        now = self._clock()
        window = self._window
        if not window.sizes:
            self._batch = self.outstanding
        if now - window.end_s > SAME_BATCH_S:
            # What is shorter than a batch is the rest of one that was held up on its way here: it joins the next.
            if window.end_s - window.start_s > SAME_BATCH_S:
                self._learn(window)
                window = self._window = _Window(window.end_s, window.end_s)
            self._batch = self.outstanding
        window.end_s = now
        window.sizes[member] = window.sizes.get(member, 0) + size
        window.rounds += 1 / self._batch
        self._remove(member, size)

    def abandon(self, member: str, size: int) -> None:
        """One step of ``member`` will not be computed. Called by its reservation."""
        now = self._clock()
        silent_s = now - self._window.end_s
        waiting = {name: size for name, total in self._sizes.items() if total}
        if silent_s > self._overhead.value + sum(self.step_s(name, size) for name in waiting):
            # For longer than a step of each takes nothing was completed: that much at least they cost now.
            self._learn(self._window)
            self._raise_to(waiting, silent_s)
            self._window = _Window(now, now)
        self._remove(member, size)

    def withdraw(self, member: str, size: int) -> None:
        """One step of ``member`` is not wanted any more. Called by its reservation."""
        self._remove(member, size)

    def _remove(self, member: str, size: int) -> None:
        self.outstanding -= 1
        self._sizes[member] -= size
        window = self._window
        whole = window.start_s == self._busy_since_s
        if not self.outstanding and window.sizes and (whole or window.end_s - window.start_s > SAME_BATCH_S):
            self._learn(window)

    def _raise_to(self, sizes: dict[str, int], passed_s: float) -> None:
        measured = {member: size for member, size in sizes.items() if self._updates(member)}
        for member, size in sizes.items():
            if member not in measured:
                # A bound is no measurement yet: the first one starts afresh.
                self._members[member] = _Estimate(passed_s / len(sizes) / size)
        if measured:
            self._update(_Window(0.0, passed_s, measured, rounds=1.0))

    def _updates(self, member: str) -> int:
        return self._members.setdefault(member, _Estimate()).updates

    def _learn(self, window: _Window) -> None:
        if window.end_s <= window.start_s:
            return
        total = sum(window.sizes.values())
        for member in window.sizes:
            if not self._updates(member):
                self._members[member].value = (window.end_s - window.start_s) / total
        if not self._overhead.value:
            self._overhead.value = OVERHEAD_SHARE * (window.end_s - window.start_s)
        self._update(window)

    def _update(self, window: _Window) -> None:
        parts = [(self._members[member], self._members[member].value * size) for member, size in window.sizes.items()]
        parts.append((self._overhead, self._overhead.value * window.rounds))
        predicted_s = sum(seconds for _, seconds in parts)
        ratio = (window.end_s - window.start_s) / predicted_s
        log_ratio = math.log(min(max(ratio, FASTEST), SLOWEST))
        shares = [(estimate, seconds / predicted_s) for estimate, seconds in parts]
        # Divided by the sum of squares the parameters together move the prediction by the whole ratio.
        scale = sum(share * share for _, share in shares)
        for estimate, share in shares:
            estimate.move(log_ratio * share / scale)
