"""What a command line without aiac says and ends with, however its work ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents.core.errors import EngineError, InputError
from agents.support.command_line import run_reported
from agents.support.missing_package import missing_package


def missing() -> None:
    import a_package_that_nobody_wrote  # type: ignore[import-not-found]  # noqa: F401


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (lambda: None, 0, ""),
        (raising(InputError("field", "this", "that")), 2, "tool: field: found this; expected that\n"),
        (raising(EngineError("it died")), 1, "tool: it died\n"),
        (raising(KeyboardInterrupt()), 130, "tool: interrupted; nothing is lost\n"),
        (missing, 1, f"tool: {missing_package('a_package_that_nobody_wrote')}\n"),
    ],
    ids=["nothing", "bad input", "a fault", "an interrupt", "a package"],
)
def test_an_end_is_one_sentence_and_an_exit_code(work, code, said, capsys):
    assert run_reported("tool", work, "nothing is lost") == code
    assert capsys.readouterr() == ("", said)


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_reported("tool", raising(ZeroDivisionError()), "nothing is lost")
