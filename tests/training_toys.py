"""A training recipe on the tiny model, and rows with a rule in them that an adapter can learn."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from agents.core.schema import Question
from training.curation.rows import CuratedRow
from training.recipe import TrainRecipe

PUZZLE = CuratedRow(
    "puzzles/train/syllogism-hard-0f",
    "puzzles",
    "train",
    "syllogism",
    Question("All lamps are coats. What follows?", ("Nothing", "Some coats are lamps", "No coats", "Lamps"), key=1),
    0.9,
    "hard",
    "0f",
    "Certain by statement 1.",
)
"""A curated puzzle: it alone has an explanation."""

WORDS = ("pink", "green", "blue", "black", "white", "red")


def toy_rows(count: int, *, seed: int = 0) -> list[CuratedRow]:
    """Four colours each; pink is always among them, and the key. The tiny model starts with a third of them right."""
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        choices = ["pink", *draw.sample(WORDS[1:], 3)]
        draw.shuffle(choices)
        question = Question(f"Which is rosy, {seed}.{i}?", tuple(choices), key=choices.index("pink"))
        rows.append(CuratedRow(f"toy/{seed}/{i}", "toy", "train", None, question, draw.random(), "easy", f"{seed}.{i}"))
    return rows


def toy_recipe(folder: Path, model: Path | str, members: list[dict[str, Any]], **changes: Any) -> TrainRecipe:
    """Three chunks of eight-row steps at a rate at which the tiny model learns."""
    fields: dict[str, Any] = {
        "name": "toy",
        "model": str(model),
        "output": str(folder / "ensemble"),
        "runs": str(folder / "runs"),
        "seed": 3,
        "data": {"output": str(folder / "data"), "sources": [{"name": "toy.jsonl"}]},
        "curriculum": {"chunks": 3, "batch_rows": 8, "learning_rate": (1e-2, 5e-3)},
        "run": {"micro_batch_rows": 8},
        "guards": {"probe_rows": 8, "disk_reserve_gb": 0},
        "members": members,
        "release": {
            "base": [{"name": "base", "method": "cloze"}],
            "fit": {"data": [str(folder / "fit.jsonl")], "rows_per_file": 40},
            "adapter_dtype": "float32",
        },
    }
    return TrainRecipe.model_validate({**fields, **changes})


def toy_member(kind: str = "lora", **changes: Any) -> dict[str, Any]:
    adapter = {"type": kind, "rank": 4, "alpha": 8, **({"preserve_rank": 4} if kind == "oplora" else {})}
    return {"name": kind, "adapter": adapter, "method": "cloze", **changes}
