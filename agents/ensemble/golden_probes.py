"""Check a member against its golden probes: the log-probs recorded at export, replayed on the engine that serves it."""

from __future__ import annotations

from dataclasses import dataclass

from agents.core.errors import AiacError
from agents.core.manifest import TOLERANCE_NATS, Member, NextTokenProbe, Probe
from agents.engines.protocol import Engine
from agents.support.concurrency import run_together


@dataclass(frozen=True)
class MemberStatus:
    """Whether a member serves. ``difference_nats`` is its largest deviation from its golden probes, if it has any."""

    name: str
    ready: bool
    difference_nats: float | None
    reason: str | None = None


async def check_member(member: Member, engine: Engine, adapter: str | None) -> MemberStatus:
    """Replays a member's golden probes. The status is not ready when it is out of tolerance or cannot be computed."""
    if not member.probes:
        return MemberStatus(member.name, True, None, "no golden probes recorded")
    tolerance = TOLERANCE_NATS[engine.dtype]
    try:
        difference = await probe_difference(member, engine, adapter)
    except (AiacError, ValueError) as error:
        return MemberStatus(member.name, False, None, str(error))
    if difference <= tolerance:
        return MemberStatus(member.name, True, difference)
    reason = f"differs from its golden probes by {difference:.4f} nats; the tolerance in {engine.dtype} is {tolerance}"
    return MemberStatus(member.name, False, difference, reason)


async def probe_difference(member: Member, engine: Engine, adapter: str | None) -> float:
    """The largest deviation from the recorded log-probs: a mean over a probe's candidates, or a continuation's tokens.

    The mean, since in bfloat16 the log-prob of a single improbable token carries rounding noise of 0.1 nats that says
    nothing about the weights, and wrong weights move all of them. NaN counts as infinitely far.
    """

    async def gaps_of(probe: Probe) -> list[float]:
        if isinstance(probe, NextTokenProbe):
            found = await engine.next_token_logprobs(probe.prompt, probe.candidates, adapter)
            return [sum(abs(a - b) for a, b in zip(found, probe.logprobs, strict=True)) / len(probe.logprobs)]
        rows = await engine.continuation_logprobs(probe.prompt, probe.continuations, adapter)
        return [
            abs(sum(found_row) - sum(recorded)) / max(len(recorded), 1)
            for found_row, recorded in zip(rows, probe.logprobs, strict=True)
        ]

    # At the same time, as questions come: in batches they take two thirds of the time of one after the other.
    gaps = [gap for found in await run_together(map(gaps_of, member.probes)) for gap in found]
    return max([0.0, *(gap if gap == gap else float("inf") for gap in gaps)])
