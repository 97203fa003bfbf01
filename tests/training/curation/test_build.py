"""From a recipe to a folder: whole, the same for the same seed, and with numbers that add up."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.errors import DiskSpaceError, FileError, InputError
from agents.core.schema import Question
from agents.ensemble.engine_kinds import transformers_openers
from agents.support.atomic_file import TEMPORARY
from training.curation.build import build_data
from training.curation.difficulty import model_difficulty
from training.curation.recipe import DataRecipe
from training.curation.report import read_report
from training.curation.rows import LEVELS, read_rows

FILES = {"build.json", "card.md", "composition.svg", "train.parquet", "validation.parquet"}
NOUNS = [
    f"{a}{b}" for a in ("gran", "bel", "tor", "mik", "sul", "pon", "har") for b in ("ite", "um", "oon", "ak", "ery")
]


def made_rows(count: int, choices: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "id": f"{seed}-{i}",
            "subject": "made" if i % 2 else None,
            "question": f"What makes {' '.join(rng.choices(NOUNS, k=rng.randint(4, 12)))}?",
            "choices": rng.sample(NOUNS, choices),
            "answer_index": 0,
        }
        for i in range(count)
    ]


def write_jsonl(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> DataRecipe:
    """Two files of 200 and 103 rows; of the first, 3 are broken, 4 repeated and 2 are evaluation rows."""
    folder = tmp_path_factory.mktemp("sources")
    first, second = made_rows(200, 4, 1), made_rows(103, 5, 2)
    first[10:13] = [
        {"question": "no choices"},
        {**first[11], "answer_index": 9},
        {"question": "q", "choices": ["x", "x"]},
    ]
    first[50:54] = first[20:24]
    sources = [write_jsonl(folder / "first.train.jsonl", first), write_jsonl(folder / "second.train.jsonl", second)]
    evaluation = [
        write_jsonl(folder / "held.test.jsonl", first[30:32]),
        write_jsonl(folder / "other.test.jsonl", made_rows(9, 4, 9)),
    ]
    return DataRecipe.model_validate(
        {
            "output": str(folder / "out"),
            "sources": [{"name": name} for name in sources],
            "evaluation": evaluation,
            "seed": 7,
        }
    )


@pytest.fixture(scope="module")
def built(recipe: DataRecipe) -> Path:
    build_data(recipe)
    return Path(recipe.output)


def to(recipe: DataRecipe, output: Path, **changes: Any) -> DataRecipe:
    return recipe.model_copy(update={"output": str(output), **changes})


def test_the_folder_holds_both_parquet_files_the_card_the_plot_and_the_numbers(built: Path) -> None:
    assert {path.name for path in built.iterdir()} == FILES
    assert [path.name for path in built.parent.glob(".*")] == []


def test_every_row_read_is_kept_once_or_dropped_for_one_reason(built: Path) -> None:
    report = read_report(built)
    first, second = report.sources
    assert (first.read, first.kept) == (200, 191)
    assert (second.read, second.kept, second.dropped) == (103, 103, {})
    assert sum(first.dropped.values()) == 9
    assert (first.dropped["exact duplicate"], first.dropped["in an evaluation file"]) == (4, 2)
    assert [(file.rows, file.overlaps, file.near_copies) for file in report.evaluation] == [(2, 2, 0), (9, 0, 0)]
    assert [file.rows for file in report.files] == [265, 29]
    assert [(source.train + source.validation, sum(source.levels.values())) for source in report.sources] == [
        (191, 191),
        (103, 103),
    ]


def test_the_parquet_files_have_the_columns_that_are_promised(built: Path) -> None:
    fields = {field.name: str(field.type) for field in pq.read_schema(built / "train.parquet")}
    assert fields.pop("choices").startswith("list<")
    strings = dict.fromkeys(("id", "source", "split", "subject", "question", "level", "group", "explanation"), "string")
    assert fields == {**strings, "key": "int8", "difficulty": "float"}


def test_rows_come_back_with_their_question_their_key_and_their_source(recipe: DataRecipe, built: Path) -> None:
    keyed = {}
    for source in recipe.sources:
        for raw in map(json.loads, Path(source.name).read_text().splitlines()):
            if "id" in raw:
                keyed[raw["question"]] = raw
    rows = read_rows(built / "train.parquet") + read_rows(built / "validation.parquet")
    assert len({row.id for row in rows}) == len(rows) == 294
    for row in rows:
        raw = keyed[row.question.text]
        assert row.question.key is not None
        assert row.question.choices[row.question.key] == raw["choices"][0]
        assert sorted(row.question.choices) == sorted(raw["choices"])
        assert row.subject == raw["subject"]
        assert (row.source, row.split) == ("first" if len(raw["choices"]) == 4 else "second", "train")
        assert row.level in LEVELS


def test_letters_are_balanced_and_groups_are_on_one_side(built: Path) -> None:
    for file in read_report(built).files:
        assert all(max(counts) - min(counts) <= 1 for counts in file.keys.values())
    groups = [{row.group for row in read_rows(built / name)} for name in ("train.parquet", "validation.parquet")]
    assert not groups[0] & groups[1]


def test_the_report_and_the_card_name_the_hash_of_each_file(built: Path) -> None:
    card = (built / "card.md").read_text(encoding="utf-8")
    for file in read_report(built).files:
        assert hashlib.sha256((built / file.name).read_bytes()).hexdigest() == file.sha256
        assert file.sha256 in card
    assert "| exact duplicate | 4 | 0 | 4 |" in card
    assert "265 to train on, 29 to validate on. Seed 7." in card


def test_the_same_recipe_gives_the_same_bytes_and_another_seed_others(
    recipe: DataRecipe, built: Path, tmp_path: Path
) -> None:
    build_data(to(recipe, tmp_path / "again"))
    build_data(to(recipe, tmp_path / "other", seed=8))
    for name in ("train.parquet", "validation.parquet", "composition.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (built / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (built / name).read_bytes() or name.endswith("svg")


def test_a_scorer_decides_difficulty_and_level(recipe: DataRecipe, tmp_path: Path) -> None:
    report = build_data(to(recipe, tmp_path / "out"), scorer=lambda questions: [len(q.text) / 1000 for q in questions])
    assert report.difficulty == "model"
    rows = [row for name in ("train.parquet", "validation.parquet") for row in read_rows(tmp_path / "out" / name)]
    assert all(row.difficulty == pytest.approx(len(row.question.text) / 1000) for row in rows)
    bounds = {level: [row.difficulty for row in rows if row.level == level] for level in LEVELS}
    assert max(bounds["easy"]) <= min(bounds["medium"]) <= max(bounds["medium"]) <= min(bounds["hard"])
    assert {len(difficulties) for difficulties in bounds.values()} == {98}


def test_model_difficulty_is_one_minus_the_probability_of_the_key(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from agents.core.prompts import PromptRenderer

    checkpoint = write_tiny_checkpoint(tmp_path / "model")
    questions = [Question("Which?", ("one", "two", "three"), key=1), Question("x" * 3000, ("a", "b"), key=0)]
    [open_engine] = transformers_openers(dtype="float32")
    engine = open_engine(checkpoint, {})
    told: list[tuple[int, int]] = []
    try:
        found = asyncio.run(model_difficulty(questions, engine, lambda done, total: told.append((done, total))))
        prompt = PromptRenderer(engine.tokenizer).cloze(questions[0])
    finally:
        asyncio.run(engine.close())
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    scores = []
    for continuation in prompt.continuations:
        ids = torch.tensor([[*prompt.token_ids, *continuation]])
        logprobs = model(ids).logits[0].log_softmax(-1).detach()
        start = len(prompt.token_ids)
        scores.append(sum(float(logprobs[start + i - 1, token]) for i, token in enumerate(continuation)))
    expected = 1 - math.exp(scores[1]) / sum(map(math.exp, scores))
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert 0 < found[1] < 1, "it is longer than the context, so it is read without its middle"
    assert told == [(2, 2)]


def test_a_data_set_that_is_there_is_replaced_as_a_whole(recipe: DataRecipe, tmp_path: Path) -> None:
    build_data(to(recipe, tmp_path / "out"))
    (tmp_path / "out" / "left over").touch()
    build_data(to(recipe, tmp_path / "out", rows=100))
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert read_report(tmp_path / "out").rows == 100
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def interrupt(questions: Sequence[Question]) -> list[float]:
    raise KeyboardInterrupt


def test_an_interrupted_build_leaves_what_was_there(recipe: DataRecipe, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_data(to(recipe, tmp_path / "out"), scorer=interrupt)
    assert list(tmp_path.iterdir()) == []
    build_data(to(recipe, tmp_path / "out"))
    before = (tmp_path / "out" / "train.parquet").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        build_data(to(recipe, tmp_path / "out", seed=8), scorer=interrupt)
    assert (tmp_path / "out" / "train.parquet").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_other_files_is_not_replaced(recipe: DataRecipe, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match=r"found a folder with other files and no build\.json"):
        build_data(to(recipe, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_output_that_cannot_be_a_folder_is_refused(recipe: DataRecipe, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="found a file; expected the path of a folder"):
        build_data(to(recipe, tmp_path / "file"))
    with pytest.raises(FileError, match="expected a folder that can be written"):
        build_data(to(recipe, tmp_path / "file" / "below"))


def test_too_little_disk_is_told_before_rows_are_scored(recipe: DataRecipe, tmp_path: Path) -> None:
    with pytest.raises(DiskSpaceError, match="1 MB free"):
        build_data(to(recipe, tmp_path / "out"), scorer=interrupt, free_bytes=lambda folder: 1_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_is_one_sentence(recipe: DataRecipe, tmp_path: Path) -> None:
    def pull_the_rug(questions: Sequence[Question]) -> list[float]:
        for staging in tmp_path.glob(f"{TEMPORARY}*"):
            shutil.rmtree(staging)
        return [0.5] * len(questions)

    with pytest.raises(FileError, match="expected a folder that can be written"):
        build_data(to(recipe, tmp_path / "out"), scorer=pull_the_rug)
    assert list(tmp_path.iterdir()) == []


def test_no_row_left_says_what_became_of_them(recipe: DataRecipe, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "bad.train.jsonl", [{"question": "q", "choices": ["a", "b"]}, "text"])
    bad = DataRecipe.model_validate({"output": str(tmp_path / "out"), "sources": [{"name": source}]})
    with pytest.raises(InputError, match=r"no row left \(1 no key, 1 not an object\)"):
        build_data(bad)


@pytest.mark.parametrize("field", ["sources", "evaluation"])
def test_a_missing_file_is_told_before_anything_is_read(recipe: DataRecipe, tmp_path: Path, field: str) -> None:
    fields = recipe.model_dump() | {"output": str(tmp_path / "out")}
    fields[field] = [*fields[field], "gone.jsonl" if field == "evaluation" else {"name": "gone.jsonl"}]
    stages: list[str] = []
    with pytest.raises(FileError, match=r"no file gone\.jsonl"):
        build_data(DataRecipe.model_validate(fields), advance=lambda stage, done, total: stages.append(stage))
    assert stages == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("bbh_mc.test.jsonl", {}),
        ("mixed.jsonl", {"source": "bbh_mc"}),
    ],
)
def test_a_source_for_evaluation_only_is_not_trained_on_unless_the_recipe_says_so(
    recipe: DataRecipe, tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    benchmark = write_jsonl(tmp_path / name, [{**row, **changes} for row in made_rows(40, 4, 5)])
    fields = {"output": str(tmp_path / "out"), "sources": [{"name": benchmark}]}
    with pytest.raises(InputError) as caught:
        build_data(DataRecipe.model_validate(fields))
    assert str(caught.value) == (
        "data.sources: found bbh_mc (licence: MIT), whose terms are evaluation only; expected sources that may be "
        "trained on: list it under data.evaluation, or say data.allow_evaluation_only: true"
    )
    assert not (tmp_path / "out").exists()
    report = build_data(DataRecipe.model_validate({**fields, "allow_evaluation_only": True}))
    assert (report.rows, report.sources[0].terms) == (40, "evaluation only")


def test_a_source_for_evaluation_only_is_fine_as_evaluation(recipe: DataRecipe, tmp_path: Path) -> None:
    benchmark = write_jsonl(tmp_path / "bbh_mc.test.jsonl", made_rows(40, 4, 5))
    report = build_data(to(recipe, tmp_path / "out", evaluation=[benchmark]))
    assert [file.rows for file in report.evaluation] == [40]


def test_a_split_that_does_not_exist_names_those_that_do(recipe: DataRecipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 'arc_easy:tset'; expected a split of arc_easy: one of train, valid"):
        build_data(to(recipe, tmp_path / "out", evaluation=["arc_easy:tset"]))


def test_a_parquet_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa

    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(FileError, match="found the columns id; expected"):
        read_rows(tmp_path / "other.parquet")
    with pytest.raises(FileError, match="found unreadable contents"):
        read_rows(tmp_path / "text.parquet")
    with pytest.raises(FileError, match="found no such file"):
        read_rows(tmp_path / "none.parquet")
