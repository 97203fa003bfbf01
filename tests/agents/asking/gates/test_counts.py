"""What became of drafts is counted by proposer, gate and reason."""

from __future__ import annotations

import json

from agents.asking.gates.counts import GateCounts


def test_counts_are_by_proposer_gate_and_reason_and_print_as_a_table():
    counts = GateCounts()
    for gate, reason in (("format", None), ("length", "too long"), ("format", "the filter"), ("format", "the filter")):
        counts.enter("model", gate)
        if reason:
            counts.refuse("model", gate, reason)
    counts.enter("solver", "proof")
    assert json.loads(json.dumps(counts.to_json()))[0] == {
        "proposer": "model", "gate": "format", "entered": 3, "refused": 2, "reasons": {"the filter": 2}
    }  # fmt: skip
    assert counts.table().splitlines() == [
        "proposer  gate    entered  refused  reasons",
        "model     format        3        2  the filter 2",
        "model     length        1        1  too long 1",
        "solver    proof         1        0",
    ]
