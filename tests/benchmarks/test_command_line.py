"""Options of a benchmark, and what goes to which stream."""

from __future__ import annotations

import json

import pytest

from benchmarks.command_line import argument_parser, at_least, positive, print_report


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--rate", "0"], "--rate: found 0; expected a positive number"),
        (["--rate", "fast"], "--rate: found 'fast'; expected a positive number"),
        (["--rate", "nan"], "--rate: found nan; expected a positive number"),
        (["--rows", "9"], "--rows: found 9; expected 10 or more"),
    ],
)
def test_a_number_out_of_range_is_refused(given: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argument_parser("some", "Measure something.")
    parser.add_argument("--rate", type=positive(float))
    parser.add_argument("--rows", type=at_least(int, 10))
    assert vars(parser.parse_args(["--rate", "0.5", "--rows", "10"])) == {"rate": 0.5, "rows": 10}
    with pytest.raises(SystemExit):
        parser.parse_args(given)
    assert expected in capsys.readouterr().err


def test_the_report_is_alone_on_stdout_and_aims_are_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    report = {"aims": {"speed": {"value": 2.0, "aim": "at least 3", "met": False}}}
    print_report(report)
    print_report(report, {"part": report})
    out, err = capsys.readouterr()
    assert out == 2 * f"{json.dumps(report, indent=1)}\n"
    assert err.splitlines() == [f"{part}speed: 2.00 (aim: at least 3) NOT met" for part in ("", "part: ")]
