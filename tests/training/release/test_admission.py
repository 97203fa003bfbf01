"""A trained member is let in by a paired test against the best untrained one."""

from __future__ import annotations

import pytest

from training.release.admission import judge_members


def test_a_member_is_let_in_only_by_a_paired_test() -> None:
    keys = [0] * 40
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    scores = {
        "base": [right] * 20 + [wrong] * 20,
        "weak base": [wrong] * 40,
        "better": [right] * 30 + [wrong] * 10,
        "as good": [wrong] * 20 + [right] * 20,
        "hardly": [right] * 23 + [wrong] * 17,
    }
    results = {
        r.name: r for r in judge_members(scores, keys, trained=["better", "as good", "hardly"], significance=0.05)
    }
    assert [r.name for r in results.values() if r.rejected] == ["as good", "hardly"]
    # 10 rows only the member has right, none only the base: 2 · 0.5 ** 10.
    assert results["better"].p_equal_to_base == pytest.approx(2 * 0.5**10)
    assert results["better"].gain is not None
    assert results["better"].gain[0] > 0.1
    assert results["hardly"].p_equal_to_base == pytest.approx(2 * 0.5**3)
    assert results["base"].p_equal_to_base is None


def test_without_an_untrained_member_nothing_is_rejected() -> None:
    results = judge_members({"only": [[0.0, 1.0]]}, [0], trained=["only"], significance=0.05)
    assert [(result.name, result.correct, result.rejected) for result in results] == [("only", 0, None)]
