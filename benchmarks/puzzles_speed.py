"""Proved puzzles that one core makes and verifies a second, by family and level.

python -m benchmarks.puzzles_speed prints JSON. Times are the process's own (CPU seconds), after one puzzle to warm up.
``--draws N`` counts the different structures among N puzzles in a row, by family at medium.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean

import puzzles
from benchmarks.command_line import argument_parser, note, print_report
from puzzles.difficulty import LEVELS

AIM_PER_S = 40.0
"""Puzzles a second a core, as a mean over families at medium difficulty."""


def per_second(make: Callable[[int], object], number: int) -> float:
    """Calls a CPU second of ``make``, over ``number`` calls with 0, 1, …"""
    start = time.process_time()
    for place in range(number):
        make(place)
    return number / (time.process_time() - start)


def measure(family: str, number: int) -> dict[str, float]:
    """Puzzles a CPU second, by level, and verified a CPU second (medium)."""
    result: dict[str, float] = {}
    for level in LEVELS:
        make = partial(puzzles.generate, family, level)
        make(-1)
        result[level] = round(per_second(make, number), 1)
    made = [puzzles.generate(family, "medium", seed) for seed in range(number)]
    result["verified"] = round(per_second(lambda place: puzzles.verify(made[place]), number), 1)
    return result


def distinct(family: str, draws: int) -> int:
    """Structures among the medium puzzles of the seeds 0 to ``draws`` - 1."""
    return len({puzzles.generate(family, "medium", seed).fingerprint for seed in range(draws)})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argument_parser("puzzles_speed", __doc__)
    parser.add_argument("--number", type=int, default=200, help="puzzles of each family and level")
    parser.add_argument("--draws", type=int, default=0, help="medium puzzles of each family to count structures among")
    options = parser.parse_args(argv)
    number = options.number
    speeds = {family: measure(family, number) for family in puzzles.FAMILIES}
    mean = round(fmean(speed["medium"] for speed in speeds.values()), 1)
    report = {"puzzles_per_cpu_s": speeds, "medium_mean": mean, "aim": AIM_PER_S, "reached": mean >= AIM_PER_S}
    if options.draws:
        structures = {}
        for family in puzzles.FAMILIES:
            structures[family] = distinct(family, options.draws)
            note(f"{family}: {structures[family]:,} structures in {options.draws:,} draws")
        report["structures"] = {"draws": options.draws, "distinct": structures}
    print_report(report)


if __name__ == "__main__":
    main()
