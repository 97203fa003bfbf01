"""The guards act on a run that breaks, say why with numbers, and leave a healthy run alone."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import norm as normal
from statsmodels.stats.proportion import proportions_ztest

from training.guards import (
    GO,
    AlphaFallback,
    CollapseWatch,
    GradientWatch,
    GuardDecision,
    GuardRecipe,
    ProbeStats,
    is_significant,
    probe_stats,
)

reproducibly = settings(derandomize=True, deadline=None)

RECIPE = GuardRecipe()
HEALTHY = ProbeStats(rows=40, accuracy=0.55, top_share=0.3, label_mass=0.9, nll_nats=1.2)


def judge(start: ProbeStats, now: ProbeStats, recipe: GuardRecipe = RECIPE) -> GuardDecision:
    return CollapseWatch(recipe, start).see(3, now)


# The gradient watch


def test_a_norm_over_ten_times_the_median_restarts_the_run() -> None:
    watch = GradientWatch(RECIPE)
    norms = [1.0, 3.0, 2.0, 5.0, 4.0]
    assert all(watch.see(step, norm) == GO for step, norm in enumerate(norms, start=1))
    assert watch.see(6, 30.0) == GO
    verdict = watch.see(7, 35.1)  # the median of the six before it is 3.5
    assert verdict.action == "restart_lower_alpha"
    assert verdict.reason == (
        "The gradient norm of step 7 is 35.1, more than 10 times the median of the steps before it, 3.5."
    )


@reproducibly
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30))
def test_the_limit_is_the_median_of_all_norms_before(norms: list[float]) -> None:
    watch = GradientWatch(RECIPE)
    for i, norm in enumerate(norms):
        exploded = i >= RECIPE.gradient_warm and norm > 10 * median(norms[:i])
        assert (watch.see(i + 1, norm).action == "restart_lower_alpha") == exploded


def test_a_norm_is_not_judged_before_the_median_counts_nor_after_the_first_steps() -> None:
    recipe = GuardRecipe(gradient_steps=8, gradient_warm=4)
    watch = GradientWatch(recipe)
    assert [watch.see(step, norm) for step, norm in [(1, 1.0), (2, 1e6), (3, 1.0), (4, 1e6)]] == [GO] * 4
    watch = GradientWatch(recipe, norms=[1.0] * 8)
    assert watch.see(8, 100.0).action == "restart_lower_alpha"
    assert watch.see(9, 100.0) == GO


def test_steps_without_any_gradient_set_no_limit() -> None:
    watch = GradientWatch(RECIPE, norms=[0.0] * 20)
    assert watch.see(21, 1.0) == GO


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("step", "action"), [(1, "restart_lower_alpha"), (100, "restart_lower_alpha"), (101, "stop")])
def test_a_number_that_is_not_finite_restarts_early_and_stops_late(value: float, step: int, action: str) -> None:
    assert GradientWatch(RECIPE).see(step, value) == GuardDecision(
        action, f"The gradient norm of step {step} is {value}."
    )  # type: ignore[arg-type]
    assert GradientWatch(RECIPE).see(step, 1.0, value) == GuardDecision(action, f"The loss of step {step} is {value}.")  # type: ignore[arg-type]


def test_a_resumed_watch_decides_as_one_that_never_stopped() -> None:
    draw = random.Random(0)
    norms = [draw.lognormvariate(0, 1.2) for _ in range(100)]
    whole = GradientWatch(RECIPE)
    verdicts = [whole.see(step, norm) for step, norm in enumerate(norms, start=1)]
    resumed = GradientWatch(RECIPE, norms[:40])
    assert [resumed.see(step, norm) for step, norm in enumerate(norms[40:], start=41)] == verdicts[40:]
    assert any(verdict != GO for verdict in verdicts[40:])


def test_the_gradient_watch_leaves_noisy_gradients_alone() -> None:
    # Norms of a healthy run vary by a factor of about 1.5 from batch to batch, and fall over the first steps.
    restarts = 0
    for seed in range(200):
        draw, watch = random.Random(seed), GradientWatch(RECIPE)
        norms = [(1 + 4 * math.exp(-step / 10)) * draw.lognormvariate(0, 0.4) for step in range(100)]
        restarts += any(watch.see(step, norm) != GO for step, norm in enumerate(norms, start=1))
    assert restarts == 0


def test_alphas_are_tried_in_order_and_then_the_run_stops() -> None:
    restart = GuardDecision("restart_lower_alpha", "It exploded.")
    fallback = AlphaFallback(128, [64, 32])
    assert fallback.alpha == 128
    assert fallback.apply(GO) == GO
    assert fallback.apply(restart) == GuardDecision(
        "restart_lower_alpha", "It exploded. The run starts again with alpha 64."
    )
    assert fallback.alpha == 64
    assert fallback.apply(restart).action == "restart_lower_alpha"
    assert fallback.apply(restart) == GuardDecision("stop", "It exploded. No alpha is left below 32.")
    assert fallback.alpha == 32
    assert AlphaFallback(128, [64, 32], used=1).alpha == 64
    assert AlphaFallback(128, []).apply(restart).action == "stop"


# The probe statistics


def test_probe_statistics_are_those_counted_by_hand() -> None:
    # One row of four choices with the key walking through the places, one of two choices.
    stats = probe_stats(
        places=[0, 0, 2, 0, 1, 1],
        keys=[0, 1, 2, 3, 1, 0],
        n_choices=[4, 4, 4, 4, 2, 2],
        nll_nats=[1.0, 2.0, 0.5, 3.0, 0.1, 0.6],
        label_mass=[0.9, 0.8, 0.7, 0.9, 1.0, 0.5],
    )
    assert (stats.rows, stats.accuracy, stats.top_share) == (2, 3 / 6, 3 / 6)
    assert (stats.label_mass, stats.nll_nats) == (pytest.approx(0.8), pytest.approx(1.2))
    assert probe_stats([0, 1], [0, 1], [2, 2], nll_nats=[0.1, 0.1]).label_mass == 1.0


def test_probe_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry a probe"):
        probe_stats([0, 1], [0], [2, 2], nll_nats=[0.1, 0.1])
    with pytest.raises(ValueError, match="one entry a probe"):
        probe_stats([], [], [], nll_nats=[])
    with pytest.raises(ValueError, match="all cyclic orders"):
        probe_stats([0, 1, 1], [0, 1, 0], [2, 2, 2], nll_nats=[0.1] * 3)


# The collapse watch


@reproducibly
@given(st.integers(5, 400), st.data())
def test_significance_is_the_pooled_z_test_of_two_proportions(rows: int, data: st.DataObject) -> None:
    low, high = sorted(data.draw(st.tuples(st.integers(0, rows), st.integers(0, rows))))
    if low == high:
        assert not is_significant(high / rows, low / rows, rows)
        return
    z, p = proportions_ztest([high, low], [rows, rows], alternative="larger")
    assert z == pytest.approx(normal.isf(p), rel=1e-6)
    assert is_significant(high / rows, low / rows, rows) == (p < 0.01)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"top_share": 0.97}, "one choice place has 97% of the answers (start: 30%)"),
        ({"accuracy": 0.25}, "accuracy is 25.0% (start: 55.0%)"),
        ({"label_mass": 0.02}, "label mass is 0.020 (start: 0.900)"),
        ({"nll_nats": 9.5}, "−ln p(key) is 9.50 nats (start: 1.20)"),
        ({"nll_nats": math.nan}, "the scores are not finite"),
        ({"label_mass": math.nan}, "the scores are not finite"),
    ],
)
def test_each_sign_of_a_collapse_rolls_back_and_says_so(change: dict[str, float], phrase: str) -> None:
    verdict = judge(HEALTHY, replace(HEALTHY, **change))
    assert verdict.action == "roll_back"
    assert verdict.reason == (
        f"After chunk 4, {phrase} on 40 probe rows. Back to the last good chunk at half the learning rate."
    )


def test_all_the_signs_are_in_the_reason() -> None:
    reason = judge(HEALTHY, ProbeStats(40, 0.25, 1.0, 0.01, 1.2)).reason
    assert all(sign in reason for sign in ("choice place", "accuracy", "label mass"))


def test_the_second_collapse_stops_the_run() -> None:
    watch = CollapseWatch(RECIPE, HEALTHY)
    broken = replace(HEALTHY, top_share=1.0)
    assert [watch.see(c, s).action for c, s in enumerate([HEALTHY, broken, HEALTHY, broken])] == [
        "go",
        "roll_back",
        "go",
        "stop",
    ]
    assert CollapseWatch(RECIPE, HEALTHY, collapses=1).see(5, broken).action == "stop"


@pytest.mark.parametrize("top_share", [0.9, 0.95, 1.0])
def test_a_base_that_says_one_letter_to_nearly_everything_has_not_collapsed(top_share: float) -> None:
    start = ProbeStats(rows=40, accuracy=0.26, top_share=top_share, label_mass=0.6, nll_nats=2.5)
    assert judge(start, start) == GO
    assert judge(start, replace(start, top_share=1.0)) == GO
    assert judge(start, replace(start, top_share=0.4, accuracy=0.5)) == GO


def test_a_base_that_puts_little_mass_on_labels_has_not_collapsed() -> None:
    start = replace(HEALTHY, label_mass=0.02)
    assert judge(start, replace(start, label_mass=0.005)) == GO


def test_a_sure_base_may_lose_sureness_up_to_a_multiple_of_chance() -> None:
    start = replace(HEALTHY, nll_nats=0.2)
    assert judge(start, replace(start, nll_nats=4.1)) == GO
    assert judge(start, replace(start, nll_nats=4.2)).action == "roll_back"  # 3 ln 4 = 4.159


def test_a_change_over_its_threshold_counts_only_when_the_rows_are_enough_for_it() -> None:
    now = replace(HEALTHY, accuracy=0.40)
    assert judge(HEALTHY, now) == GO
    assert judge(replace(HEALTHY, rows=400), replace(now, rows=400)).action == "roll_back"


def test_a_significant_change_below_its_threshold_does_not_count() -> None:
    start = replace(HEALTHY, rows=4_000)
    assert judge(start, replace(start, accuracy=0.48, top_share=0.55, label_mass=0.7)) == GO


def test_getting_better_is_no_collapse() -> None:
    assert judge(HEALTHY, ProbeStats(40, accuracy=1.0, top_share=0.25, label_mass=1.0, nll_nats=0.01)) == GO


def simulated(draw: random.Random, chance: float, kept: float, before: list[list[int]] | None) -> list[list[int]]:
    """Per row, the choice that is chosen (0 is the key) in each of four orders; a share ``kept`` is as ``before``.

    The orders agree, as cloze scores do: the fewest independent observations a probe set can have.
    """
    rows = []
    for i in range(40):
        if before is not None and draw.random() < kept:
            rows.append(before[i])
        else:
            rows.append([0 if draw.random() < chance else draw.randrange(1, 4)] * 4)
    return rows


def stats_of(rows: list[list[int]]) -> ProbeStats:
    """The key stands at place ``order`` in each order, and choice c at place ``order + c``."""
    places = [(order + choice) % 4 for row in rows for order, choice in enumerate(row)]
    keys = [order for row in rows for order in range(4)]
    return probe_stats(places, keys, [4] * len(places), nll_nats=[1.3] * len(places))


def false_alarms(chance: float, kept: float, runs: int) -> float:
    """The share of runs of ten chunks, in none of which the model changes for the worse, that are interfered with."""
    alarms = 0
    for seed in range(runs):
        draw = random.Random(seed)
        start = simulated(draw, chance, kept, None)
        watch = CollapseWatch(RECIPE, stats_of(start))
        alarms += any(watch.see(c, stats_of(simulated(draw, chance, kept, start))) != GO for c in range(10))
    return alarms / runs


@pytest.mark.parametrize("chance", [0.25, 0.4, 0.55, 0.8])
def test_a_run_that_learns_nothing_and_forgets_nothing_is_left_alone(chance: float) -> None:
    assert false_alarms(chance, kept=0.8, runs=200) == 0
    assert false_alarms(chance, kept=0.5, runs=400) <= 0.02


def test_even_answers_drawn_afresh_at_every_chunk_seldom_look_like_a_collapse() -> None:
    assert false_alarms(0.4, kept=0.0, runs=400) <= 0.1


def test_a_letter_model_that_falls_to_one_letter_is_always_caught() -> None:
    for seed in range(200):
        start = stats_of(simulated(random.Random(seed), 0.55, 0, None))
        assert judge(start, replace(start, accuracy=0.25, top_share=1.0)).action == "roll_back"


@pytest.mark.parametrize(
    "fields",
    [
        {"gradient_factor": 1.0},
        {"gradient_warm": 0},
        {"collapse_top_share": 1.1},
        {"collapse_accuracy_drop": 0},
        {"min_label_mass_ratio": -0.1},
        {"collapse_nll_factor": 1},
        {"probe_rows": 0},
        {"disk_reserve_gb": -1},
        {"probes": 40},
    ],
)
def test_thresholds_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GuardRecipe.model_validate(fields)
