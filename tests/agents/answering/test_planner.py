"""What is asked for in the time that is left, with costs and queues that the test sets."""

from __future__ import annotations

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, letter_member
from simulation import measured_costs

from agents.answering.cost import size_of
from agents.answering.planner import Planner, VotePlan
from agents.answering.voter import Voter
from agents.core.prompts import PromptRenderer

SIZE = size_of(CAPITAL)


class Bench:
    """Members on engines of one second a step, and steps waiting on those engines."""

    def __init__(self, *engines: dict[str, int]) -> None:
        """``engines`` are the orders of members by name; all weigh the same."""
        self.engines = [ScriptedEngine() for _ in engines]
        voters = []
        for engine, members in zip(self.engines, engines, strict=True):
            renderer = PromptRenderer(engine.tokenizer)
            voters += [Voter(letter_member(name, orders=n), engine, renderer, name) for name, n in members.items()]
        self.costs = measured_costs({voter.member.name: voter.engine for voter in voters}, SIZE, 1.0)
        self.planner = Planner(voters, self.costs)

    def wait(self, engine: int, steps: int) -> None:
        self.costs.queue(self.engines[engine]).reserve(self.planner.voters[0].member.name, SIZE, steps)

    def plan(self, remaining_s: float) -> VotePlan:
        return self.planner.plan(CAPITAL, remaining_s)


def test_with_all_the_time_there_is_everything_is_asked_for() -> None:
    assert Bench({"a": 4, "b": 1}).plan(float("inf")) == VotePlan("full", {"a": 4, "b": 1})


@pytest.mark.parametrize(
    ("remaining_s", "expected"),
    [
        (8.0, VotePlan("full", {"a": 4, "b": 1})),
        (5.0, VotePlan("fewer orders", {"a": 2, "b": 1})),
        (3.2, VotePlan("fewer orders", {"a": 1, "b": 1})),
        (1.6, VotePlan("fewer members", {"a": 1})),
    ],
)
def test_the_highest_rung_that_fits_with_a_reserve_is_asked_for(remaining_s: float, expected: VotePlan) -> None:
    assert Bench({"a": 4, "b": 1}).plan(remaining_s) == expected


def test_what_waits_already_takes_from_the_time() -> None:
    bench = Bench({"a": 4, "b": 1})
    bench.wait(0, 3)
    assert bench.plan(8.0) == VotePlan("fewer orders", {"a": 2, "b": 1})


def test_while_others_wait_the_fullest_rung_leaves_room_for_the_next_one() -> None:
    bench = Bench({"a": 4})
    # Alone it may fill 0.8 of the time; behind another the fullest rung may fill 0.7: five steps do not fit into 4.6 s.
    assert bench.plan(6.0) == VotePlan("full", {"a": 4})
    bench.wait(0, 1)
    assert bench.plan(6.6) == VotePlan("fewer orders", {"a": 2})


def test_a_long_queue_on_one_engine_takes_nothing_from_another() -> None:
    bench = Bench({"a": 4}, {"b": 4})
    bench.wait(0, 50)
    assert bench.plan(8.0) == VotePlan("fewer members", {"b": 4})


def test_an_engine_with_nothing_to_do_is_tried_although_it_seems_too_slow() -> None:
    bench = Bench({"a": 4})
    assert bench.plan(0.5) == VotePlan("fewer orders", {"a": 1})
    assert bench.planner.shortfall_s(CAPITAL, 0.5) == 0


def test_what_just_fits_without_the_reserve_is_still_tried() -> None:
    bench = Bench({"a": 4})
    bench.wait(0, 4)
    assert bench.plan(5.9) == VotePlan("fewer orders", {"a": 1})
    assert bench.planner.shortfall_s(CAPITAL, 5.9) > 0


def test_where_nothing_fits_nothing_is_asked_for() -> None:
    bench = Bench({"a": 4})
    bench.wait(0, 6)
    assert bench.plan(5.5) == VotePlan("nothing", {})
    assert bench.plan(0.0) == VotePlan("nothing", {})
    assert Planner([], bench.costs).plan(CAPITAL, 5.5) == VotePlan("nothing", {})


def test_the_shortfall_is_how_long_to_wait_until_a_step_fits() -> None:
    bench = Bench({"a": 4})
    bench.wait(0, 6)
    # Seven steps take about 7 s; of 5.5 s with a reserve of a fifth there are 4.4 s.
    assert bench.planner.shortfall_s(CAPITAL, 5.5) == pytest.approx(7 - 4.4, rel=0.2)
    assert bench.planner.shortfall_s(CAPITAL, 9.5) == 0


def test_the_shortfall_of_a_step_that_never_fits_is_the_length_of_the_queue() -> None:
    bench = Bench({"a": 4})
    bench.wait(0, 6)
    assert bench.planner.shortfall_s(CAPITAL, 0.5) == pytest.approx(6, rel=0.1)


def test_the_shortfall_is_that_of_the_engine_that_is_ready_first() -> None:
    bench = Bench({"a": 4}, {"b": 4})
    bench.wait(0, 50)
    bench.wait(1, 6)
    assert bench.planner.shortfall_s(CAPITAL, 5.5) < 4
