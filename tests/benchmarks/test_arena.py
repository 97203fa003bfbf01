"""The arena's benchmark, on a match of two questions."""

from __future__ import annotations

import json

from benchmarks.arena import AIMS, main


def test_it_plays_its_matches_and_prints_every_aim_with_its_measurement(capsys) -> None:
    main(["--quick"])
    found = json.loads(capsys.readouterr().out)
    assert set(found["aims"]) == set(AIMS)
    assert [match["questions"] for match in (*found["short"], found["long"])] == [2, 2, 2, 4]
    # Both teams know every answer.
    assert all(match["scores"] == [100, 100] for match in (*found["short"], found["long"]))
