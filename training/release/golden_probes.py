"""Step five of a release: golden probes, prompts with reference log-probs for engines to be held against.

The numbers are those of ``training.support.plain_model``, one forward pass each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.core.manifest import ContinuationProbe, Member, NextTokenProbe, Probe, asked_by
from agents.core.permutation import cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import Method
from training.support.plain_model import plain_logprobs, plain_model


class ProbeRecorder:
    """Records the probes of one member after the other, with one model in memory at a time."""

    def __init__(self, renderer: PromptRenderer, questions: Sequence[Question]) -> None:
        self._renderer, self._questions = renderer, questions
        self._opened: tuple[Path, Path | None] | None = None
        self._model: Any = None

    def record(self, opens: tuple[Path, Path | None], method: Method) -> list[Probe]:
        """Record one probe a question, with the checkpoint and adapter of ``opens``; the last model is kept for reuse.

        Raises as ``plain_model`` does.
        """
        return record_probes(self._open(opens), self._renderer, method, self._questions)

    def replay(self, opens: tuple[Path, Path | None], probes: Sequence[Probe]) -> list[list[list[float]]]:
        """The numbers of probes that are recorded already, one row or one for each continuation; raises likewise."""
        model = self._open(opens)
        return [_numbers(model, probe) for probe in probes]

    def free_model(self) -> None:
        """Make room for a merge: the next ``record`` loads its model anew."""
        self._model = None

    def _open(self, opens: tuple[Path, Path | None]) -> Any:
        if self._model is None or opens != self._opened:
            self._model = None
            self._model, self._opened = plain_model(*opens), opens
        return self._model


def record_probes(model: Any, renderer: PromptRenderer, method: Method, questions: Sequence[Question]) -> list[Probe]:
    """Record one probe a question for a member of this method."""
    return [_with_numbers(model, _blank(renderer, method, question)) for question in questions]


def base_probes(members: Sequence[Member], base: Path, recorder: ProbeRecorder) -> list[Probe]:
    """Record what the bare ``base`` computes on prompts of other weights, where no base member has its numbers."""
    known = [asked_by(probe) for member in members if member.kind == "base" for probe in member.probes]
    missing = {
        asked_by(probe): probe
        for member in members
        for probe in member.probes
        if member.kind != "base" and asked_by(probe) not in known
    }
    if not missing:
        return []
    found = recorder.replay((base, None), list(missing.values()))
    return [_filled(probe, rows) for probe, rows in zip(missing.values(), found, strict=True)]


def _blank(renderer: PromptRenderer, method: Method, question: Question) -> Probe:
    """A probe with no numbers yet."""
    if method == "letter":
        letter = renderer.letter(question, cyclic_orders(len(question.choices))[0])
        blank = [0.0] * len(letter.label_ids)
        return NextTokenProbe(prompt=letter.token_ids, candidates=letter.label_ids, logprobs=blank)
    cloze = renderer.cloze(question)
    rows = [[0.0] * len(continuation) for continuation in cloze.continuations]
    return ContinuationProbe(prompt=cloze.token_ids, continuations=cloze.continuations, logprobs=rows)


def _with_numbers(model: Any, probe: Probe) -> Probe:
    return _filled(probe, _numbers(model, probe))


def _numbers(model: Any, probe: Probe) -> list[list[float]]:
    if isinstance(probe, NextTokenProbe):
        last = plain_logprobs(model, probe.prompt)[-1]
        return [[_rounded(last[candidate]) for candidate in probe.candidates]]
    start = len(probe.prompt) - 1
    rows = []
    for continuation in probe.continuations:
        table = plain_logprobs(model, [*probe.prompt, *continuation])
        rows.append([_rounded(table[start + i, token]) for i, token in enumerate(continuation)])
    return rows


def _filled(probe: Probe, rows: list[list[float]]) -> Probe:
    return probe.model_copy(update={"logprobs": rows[0] if isinstance(probe, NextTokenProbe) else rows})


def _rounded(value: Any) -> float:
    return min(round(float(value), 6), 0.0)
