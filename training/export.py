"""From a recipe to an ensemble folder: members scored, weights fitted, probes recorded, manifest written."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.engines.protocol import Engine
from agents.errors import FileError, InputError, describe
from agents.loading import FindModel, OpenEngine
from agents.manifest import Accuracy, Base, Manifest, Member, write_manifest
from agents.models.checkpoint import verified_base_sha256
from agents.permutation import cyclic_orders, estimate_prior
from agents.prompts import PromptRenderer
from agents.scoring import Method
from agents.voter import Voter
from training.data import KeyedRow, find_data, read_data, split_halves
from training.fit import Candidate, choose, fit_candidates
from training.probes import plain_model, record_probes
from training.statistics import wilson_interval

Advance = Callable[[str, int, int], None]
"""Told a stage, the rows done and the rows in all."""

CONCURRENCY = 4
LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


class MemberRecipe(BaseModel):
    """A member to try: its name, its method, and for letters how many cyclic orders (None: all)."""

    model_config = ConfigDict(extra="forbid")
    name: str
    method: Method
    orders: int | None = None


class FitRecipe(BaseModel):
    """The rows to fit on. One half of them fits, the other half decides."""

    model_config = ConfigDict(extra="forbid")
    data: list[str] = Field(min_length=1)
    rows_per_file: int = Field(ge=4)
    seed: int = 0
    prior_rows: int = Field(default=0, ge=0)
    """Rows asked in a full cycle of orders to estimate the label prior of letter members; 0 leaves it out."""


class ExportRecipe(BaseModel):
    """What `aiac export` reads: one YAML file a named ensemble."""

    model_config = ConfigDict(extra="forbid")
    name: str
    model: str
    output: str
    members: list[MemberRecipe] = Field(min_length=1)
    fit: FitRecipe
    probes: int = Field(default=3, ge=1)


def read_recipe(path: Path) -> ExportRecipe:
    """Raises FileError when the file cannot be read, InputError naming the field that is wrong."""
    try:
        payload = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(str(path), str(error.strerror), "a readable recipe") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"text that is not YAML ({str(error).splitlines()[0]})", "a recipe") from None
    try:
        return ExportRecipe.model_validate(payload)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "recipe"
        raise InputError(f"{path}: {field}", describe(first["input"]), first["msg"]) from None


async def export_ensemble(
    recipe: ExportRecipe, find_model: FindModel, open_engine: OpenEngine, advance: Advance
) -> tuple[Manifest, Path, list[Candidate]]:
    """Runs a recipe and writes its manifest. Returns it, the file, and every pool that was considered, likeliest first.

    Raises what the recipe's model, data and engine raise; the output folder is not touched before all is computed.
    """
    files = [read_data(find_data(n), limit=recipe.fit.rows_per_file, seed=recipe.fit.seed) for n in recipe.fit.data]
    rows = [row for file in files for row in file.rows]
    checkpoint = await asyncio.to_thread(find_model, recipe.model)
    base = Base(model=recipe.model, sha256=await asyncio.to_thread(verified_base_sha256, checkpoint))
    engine = await asyncio.to_thread(open_engine, checkpoint, {})
    try:
        renderer = PromptRenderer(engine.tokenizer)
        members = [Member(name=m.name, method=m.method, orders=m.orders, weight=1.0) for m in recipe.members]
        priors = await _label_priors(members, recipe.fit.prior_rows, rows, engine, renderer, advance)
        members = [m.model_copy(update={"prior": priors if m.method == "letter" else {}}) for m in members]
        scores = await _score_rows([Voter(m, engine, renderer) for m in members], rows, advance)
    finally:
        await engine.close()
    keys = [row.key for row in rows]
    fit_rows, report_rows = split_halves(rows, recipe.fit.seed)
    temperatures, candidates = fit_candidates(scores, keys, fit_rows, report_rows)
    choice = choose(candidates)
    best = choice.candidate
    advance("recording golden probes", 0, len(members))
    model = await asyncio.to_thread(plain_model, checkpoint)
    probe_questions = [row.question for row in rows[:: max(len(rows) // recipe.probes, 1)][: recipe.probes]]
    finished = [
        member.model_copy(
            update={
                "weight": best.weights[member.name],
                "temperature": round(temperatures[member.name], 4),
                "accuracy": _accuracy(scores[member.name], keys, report_rows),
                "probes": record_probes(model, renderer, member.method, probe_questions),
            }
        )
        for member in members
        if best.weights[member.name] > 0
    ]
    manifest = Manifest(
        name=recipe.name,
        base=base,
        pooling=best.pooling,
        members=finished,
        answer_prior=_key_prior(rows),
        provenance={
            "recipe": recipe.model_dump(),
            "data": {file.path.name: {"sha256": file.sha256, "rows": len(file.rows)} for file in files},
            "pools": [candidate.summary() for candidate in candidates],
            "choice": choice.reason,
            "dtype": engine.dtype,
            "versions": {name: version(name) for name in LIBRARIES},
            "git_revision": _git_revision(),
        },
    )
    return manifest, write_manifest(manifest, Path(recipe.output)), candidates


async def _score_rows(
    voters: Sequence[Voter], rows: Sequence[KeyedRow], advance: Advance
) -> dict[str, list[list[float]]]:
    slots = asyncio.Semaphore(CONCURRENCY)
    done = 0

    async def score(row: KeyedRow) -> list[list[float]]:
        nonlocal done
        async with slots:
            scores = await asyncio.gather(*(_complete_scores(voter, row) for voter in voters))
        done += 1
        advance("scoring rows", done, len(rows))
        return scores

    by_row = await asyncio.gather(*(score(row) for row in rows))
    return {voter.member.name: [scores[i] for scores in by_row] for i, voter in enumerate(voters)}


async def _complete_scores(voter: Voter, row: KeyedRow) -> list[float]:
    scores: list[float] = []
    async for vote in voter.votes(row.question):
        scores = vote.scores
    return scores


async def _label_priors(
    members: Sequence[Member],
    count: int,
    rows: Sequence[KeyedRow],
    engine: Engine,
    renderer: PromptRenderer,
    advance: Advance,
) -> dict[int, list[float]]:
    """The base model's label prior by number of choices, from up to ``count`` rows of each number."""
    letter = next((member for member in members if member.method == "letter"), None)
    if letter is None or count == 0:
        return {}
    voter = Voter(letter, engine, renderer)
    by_n: dict[int, list[KeyedRow]] = {}
    # Every so many rows, not the first ones: those are all of one source.
    for row in rows[:: max(len(rows) // (2 * count), 1)]:
        chosen = by_n.setdefault(len(row.question.choices), [])
        if len(chosen) < count:
            chosen.append(row)
    priors: dict[int, list[float]] = {}
    total, done = sum(map(len, by_n.values())), 0
    for n, chosen in sorted(by_n.items()):
        cycles = []
        for row in chosen:
            orders = cyclic_orders(n)
            cycles.append(await asyncio.gather(*(voter.label_logprobs(row.question, order) for order in orders)))
            done += 1
            advance("estimating the label prior", done, total)
        priors[n] = [round(p, 5) for p in estimate_prior(cycles)]
    return priors


def _accuracy(scores: Sequence[Sequence[float]], keys: Sequence[int], rows: Sequence[int]) -> Accuracy:
    correct = sum(scores[i].index(max(scores[i])) == keys[i] for i in rows)
    low, high = wilson_interval(correct, len(rows))
    return Accuracy(correct=correct, rows=len(rows), low=round(low, 4), high=round(high, 4))


def _key_prior(rows: Sequence[KeyedRow]) -> dict[int, list[float]]:
    """How often each letter is the key, by number of choices, one added to every count."""
    counts: dict[int, Counter[int]] = {}
    for row in rows:
        counts.setdefault(len(row.question.choices), Counter())[row.key] += 1
    return {
        n: [round((counter[i] + 1) / (sum(counter.values()) + n), 5) for i in range(n)]
        for n, counter in sorted(counts.items())
    }


def _git_revision() -> str | None:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
