"""What a service makes of input it may not expect: every shape of the field, what is no question, many at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tournament.doctor.client import ServiceClient, field_of
from tournament.doctor.finding import Finding, judged, named
from tournament.doctor.shapes import malformed_bodies, seen_shapes
from tournament.match.context import Delivered
from tournament.teams.http import NO_SUCH_ROUTE

REFUSALS = (429, 503)
"""Statuses by which a service says that it has too much to do."""


def shapes_finding(client: ServiceClient, target: str) -> Finding:
    """Whether a question in every shape gets an answer that can score."""
    shapes = seen_shapes(client.examination.samples[0])
    timeout_s = client.examination.edition.answer_seconds + client.examination.patience_s
    losses = {name: client.loss(client.post(target, body, timeout_s)) for name, body in shapes.items()}
    lost = {name: reason for name, reason in losses.items() if reason is not None}
    return judged(
        "shapes of a question",
        not lost,
        f"{len(shapes) - len(lost)} of {len(shapes)} are answered" + _all_of(lost),
        expected="all of them: real files hold every one",
        fix="Read each shape as agents.core.schema.read_question does.",
    )


def malformed_finding(client: ServiceClient, target: str) -> Finding:
    """Whether what is no question gets a status from 400 to 499 at once, and leaves the service as it was."""
    bodies = malformed_bodies(client.examination.samples[0])
    timeout_s = client.examination.no_model_timeout_s
    wrong: dict[str, str] = {}
    for name, body in bodies.items():
        found = client.post(target, body, timeout_s)
        if found.fault is not None:
            wrong[name] = found.fault.detail
        elif not 400 <= found.value.status < 500:
            wrong[name] = f"HTTP status {found.value.status}"
    after = client.loss(client.ask(target))
    if after is not None:
        wrong["a good question after these"] = after
    number = len(bodies) + 1
    return judged(
        "malformed input",
        not wrong,
        f"{number - len(wrong)} of {number} as expected" + _all_of(wrong),
        expected=f"a status from 400 to 499 within {timeout_s:g} s for each; a good question answered after them",
        fix="Check what comes in before any model sees it, and answer 422 with the field that is wrong.",
    )


def burst_finding(client: ServiceClient, target: str) -> Finding:
    """Whether many questions at the same time are all answered in time, each over a connection of its own."""
    number = client.examination.burst
    gate = threading.Barrier(number)

    def one(place: int) -> Delivered:
        own = client.another()
        gate.wait()
        try:
            return own.ask(target, place)
        finally:
            own.close()

    with ThreadPoolExecutor(number) as threads:
        results = list(threads.map(one, range(number)))
    refused = {place for place, found in enumerate(results) if not found.fault and found.value.status in REFUSALS}
    losses = {place: client.loss(found) for place, found in enumerate(results) if place not in refused}
    lost = {place: reason for place, reason in losses.items() if reason is not None}
    parts = [f"{len(losses) - len(lost)} answered, slowest {max(found.elapsed_s for found in results):.2f} s"]
    parts += [f"{len(refused)} refused"] if refused else []
    parts += [named(lost, "request")] if lost else []
    return judged(
        f"burst of {number}",
        not lost and not refused,
        "; ".join(parts),
        expected=f"all answered within {client.examination.edition.answer_seconds:g} s",
        fix="Ask less of the model when much is queued, fewer members or orders, before anything is late.",
        otherwise="fail" if lost else "warning",
    )


def alias_finding(client: ServiceClient, target: str, found: Delivered, wanted: str) -> Finding:
    """Whether another harness's route gave an object with the field ``wanted``."""
    check, expected = f"POST {target}", f"an object with {wanted!r}"
    fix = f"Serve {target} too: another harness of the field asks there."
    if found.fault is not None:
        return Finding(check, "fail", found.fault.detail, expected, fix)
    if found.value.status in NO_SUCH_ROUTE:
        return Finding(check, "warning", "not served", expected, fix)
    there = field_of(found, wanted) is not None
    outcome = f"HTTP status {found.value.status} in {found.elapsed_s:.2f} s{'' if there else ', without it'}"
    return judged(check, there, outcome, expected=expected, fix=fix)


def _all_of(reasons: Mapping[str, str]) -> str:
    """``; name: reason; …`` with all of the names: they are ours, and few."""
    return "".join(f"; {name}: {reason}" for name, reason in reasons.items())
