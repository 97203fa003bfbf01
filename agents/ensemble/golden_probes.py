"""Check a member against its golden probes: the log-probs recorded at export, replayed on the engine that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from agents.core.errors import AiacError
from agents.core.manifest import TOLERANCE_NATS, Manifest, Member, NextTokenProbe, Probe, asked_by
from agents.engines.protocol import Engine
from agents.ensemble.parity import MIN_PROBES, judge
from agents.support.concurrency import run_together

Alternatives = Mapping[str, Sequence[Probe]]
"""The probes of every member of an ensemble and of its base, by name: what wrong weights would most likely compute."""


@dataclass(frozen=True)
class MemberStatus:
    """Whether a member serves. ``difference_nats`` is its largest deviation from its golden probes, if it has any.

    A ``reason`` of one that serves says what could not be checked.
    """

    name: str
    ready: bool
    difference_nats: float | None
    reason: str | None = None

    @property
    def refused(self) -> bool:
        """Whether its numbers were computed and are wrong. To compute them again gives the same."""
        return not self.ready and self.difference_nats is not None


def alternatives_of(manifest: Manifest) -> Alternatives:
    """The recorded probes of all members and of the base."""
    return {manifest.base.model: manifest.base.probes} | {member.name: member.probes for member in manifest.members}


async def check_member(
    member: Member, engine: Engine, adapter: str | None, alternatives: Alternatives | None = None
) -> MemberStatus:
    """Replays a member's golden probes. The status is not ready when it is out of tolerance or cannot be computed.

    In float32 each probe has its tolerance. In 16 bit ``agents.ensemble.parity`` judges all of them together, beside
    the ``alternatives``.
    """
    if not member.probes:
        return MemberStatus(member.name, True, None, "no golden probes recorded")
    try:
        found = await run_together(replay(probe, engine, adapter) for probe in member.probes)
    except (AiacError, ValueError) as error:
        return MemberStatus(member.name, False, None, str(error))
    difference = largest_gap(member.probes, found)
    if engine.dtype != "float32":
        return _judged(member, found, difference, engine.dtype, alternatives or {})
    tolerance = TOLERANCE_NATS["float32"]
    if difference <= tolerance:
        return MemberStatus(member.name, True, difference)
    reason = f"differs from its golden probes by {difference:.4f} nats; the tolerance in float32 is {tolerance}"
    return MemberStatus(member.name, False, difference, reason)


def _judged(
    member: Member, found: Sequence[list[list[float]]], difference: float, dtype: str, alternatives: Alternatives
) -> MemberStatus:
    others = {}
    for name, probes in alternatives.items():
        recorded = {asked_by(probe): _flat(_rows(probe)) for probe in probes}
        others[name] = [recorded.get(asked_by(probe)) for probe in member.probes]
    own = [_flat(_rows(probe)) for probe in member.probes]
    verdict = judge([_flat(rows) for rows in found], own, others, TOLERANCE_NATS["bfloat16"])
    if verdict.fault is not None:
        return MemberStatus(
            member.name, False, difference, f"{verdict.fault}; the tolerance in {dtype} is {verdict.tolerance}"
        )
    notes = []
    if len(own) < MIN_PROBES:
        notes.append(f"it has {len(own)} golden probes, and to tell every fault in {dtype} takes {MIN_PROBES}")
    if verdict.unsure:
        notes.append(f"in {dtype} its golden probes do not tell it from {', '.join(verdict.unsure)}")
    return MemberStatus(member.name, True, difference, "; ".join(notes) or None)


async def replay(probe: Probe, engine: Engine, adapter: str | None) -> list[list[float]]:
    """The engine's log-probs for a probe: one row, or one for each continuation."""
    if isinstance(probe, NextTokenProbe):
        return [await engine.next_token_logprobs(probe.prompt, probe.candidates, adapter)]
    return await engine.continuation_logprobs(probe.prompt, probe.continuations, adapter)


def largest_gap(probes: Sequence[Probe], found: Sequence[list[list[float]]]) -> float:
    """The largest deviation from the recorded log-probs: a mean over a probe's candidates, or a continuation's tokens.

    The mean, since the log-prob of a single improbable token carries rounding noise that says nothing about the
    weights, and wrong weights move all of them. NaN counts as infinitely far.
    """
    gaps = [gap for probe, rows in zip(probes, found, strict=True) for gap in _gaps(probe, rows)]
    return max([0.0, *(gap if gap == gap else float("inf") for gap in gaps)])


def _gaps(probe: Probe, found: list[list[float]]) -> list[float]:
    pairs = list(zip(found, _rows(probe), strict=True))
    if isinstance(probe, NextTokenProbe):
        return [sum(abs(a - b) for a, b in zip(row, own, strict=True)) / len(own) for row, own in pairs]
    return [abs(sum(row) - sum(own)) / max(len(own), 1) for row, own in pairs]


def _rows(probe: Probe) -> list[list[float]]:
    return [probe.logprobs] if isinstance(probe, NextTokenProbe) else probe.logprobs


def _flat(rows: Sequence[Sequence[float]]) -> list[float]:
    return list(chain.from_iterable(rows))
