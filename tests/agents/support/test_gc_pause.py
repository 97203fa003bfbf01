"""Python's collector while an ensemble loads."""

from __future__ import annotations

import gc

import pytest

from agents.support.gc_pause import gc_paused


def test_it_rests_inside_and_works_again_afterwards_whatever_happened() -> None:
    with gc_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="no such model"), gc_paused():
        raise ValueError("no such model")
    assert gc.isenabled()
    gc.unfreeze()


def test_whoever_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
