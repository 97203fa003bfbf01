"""The benchmark of hostile input: what it counts, and that nothing it tries hangs or crashes."""

from __future__ import annotations

import json
import time
from pathlib import Path

from agents.core.errors import InputError
from benchmarks.hostile import LIMIT_S, HeldCount, main
from benchmarks.hostile_inputs import http_bodies, question_rows


def test_what_is_answered_or_refused_in_one_sentence_held_and_nothing_else() -> None:
    def refuse() -> None:
        raise InputError("field", "a thing", "another")

    def crash() -> None:
        raise KeyError("x")

    def ramble() -> None:
        raise InputError("field", "two\nlines", "one")

    works = {"fine": lambda: None, "refused": refuse, "crash": crash, "ramble": ramble, "wrong": lambda: "no letter"}
    found = HeldCount().try_each(works.items()).to_json()
    assert (found["tried"], found["held"]) == (5, 2)
    assert [line.partition(":")[0] for line in found["failures"]] == ["crash", "ramble", "wrong"]


def test_work_without_an_end_is_stopped_and_counted() -> None:
    def spin() -> None:
        while True:
            pass

    started = time.monotonic()
    found = HeldCount().try_each([("spin", spin)]).to_json()
    assert (found["held"], found["failures"]) == (0, [f"spin: no end within {LIMIT_S:g} s"])
    assert time.monotonic() - started < 4 * LIMIT_S


def test_the_same_seed_makes_the_same_inputs() -> None:
    assert repr(question_rows(50, 3)) == repr(question_rows(50, 3)) != repr(question_rows(50, 4))
    assert http_bodies(50, 3) == http_bodies(50, 3)


def test_it_tries_every_kind_and_prints_every_aim(tiny_ensemble: Path, capfd) -> None:
    main(["--inputs", "40", "--ensemble", str(tiny_ensemble)])
    found = json.loads(capfd.readouterr().out)
    assert found["kinds"].keys() == {"questions", "proofs", "adapters", "manifests", "bodies"}
    assert all(kind["tried"] >= 40 for kind in found["kinds"].values())
    assert all(kind["held"] == kind["tried"] for kind in found["kinds"].values()), found
    assert found["aims"].keys() == {"not_held"}
