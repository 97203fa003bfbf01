"""The ladder of rungs: for any members, and for some whose order can be worked out by hand."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.answering.ladder import Offer, best, rungs

OFFERS = st.lists(
    st.builds(
        Offer,
        member=st.uuids().map(str),
        weight=st.floats(0.01, 1),
        steps=st.integers(1, 10),
        step_s=st.floats(0.001, 10),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda offer: offer.member,
)


def steps_of(*offers: Offer) -> list[dict[str, int]]:
    return [rung.steps for rung in rungs(offers)]


@given(OFFERS)
@settings(derandomize=True, database=None, deadline=None)
def test_costs_fall_from_everything_to_one_step_of_one_member(offers: list[Offer]) -> None:
    ladder = list(rungs(offers))
    known = {offer.member: offer for offer in offers}
    assert ladder[0].steps == {offer.member: offer.steps for offer in offers}
    assert list(ladder[-1].steps.items()) == [(best(offers).member, 1)]
    for rung in ladder:
        assert rung.cost_s == sum(known[member].step_s * steps for member, steps in rung.steps.items())
        assert all(1 <= steps <= known[member].steps for member, steps in rung.steps.items())
    for above, below in pairwise(ladder):
        assert below.cost_s < above.cost_s
        assert all(steps <= above.steps[member] for member, steps in below.steps.items())
        weights = [sum(known[member].weight for member in rung.steps) for rung in (above, below)]
        assert weights[1] <= weights[0]


@given(OFFERS)
@settings(derandomize=True, database=None, deadline=None)
def test_orders_go_before_members_and_each_rung_says_what_it_gave_up(offers: list[Offer]) -> None:
    ladder = list(rungs(offers))
    for rung in ladder:
        everybody = len(rung.steps) == len(offers)
        everything = everybody and all(rung.steps[offer.member] == offer.steps for offer in offers)
        assert rung.kind == ("full" if everything else "fewer orders" if everybody else "fewer members")
        if not everybody:
            assert set(rung.steps.values()) == {1}


def test_orders_are_halved_and_of_equal_members_the_dearer_gives_way_first() -> None:
    cheap, dear = Offer("cheap", 0.5, 4, 1.0), Offer("dear", 0.5, 4, 2.0)
    assert steps_of(cheap, dear) == [
        {"cheap": 4, "dear": 4},
        {"cheap": 4, "dear": 2},
        # From 4 to 2 of one second each saves as much as from 2 to 1 of two seconds each: a tie, the first one goes.
        {"cheap": 2, "dear": 2},
        {"cheap": 2, "dear": 1},
        {"cheap": 1, "dear": 1},
        {"cheap": 1},
    ]


def test_the_member_of_most_weight_a_second_is_left_at_the_end() -> None:
    heavy, quick, light = Offer("heavy", 0.6, 1, 1.0), Offer("quick", 0.3, 1, 0.1), Offer("light", 0.1, 1, 0.5)
    assert steps_of(heavy, quick, light) == [
        {"heavy": 1, "quick": 1, "light": 1},
        {"heavy": 1, "quick": 1},
        {"quick": 1},
    ]


def test_one_member_of_one_step_has_one_rung() -> None:
    assert steps_of(Offer("only", 1.0, 1, 0.3)) == [{"only": 1}]


def test_no_members_have_no_rungs() -> None:
    assert steps_of() == []
