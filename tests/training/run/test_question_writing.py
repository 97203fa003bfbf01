"""What a member that writes questions is trained on is what it will be asked for, and what is expected of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from char_tokenizer import CharTokenizer
from jsonschema_rs import is_valid
from tiny_checkpoint import write_tiny_checkpoint
from training_toys import PUZZLE, toy_member, toy_recipe, toy_rows

import puzzles
from agents.asking.model_proposer import ModelProposer
from agents.asking.writing_prompt import question_schema
from agents.core.edition import DEFAULT_EDITION, load_edition
from agents.core.prompts import PromptRenderer
from agents.core.schema import read_question
from agents.core.topics import Topic
from agents.engines.protocol import Generation
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.torch.engine import TransformersEngine, load_model
from agents.models.download import sha256_of
from aiac.cli import run as aiac
from puzzles.generator import family_named
from training.recipe import TrainRecipe
from training.run.collate import QuestionCollator
from training.run.log import ProbeRecord, read_run_log
from training.run.question_writing import topic_names, written_question
from training.run.training_probes import WritingProbes
from training.train import load_rows

EDITION = load_edition(DEFAULT_EDITION)


@dataclass
class ListeningEngine:
    """Keeps the prompts it is sent."""

    prompts: list[list[int]] = field(default_factory=list)
    tokenizer: CharTokenizer = field(default_factory=CharTokenizer)
    max_tokens: int = 1 << 20

    async def generate(self, prompt: list[int], **options: Any) -> Generation:
        self.prompts.append(prompt)
        return Generation((), "stop")


def test_the_request_is_the_one_that_the_proposer_sends_to_a_trained_member() -> None:
    engine: Any = ListeningEngine()
    collator = QuestionCollator(PromptRenderer(engine.tokenizer), engine.tokenizer, end_id=0)
    topics = {json.dumps(name): name for name in topic_names("syllogism")}
    topic = next(name for quoted, name in topics.items() if quoted in written_question(PUZZLE)[0])
    asyncio.run(ModelProposer(lambda: engine, EDITION, "writer").propose(Topic(topic), PUZZLE.level, 1))
    assert engine.prompts == [collator.tokens(PUZZLE)[0]]


def test_the_reply_is_the_puzzle_in_the_form_that_is_asked_for() -> None:
    written = json.loads(written_question(PUZZLE)[1])
    assert is_valid(question_schema(EDITION), written)
    assert written["explanation"] == PUZZLE.explanation
    assert replace(read_question(written), topic="") == replace(PUZZLE.question, topic="")


def test_every_family_is_asked_for_by_each_name_it_has_and_a_row_always_by_the_same() -> None:
    for family in puzzles.FAMILIES:
        names = topic_names(family)
        assert {name.rpartition("/")[2] for name in names} == set(family_named(family).topics)
        rows = [replace(PUZZLE, id=str(i), subject=family) for i in range(200)]
        asked = [written_question(row)[0] for row in rows]
        assert all(any(json.dumps(name) in request for request in asked) for name in names)
        assert asked == [written_question(row)[0] for row in rows]


def test_the_level_is_asked_for() -> None:
    assert len({written_question(replace(PUZZLE, level=level))[0] for level in puzzles.LEVELS}) == 3


def test_a_row_without_an_explanation_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="no family or no explanation"):
        written_question(toy_rows(1)[0])


def test_held_out_questions_are_probed_token_by_token(tmp_path: Path) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path)
    tokenizer = ChatTokenizer(checkpoint)
    collator = QuestionCollator(PromptRenderer(tokenizer), tokenizer, end_id=0)
    rows = [replace(PUZZLE, id=str(i), explanation="x" * i) for i in range(1, 6)]
    model = load_model(checkpoint, torch.float32).train()
    stats = WritingProbes(rows, collator)(model)
    assert model.training
    nlls, right = [], []
    # Each row alone, one forward pass of its own and no padding.
    for row in rows:
        prompt, completion = collator.tokens(row)
        with torch.no_grad():
            table = model.eval()(torch.tensor([prompt + completion])).logits[0].log_softmax(-1)
        for place, token in enumerate(completion, start=len(prompt) - 1):
            nlls.append(-float(table[place, token]))
            right.append(int(table[place].argmax()) == token)
    assert stats.nll_nats == pytest.approx(sum(nlls) / len(nlls), rel=1e-4)
    assert stats.accuracy == pytest.approx(sum(right) / len(right))
    assert (stats.rows, stats.top_share, stats.label_mass) == (5, 0.0, 1.0)


def writer_fields(folder: Path, **changes: Any) -> dict[str, Any]:
    """A recipe of one writer on a few puzzles, as a file holds it."""
    member = toy_member(task="question", objective="sft", name="writer")
    data = {"output": str(folder / "data"), "sources": [{"name": "puzzles", "rows": 42}], "validation_share": 0.2}
    made = toy_recipe(folder, folder / "base", [toy_member()], data=data).model_dump(mode="json", exclude_none=True)
    fields = {**made, "members": [member], "run": {"micro_batch_rows": 4, "max_tokens": 2048}, **changes}
    return {name: value for name, value in fields.items() if name != "release" or name in changes}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer")
    write_tiny_checkpoint(folder / "base")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(writer_fields(folder)))
    assert aiac(["train", str(folder / "recipe.yaml"), "--dry-run"]) == 0
    assert aiac(["train", str(folder / "recipe.yaml")]) == 0
    return folder


def test_a_trained_writer_is_an_adapter_with_its_origin_beside_it(trained: Path) -> None:
    output = trained / "ensemble"
    assert {path.name for path in output.iterdir()} == {
        "writer",
        "card.md",
        "composition.svg",
        "reports",
        "training.json",
    }
    assert {path.name for path in (output / "writer").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    record = json.loads((output / "training.json").read_text())
    assert record["adapters"] == {"writer": sha256_of(output / "writer" / "adapter_model.safetensors")}
    assert record["training"]["writer"]["steps"] > 0
    assert "| puzzles | train | MIT | open |" in (output / "card.md").read_text()


def test_training_makes_held_out_questions_likelier(trained: Path) -> None:
    probes = [r for r in read_run_log(trained / "runs" / "writer" / "metrics.jsonl") if isinstance(r, ProbeRecord)]
    assert probes[-1].nll_nats < probes[0].nll_nats - 1


def test_the_proposer_writes_with_the_trained_adapter(trained: Path) -> None:
    async def write() -> Any:
        engine = TransformersEngine.load(trained / "base", {"writer": trained / "ensemble" / "writer"}, dtype="float32")
        try:
            short = replace(EDITION, question_max_new_tokens=16)
            return await ModelProposer(lambda: engine, short, "writer").propose(Topic("Syllogisms"), "easy", 1)
        finally:
            await engine.close()

    assert str(asyncio.run(write()).row).startswith('{"question": ')


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"members": [toy_member(task="question")]}, "objective: sft"),
        ({"members": [toy_member(task="question", objective="sft"), toy_member("dora")]}, "a release and members that"),
        ({"data": {"output": "data", "sources": [{"name": "arc_easy"}]}}, "which only the source puzzles teaches"),
    ],
)
def test_a_recipe_that_teaches_nobody_to_write_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        TrainRecipe.model_validate(writer_fields(tmp_path, **changes))


def test_a_member_may_have_data_of_its_own(tmp_path: Path) -> None:
    own = {"output": str(tmp_path / "own"), "sources": [{"name": "puzzles", "rows": 21}], "validation_share": 0}
    shared = {"output": str(tmp_path / "shared"), "sources": [{"name": "puzzles", "rows": 42}], "validation_share": 0}
    recipe = toy_recipe(tmp_path, "base", [toy_member(), toy_member("dora", data=own)], data=shared)
    rows = load_rows(recipe, lambda stage, done, total: None)
    assert {name: len(train) for name, (train, _) in rows.items()} == {"lora": 42, "dora": 21}


def test_two_data_sets_cannot_share_a_folder(tmp_path: Path) -> None:
    own = {"output": str(tmp_path / "data"), "sources": [{"name": "puzzles", "rows": 21}]}
    with pytest.raises(ValueError, match="two data sets share the folder"):
        toy_recipe(tmp_path, "base", [toy_member(data=own)])
