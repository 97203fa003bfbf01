"""Hardness that transfers: questions selected as hard by one stand-in, tested on others.

python -m benchmarks.question_hardness prints JSON. From a pool of proved puzzles of one family and level, the hardest
tenth by the selecting stand-in is compared with unselected puzzles of other seeds. The selecting stand-in itself
answers the hardest tenth badly by construction (``circular``), so its result is no evidence. Evidence are judges that
had no part in the selection: the same model by another method, and above all another model. Other orders of the choices
would be no test, since cloze scores do not depend on them. The groups are of different puzzles, so the test is
Fisher's, two-sided.

A stand-in is an ensemble's name for its base member as fitted, or ENSEMBLE:METHOD for its base model by that method.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

import puzzles
from agents.answering.voter import Voter
from agents.core.errors import InputError
from agents.core.manifest import Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import METHODS
from agents.engines.protocol import Engine
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.engine_kinds import transformers_openers
from agents.ensemble.loading import find_ensemble
from agents.ensemble.manifest_file import read_manifest
from benchmarks.command_line import argument_parser, note, print_report
from benchmarks.reporting import environment, share_of
from puzzles.generator import Difficulty

SELECT = "starter"
JUDGES = ("starter", "starter:letter", "qwen2.5-coder-0.5b")
TENTH = 10
IN_FLIGHT = 8
UNSELECTED_SEED = 1_000_000
"""Unselected puzzles come from seeds that the pool never reaches."""


def member_of(stand_in: str) -> tuple[str, Member]:
    """The base model of a stand-in, and the member to ask. Raises InputError and what reading a manifest raises."""
    ensemble, _, method = stand_in.partition(":")
    manifest = read_manifest(find_ensemble(ensemble))
    if method:
        if method not in METHODS:
            raise InputError("stand-in", repr(method), f"one of {', '.join(METHODS)}")
        return manifest.base.model, Member.model_validate({"name": method, "method": method, "weight": 1.0})
    base = [member for member in manifest.members if member.kind == "base"]
    if not base:
        raise InputError("stand-in", f"{ensemble} without a base member", "ENSEMBLE:METHOD")
    return manifest.base.model, max(base, key=lambda member: member.weight)


def drawn(family: str, level: str, count: int, seed: int) -> list[Question]:
    """Draw ``count`` puzzles of different structures."""
    made = islice(puzzles.stream(family, cast(Difficulty, level), seed), count)
    return [Question(p.question, p.choices, key=p.key) for p in made]


@contextmanager
def opened(model: str) -> Iterator[Engine]:
    engine = transformers_openers()[0](find_or_pull(model), {})
    try:
        yield engine
    finally:
        asyncio.run(engine.close())


def key_probabilities(engine: Engine, member: Member, asked: Sequence[Question]) -> list[tuple[float, bool]]:
    """Probability of each question's key, and true where the key is the likeliest choice."""
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer, engine.max_tokens)).in_all_orders()

    async def one(question: Question) -> tuple[float, bool]:
        probabilities = (await voter.complete_vote(question)).probabilities
        key = question.key or 0
        return probabilities[key], max(probabilities) == probabilities[key]

    async def every() -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = []
        for start in range(0, len(asked), IN_FLIGHT):
            found += await asyncio.gather(*(one(question) for question in asked[start : start + IN_FLIGHT]))
        return found

    return asyncio.run(every())


def hardest(pool: Sequence[Question], probabilities: Sequence[float]) -> list[Question]:
    """The tenth whose keys are least likely."""
    order = sorted(range(len(pool)), key=lambda i: probabilities[i])
    return [pool[i] for i in order[: max(len(pool) // TENTH, 1)]]


def compared(selected: Sequence[bool], unselected: Sequence[bool]) -> dict[str, Any]:
    """Both accuracies with their 95% Wilson intervals, and Fisher's exact p that they are one."""
    from scipy.stats import fisher_exact

    table = [[sum(rows), len(rows) - sum(rows)] for rows in (selected, unselected)]
    return {
        "hardest_tenth": {"correct": sum(selected), **share_of(sum(selected), len(selected))},
        "unselected": {"correct": sum(unselected), **share_of(sum(unselected), len(unselected))},
        "fisher_p": float(fisher_exact(table).pvalue),
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    families: Sequence[str] = arguments.families
    pools = {name: drawn(name, arguments.level, arguments.pool, 0) for name in families}
    others = {name: drawn(name, arguments.level, arguments.unselected, UNSELECTED_SEED) for name in families}
    model, member = member_of(arguments.select)
    chosen: dict[str, list[Question]] = {}
    with opened(model) as engine:
        for name in families:
            scored = key_probabilities(engine, member, pools[name])
            chosen[name] = hardest(pools[name], [probability for probability, _ in scored])
            note(f"{name}: the hardest {len(chosen[name])} of {len(pools[name])} selected")
    return {judge: judged(judge, arguments.select, chosen, others) for judge in arguments.judges}


def judged(
    judge: str, select: str, chosen: Mapping[str, Sequence[Question]], others: Mapping[str, Sequence[Question]]
) -> dict[str, Any]:
    """Accuracy of one judge on the selected and the unselected, by family and together."""
    model, member = member_of(judge)
    result: dict[str, Any] = {"model": model, "method": member.method, "circular": judge == select}
    every: tuple[list[bool], list[bool]] = ([], [])
    with opened(model) as engine:
        for name in chosen:
            groups = [
                [right for _, right in key_probabilities(engine, member, rows)] for rows in (chosen[name], others[name])
            ]
            result[name] = compared(*groups)
            for together, rows in zip(every, groups, strict=True):
                together += rows
            note(f"{judge} on {name}: p = {result[name]['fisher_p']:.3g}")
    return {**result, "together": compared(*every)}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argument_parser("question_hardness", __doc__)
    parser.add_argument("--families", nargs="+", default=["syllogism", "blood_relation"], choices=puzzles.FAMILIES)
    parser.add_argument("--level", default="medium", choices=list(puzzles.LEVELS))
    parser.add_argument("--pool", type=int, default=500, help="puzzles of each family to select from")
    parser.add_argument("--unselected", type=int, default=150, help="puzzles of each family to compare with")
    parser.add_argument("--select", default=SELECT, help="the stand-in that selects")
    parser.add_argument("--judges", nargs="+", default=list(JUDGES), help="the stand-ins that answer")
    arguments = parser.parse_args(argv)
    started = time.perf_counter()
    judges = measure(arguments)
    report = {
        "level": arguments.level,
        "pool_of_each_family": arguments.pool,
        "selected_by": arguments.select,
        "judges": judges,
        "seconds": round(time.perf_counter() - started, 1),
        **environment(),
    }
    print_report(report)


if __name__ == "__main__":
    main()
