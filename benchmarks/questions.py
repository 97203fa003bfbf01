"""Proved questions of each edition: filter, duplicates, wrong keys, and speed.

python -m benchmarks.questions prints JSON. The tests' own solvers check every key; they read only the English, and
``--unchecked`` leaves them out. The report holds in full each question that they do not confirm. MinHash finds the
duplicates, not the index of the gates. ``fresh`` questions are made while the caller waits, ``pooled`` ones come from
a pool filled before.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from agents.asking.pool.pool import ServedQuestion
from agents.asking.pool.store import QuestionStore
from agents.asking.questioner import Questioner
from agents.core.edition import Edition, edition_names, load_edition
from agents.core.rules import filter_questions
from agents.core.text_similarity import SIMILAR, question_words, shingles
from agents.core.token_estimate import estimate_tokens
from benchmarks.command_line import argument_parser, note, print_report
from benchmarks.reporting import Aims, check_aims, percentiles_ms, processor_name
from puzzles import LEVELS, Puzzle
from training.curation.similarity import Signatures, similar_pairs

SOLVERS = Path(__file__).resolve().parents[1] / "tests" / "puzzles"
POOL_CAPACITY = 25
AIMS: Aims = {
    "share_passing_the_filter": ("at least", 1.0),
    "duplicates": ("at most", 0.0),
    "wrong_keys": ("at most", 0.0),
    "pooled_p99_ms": ("below", 50.0),
}


def second_solver() -> Callable[[Puzzle], bool]:
    """Import ``confirms`` of the tests' second solvers."""
    sys.path.insert(0, str(SOLVERS))
    from second_solvers import confirms  # type: ignore[import-not-found]

    return confirms  # type: ignore[no-any-return]


def as_served(served: ServedQuestion) -> Puzzle:
    """The puzzle behind a question, with the text, the choices and the key that were served."""
    question = served.question
    puzzle = Puzzle.from_json(dict(served.proposal.proof or {}))
    return replace(puzzle, question=question.text, choices=question.choices, key=question.key or 0)


def duplicates(served: Sequence[ServedQuestion]) -> int:
    """Count questions with the structure or, by MinHash, nearly the text of another one."""
    structures = Counter(each.proposal.fingerprint for each in served)
    repeated = {place for place, each in enumerate(served) if structures[each.proposal.fingerprint] > 1}
    signatures = Signatures(seed=0)
    for each in served:
        signatures.add(shingles(question_words(each.question)))
    for pairs in similar_pairs(signatures.matrix(), SIMILAR):
        repeated |= set(pairs.second.tolist())
    return len(repeated)


def keys(served: Sequence[ServedQuestion], confirms: Callable[[Puzzle], bool]) -> dict[str, Any]:
    """Count the keys that the second solver confirms and does not, with its CPU seconds."""
    start = time.process_time()
    wrong = [each.canonical() for each in served if not confirms(as_served(each))]
    return {
        "confirmed": len(served) - len(wrong),
        "wrong": len(wrong),
        "wrongly_keyed": wrong,
        "cpu_s": round(time.process_time() - start, 1),
    }


async def asked(questioner: Questioner, number: int) -> tuple[list[ServedQuestion], list[float]]:
    """Ask for questions in the default difficulty, one after the other; return them and the seconds of each."""
    served, seconds = [], []
    for _ in range(number):
        start = time.perf_counter()
        served.append(await questioner.ask())
        seconds.append(time.perf_counter() - start)
    return served, seconds


async def measure(edition: Edition, number: int, seed: int) -> tuple[dict[str, Any], list[ServedQuestion]]:
    """Return the report of one edition, and its fresh questions."""
    with tempfile.TemporaryDirectory() as folder:
        store = QuestionStore(Path(folder) / "pool.sqlite", capacity=POOL_CAPACITY)
        questioner = Questioner(edition, store, draw_seed=count(seed * 1_000_003).__next__)
        try:
            start, cpu = time.perf_counter(), time.process_time()
            served, seconds = await asked(questioner, number)
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            gates = questioner.gate_counts.to_json()
            while await questioner.refill():
                pass
            pooled, pooled_seconds = await asked(questioner, len(questioner.topics) * POOL_CAPACITY)
        finally:
            await questioner.close()
    rows = [each.canonical() for each in served]
    return {
        "asked": number,
        "share_passing_the_filter": len(filter_questions(rows, estimate_tokens, edition)) / number,
        "duplicates": duplicates([*served, *pooled]),
        "letters": dict(sorted(Counter(row["answer"] for row in rows).items())),
        "topics": dict(Counter(row["topic"] for row in rows)),
        "levels": {level: sum(each.proposal.level == level for each in served) for level in LEVELS},
        "questions_per_s": round(number / wall, 1),
        "questions_per_cpu_s": round(number / cpu, 1),
        "fresh_ms": percentiles_ms(seconds),
        "pooled_ms": percentiles_ms(pooled_seconds),
        "gates": gates,
    }, served


def main() -> None:
    parser = argument_parser("questions", __doc__)
    parser.add_argument("--number", type=int, default=1000, help="questions of each edition")
    parser.add_argument("--editions", nargs="+", choices=edition_names(), default=list(edition_names()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unchecked", action="store_true", help="leave out the second solvers")
    options = parser.parse_args()
    confirms = None if options.unchecked else second_solver()
    reports = {}
    for name in options.editions:
        note(f"{name}: asking {options.number}")
        report, served = asyncio.run(measure(load_edition(name), options.number, options.seed))
        if confirms is not None:
            note(f"{name}: solving them a second time")
            report["keys"] = keys(served, confirms)
        measured = {
            "share_passing_the_filter": report["share_passing_the_filter"],
            "duplicates": float(report["duplicates"]),
            "pooled_p99_ms": report["pooled_ms"]["p99"],
            **({"wrong_keys": float(report["keys"]["wrong"])} if confirms is not None else {}),
        }
        reports[name] = {**report, "aims": check_aims(measured, AIMS)}
    print_report({"processor": processor_name(), "seed": options.seed, "editions": reports})


if __name__ == "__main__":
    main()
