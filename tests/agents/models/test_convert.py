"""What the conversion does to transformers' settings. The real model's weights test the conversion itself."""

from __future__ import annotations

import sys
import warnings

import pytest

from agents.models.convert import _quiet


class FakeLogging:
    """The part of ``transformers.utils.logging`` that is used."""

    def __init__(self, bars: bool) -> None:
        self.verbosity, self.bars = 30, bars

    def get_verbosity(self) -> int:
        return self.verbosity

    def set_verbosity(self, verbosity: int) -> None:
        self.verbosity = verbosity

    def set_verbosity_error(self) -> None:
        self.verbosity = 40

    def is_progress_bar_enabled(self) -> bool:
        return self.bars

    def disable_progress_bar(self) -> None:
        self.bars = False

    def enable_progress_bar(self) -> None:
        self.bars = True


@pytest.mark.parametrize("bars", [True, False])
def test_nothing_is_shown_inside_and_the_settings_come_back(bars: bool, capsys: pytest.CaptureFixture[str]) -> None:
    logging = FakeLogging(bars)
    with pytest.raises(RuntimeError), _quiet(logging):
        assert (logging.verbosity, logging.bars) == (40, False)
        sys.stderr.write("100%")
        warnings.warn("noise", stacklevel=1)
        raise RuntimeError
    assert (logging.verbosity, logging.bars) == (30, bars)
    assert capsys.readouterr().err == ""
