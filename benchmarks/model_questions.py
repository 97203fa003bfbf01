"""Questions written by a language model: gates passed, and time of a draft.

python -m benchmarks.model_questions --ensemble starter --drafts 40 prints JSON, and the service's table of gates to
stderr. The bare base model of the ensemble writes, the ensemble confirms the keys; gates and counts are those of the
Q-Agent. Topics and levels take turns. ``pick_is_key`` beside its chance tells the worth of an agreement: an ensemble
that picks the key no more often than by chance lets wrong keys through.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any, TypeVar

import puzzles
from agents.asking.gates.duplicates import DuplicatesGate
from agents.asking.gates.hardness import HardnessGate
from agents.asking.gates.pipeline import GatePipeline
from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import Gate, Proposal, RejectedError
from agents.core.deadline import Deadline
from agents.core.edition import Edition, load_edition
from agents.core.schema import LETTERS
from agents.core.token_estimate import estimate_tokens
from agents.core.topics import Topic, edition_topics
from agents.ensemble.entry import open_entry_ensemble, read_entry_settings
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.question_source import model_source
from agents.ensemble.stand_in import stand_in
from benchmarks.command_line import argument_parser, note, print_report
from benchmarks.reporting import environment, percentiles_ms, share_of

T = TypeVar("T")

EDITION = "feb2026_iitd"
GENERAL_TOPICS = ("Photosynthesis", "World geography", "Everyday physics")


def topics_of(edition: Edition) -> list[Topic]:
    """Topics of the edition, named by their paths, and general ones that no puzzle covers."""
    return [Topic(name) for name in (*(topic.path for topic in edition_topics(edition)), *GENERAL_TOPICS)]


class WatchedKeyGate:
    """A key gate that records keys, picks and hardness of the proposals that reach it."""

    def __init__(self, gate: Gate, ensemble: LoadedEnsemble) -> None:
        self.name = gate.name
        self._gate = gate
        self._ensemble = ensemble
        self._hardness = HardnessGate(lambda: stand_in(ensemble))
        self.seconds: list[float] = []
        """Duration of each check."""
        self.keys: Counter[str | None] = Counter()
        """Counts of the letters named as the key."""
        self.picked = 0
        """Times that the ensemble, asked as it answers, picks the key."""
        self.hardness: list[float] = []

    async def check(self, proposal: Proposal) -> Proposal:
        """Record the proposal, then check it as the gate does."""
        question = proposal.question
        self.keys[question.key_letter] += 1
        verdict = await self._ensemble.answerer.answer(replace(question, key=None), Deadline.never())
        self.picked += verdict.answer.letter == question.key_letter
        self.hardness.append((await self._hardness.check(proposal)).hardness or 0.0)
        return await timed(self._gate.check(proposal), self.seconds)


async def timed(work: Awaitable[T], seconds: list[float]) -> T:
    """Await ``work`` and append its duration to ``seconds``."""
    started = time.perf_counter()
    try:
        return await work
    finally:
        seconds.append(time.perf_counter() - started)


async def measure(ensemble: LoadedEnsemble, drafts: int, seed: int, edition: Edition) -> dict[str, Any]:
    source = model_source(lambda: ensemble, edition)
    [key_gate] = source.gates
    watched = WatchedKeyGate(key_gate, ensemble)
    pipeline = GatePipeline(edition, estimate_tokens)
    store = QuestionStore(None)
    topics = topics_of(edition)
    draft_s: list[float] = []
    passed: list[dict[str, Any]] = []
    for number in range(drafts):
        level = tuple(puzzles.LEVELS)[number % len(puzzles.LEVELS)]
        draft = source.proposer.propose(topics[number % len(topics)], level, seed + number)
        try:
            proposal = await pipeline.run(source.proposer.name, timed(draft, draft_s), [DuplicatesGate(store), watched])
            served = await pipeline.keep(proposal, store.serve(proposal))
        except RejectedError as error:
            note(f"draft {number + 1}: {error.reason}")
            continue
        note(f"draft {number + 1}: passed")
        least = (proposal.proof or {})["least_probability_of_key"]
        passed.append({**served.canonical(), "least_probability_of_key": least})
    await store.close()
    note(pipeline.counts.table())
    reached = watched.keys.total()
    return {
        "drafts": drafts,
        "gates": pipeline.counts.to_json(),
        "pick_is_key": {"count": watched.picked, **share_of(watched.picked, reached)} if reached else None,
        "pick_is_key_by_chance": 1 / edition.choices,
        "letters_named_as_key": {letter: watched.keys[letter] for letter in LETTERS[: edition.choices]},
        "hardness_mean": round(fmean(watched.hardness), 3) if watched.hardness else None,
        "draft_ms": percentiles_ms(draft_s),
        "key_gate_ms": percentiles_ms(watched.seconds),
        "passed": passed,
    }


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    ensemble = await open_entry_ensemble(read_entry_settings(ensemble=arguments.ensemble, engine="transformers"))
    try:
        engine = ensemble.engine
        result = await measure(ensemble, arguments.drafts, arguments.seed, load_edition(EDITION))
        return {
            "model": ensemble.manifest.base.model,
            "ensemble": ensemble.manifest.name,
            "dtype": engine.dtype,
            **result,
            **environment(),
        }
    finally:
        await ensemble.close()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argument_parser("model_questions", __doc__)
    parser.add_argument("--ensemble", default="starter")
    parser.add_argument("--drafts", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    print_report(asyncio.run(run(parser.parse_args(argv))))


if __name__ == "__main__":
    main()
