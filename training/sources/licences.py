"""What may be done with a source: those read by name, those known as files, and our own."""

from __future__ import annotations

from typing import NamedTuple

from agents.core.errors import InputError
from training.sources.files import source_of_file
from training.sources.puzzles import PUZZLES
from training.sources.reading import SOURCES
from training.sources.source import Terms


class Licence(NamedTuple):
    """A licence as stated, and what it allows in one word."""

    text: str
    terms: Terms


_OTHERS = {
    "agieval": Licence("MIT", "evaluation only"),
    "bbh_mc": Licence("MIT", "evaluation only"),
    "bigbench_mc": Licence("Apache-2.0", "evaluation only"),
    "bigbench_strategyqa": Licence("Apache-2.0", "evaluation only"),
    "cosmosqa": Licence("CC BY 4.0", "open"),
    "dgen_cloze": Licence("not stated; built on SciQ, which is CC BY-NC 3.0", "non-commercial"),
    "mathqa": Licence("Apache-2.0", "open"),
    "medmcqa": Licence("MIT", "open"),
    "medqa_us": Licence("MIT", "open"),
    "piqa": Licence("not stated", "unclear"),
    PUZZLES: Licence("MIT", "open"),
    "socialiqa": Licence("not stated", "unclear"),
    "truthfulqa_mc1": Licence("Apache-2.0", "evaluation only"),
}
"""Sources met as files only, and the puzzles, which are made here. BIG-bench (a canary asks not to train on it),
TruthfulQA and AGIEval are published as benchmarks, without rows to train on."""


def licence_of(source: str) -> Licence:
    """The licence of a source by its name, as a row carries it; "not known" for a file of unknown origin."""
    if known := SOURCES.get(source):
        return Licence(known.licence, known.terms)
    return _OTHERS.get(source, Licence("not known", "unclear"))


def require_trainable(name: str) -> None:
    """Raises InputError for a source, or a file of one, whose authors ask not to train on it."""
    source = source_of_file(name)
    licence = licence_of(source)
    if licence.terms == "evaluation only":
        raise InputError(
            "data.sources",
            f"{source} (licence: {licence.text}), whose terms are {licence.terms}",
            "sources that may be trained on: list it under data.evaluation, or say data.allow_evaluation_only: true",
        )
