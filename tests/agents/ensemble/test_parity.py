"""The judge of 16-bit numbers: rounding passes, other weights do not, and what cannot be told is said."""

from __future__ import annotations

import math
import random

import pytest

from agents.ensemble.parity import MIN_PROBES, Numbers, judge, root_mean_square, shift

LIMIT = 0.12
TOKENS = 8


def numbers(seed: int, probes: int = MIN_PROBES) -> list[list[float]]:
    source = random.Random(seed)
    return [[-source.expovariate(0.5) for _ in range(TOKENS)] for _ in range(probes)]


def rounded(values: Numbers, seed: int, nats: float) -> list[list[float]]:
    """With normal noise of that size, half of its variance shared by the tokens of a probe."""
    source = random.Random(seed)
    found = []
    for row in values:
        shared = source.gauss(0, nats / math.sqrt(2))
        found.append([value + shared + source.gauss(0, nats / math.sqrt(2)) for value in row])
    return found


def stepped(values: Numbers, seed: int, nats: float) -> list[list[float]]:
    source = random.Random(seed)
    return [[value + source.gauss(0, nats) for value in row] for row in values]


def between(own: Numbers, other: Numbers, share: float) -> list[list[float]]:
    return [[a + share * (b - a) for a, b in zip(row, to, strict=True)] for row, to in zip(own, other, strict=True)]


OWN = numbers(0)
BASE, SIBLING = stepped(OWN, 1, 2.0), stepped(OWN, 2, 0.6)


@pytest.mark.parametrize("nats", [0.03, 0.06])
def test_healthy_members_pass_a_hundred_of_a_hundred(nats: float) -> None:
    """The rounding that SmolLM2 and its adapters have in bfloat16; their neighbours are as far as those of starter."""
    others = {"base": BASE, "sibling": SIBLING, "itself": OWN}
    verdicts = [judge(rounded(OWN, seed, nats), OWN, others, LIMIT) for seed in range(100)]
    assert [verdict.fault for verdict in verdicts] == [None] * 100
    assert not any(verdict.unsure for verdict in verdicts)


@pytest.mark.parametrize("nats", [0.02, 0.05, 0.1])
def test_healthy_members_pass_beside_a_twin(nats: float) -> None:
    others = {"twin": stepped(OWN, 3, nats)}
    assert [judge(rounded(OWN, seed, 0.06), OWN, others, LIMIT).fault for seed in range(100)] == [None] * 100


@pytest.mark.parametrize("seed", range(20))
def test_a_lightly_trained_adapter_at_half_or_one_and_a_half_alpha_is_caught_by_its_direction(seed: int) -> None:
    base = stepped(OWN, 4, 0.2)
    for share in (0.5, -0.5, 1.0):
        found = rounded(between(OWN, base, share), seed, 0.03)
        verdict = judge(found, OWN, {"base": base}, LIMIT)
        if share != 1.0:
            assert verdict.size_nats <= LIMIT
            assert "of the step to the numbers of base" in str(verdict.fault)
        assert verdict.fault is not None


@pytest.mark.parametrize("seed", range(20))
def test_numbers_of_other_weights_are_caught_without_knowing_them(seed: int) -> None:
    assert judge(stepped(OWN, seed, 0.26), OWN, {}, LIMIT).fault is not None


def test_weights_that_rounding_hides_are_named() -> None:
    twin = stepped(OWN, 5, 0.001)
    verdict = judge(rounded(OWN, 6, 0.06), OWN, {"twin": twin, "base": BASE}, LIMIT)
    assert (verdict.fault, verdict.unsure) == (None, ("twin",))


def test_the_size_is_a_mean_weighted_by_probability() -> None:
    own = [[math.log(0.75), math.log(0.25)]]
    found = [[own[0][0] + 0.1, own[0][1] - 0.3]]
    assert root_mean_square(found, own) == pytest.approx(math.sqrt(0.75 * 0.01 + 0.25 * 0.09))


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_no_number_is_infinitely_far(value: float) -> None:
    verdict = judge([[value, -1.0]], [[-1.0, -1.0]], {"base": [[-2.0, -2.0]]}, LIMIT)
    assert verdict.size_nats == math.inf
    assert verdict.fault == "differs from its golden probes by inf nats"


def test_a_shift_is_the_share_of_the_step_with_a_jackknife_error() -> None:
    exact = shift(between(OWN, BASE, 0.3), OWN, BASE)
    assert exact is not None
    assert (exact.share, exact.error) == (pytest.approx(0.3), pytest.approx(0, abs=1e-9))
    shares = [found for seed in range(200) if (found := shift(rounded(OWN, seed, 0.1), OWN, SIBLING))]
    spread = math.sqrt(sum(found.share**2 for found in shares) / len(shares))
    mean_error = sum(found.error for found in shares) / len(shares)
    assert 0.7 < mean_error / spread < 1.5


def test_there_is_no_shift_without_a_step_on_two_probes() -> None:
    assert shift(OWN, OWN, OWN) is None
    assert shift(OWN, OWN, [None] * len(OWN)) is None
    assert shift(OWN, OWN, [BASE[0], *[None] * (len(OWN) - 1)]) is None
