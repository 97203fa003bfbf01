"""A member's run: what it learns, what it leaves behind, and that a killed run ends where an unbroken one does."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_checkpoint import write_tiny_checkpoint
from training_toys import toy_member, toy_recipe, toy_rows

from agents.core.errors import DiskSpaceError, InputError, MissingExtraError
from agents.core.schema import Question
from agents.engines.adapter_config import ADAPTER_WEIGHTS
from training.curation.rows import CuratedRow
from training.plan.curriculum import make_plan, write_plan
from training.recipe import TrainRecipe
from training.run.log import METRICS_FILE, DecisionRecord, ProbeRecord, RowsRecord, StepRecord, read_run_log
from training.run.member_inputs import PLAN_FILE, micro_batches_a_step
from training.run.member_run import MemberRun, train_member
from training.train import summary

TRAIN, VALIDATION = toy_rows(64), toy_rows(12, seed=1)
ROOT = Path(__file__).resolve().parents[3]

KILLED = """
import os, signal, sys
from pathlib import Path
from training_toys import toy_member, toy_recipe, toy_rows
from training.run.member_run import train_member

folder, base = Path(sys.argv[1]), Path(sys.argv[2])
recipe = toy_recipe(folder, base, [toy_member()])

def advance(step, steps):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

train_member(recipe, recipe.members[0], base, toy_rows(64), toy_rows(12, seed=1), advance)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("member") / "base")


def run(recipe: TrainRecipe, base: Path, **options: Any) -> MemberRun:
    return train_member(recipe, recipe.members[0], base, TRAIN, VALIDATION, **options)


def weights(found: MemberRun) -> dict[str, torch.Tensor]:
    assert found.adapter is not None
    return load_file(found.adapter / ADAPTER_WEIGHTS)


def probes(folder: Path) -> list[ProbeRecord]:
    return [r for r in read_run_log(folder / METRICS_FILE) if isinstance(r, ProbeRecord)]


@pytest.fixture(scope="module")
def unbroken(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemberRun]:
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, run(toy_recipe(folder, base, [toy_member()]), base)


def test_a_member_learns_the_rule_in_its_rows(unbroken: tuple[Path, MemberRun]) -> None:
    folder, found = unbroken
    start, *_, end = probes(folder / "runs" / "lora")
    assert end.nll_nats < 0.5 * start.nll_nats
    assert end.accuracy > 0.9
    assert found.decisions == []


def test_the_log_has_every_step_of_the_plan_and_a_probe_a_chunk(unbroken: tuple[Path, MemberRun], base: Path) -> None:
    folder, found = unbroken
    recipe = toy_recipe(folder, base, [toy_member()])
    plan = make_plan([(row.id, row.difficulty) for row in TRAIN], recipe.curriculum, seed=recipe.seed)
    write_plan(plan, folder / "expected.parquet")
    assert (folder / "runs" / "lora" / PLAN_FILE).read_bytes() == (folder / "expected.parquet").read_bytes()
    steps = [r for r in read_run_log(folder / "runs" / "lora" / METRICS_FILE) if isinstance(r, StepRecord)]
    assert [s.step for s in steps] == list(range(1, len(plan.steps) + 1))
    assert [s.learning_rate for s in steps] == pytest.approx([s.learning_rate for s in plan.steps])
    assert [p.step for p in probes(folder / "runs" / "lora")] == [0, *plan.chunk_ends]
    assert found.steps == len(plan.steps)
    assert found.tokens == sum(s.tokens for s in steps) > 0
    assert (folder / "runs" / "lora" / "report.html").is_file()
    assert list((folder / "runs" / "lora").rglob("events.out.tfevents.*"))


def test_a_run_killed_in_a_chunk_ends_with_the_same_weights(
    unbroken: tuple[Path, MemberRun], base: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path), str(base)]
    killed = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()[-2000:]
    before = read_run_log(tmp_path / "runs" / "lora" / METRICS_FILE)
    assert max(record.step for record in before) == 5
    found = run(toy_recipe(tmp_path, base, [toy_member()]), base)
    for name, tensor in weights(unbroken[1]).items():
        assert torch.equal(tensor, weights(found)[name]), name
    folder = Path("runs") / "lora" / METRICS_FILE
    ours, theirs = ([_numbers(r) for r in read_run_log(f / folder)] for f in (tmp_path, unbroken[0]))
    assert ours == theirs


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}


def _numbers(record: Any) -> dict[str, Any]:
    fields = {k: getattr(record, k) for k in record.__dataclass_fields__ if k not in ("seconds", "tokens")}
    return {"kind": type(record).__name__, **fields}


def test_a_run_that_is_done_is_not_trained_again(unbroken: tuple[Path, MemberRun], base: Path) -> None:
    folder, found = unbroken
    log = (folder / "runs" / "lora" / METRICS_FILE).read_bytes()
    again = run(toy_recipe(folder, base, [toy_member()]), base)
    assert (again.steps, again.tokens) == (found.steps, found.tokens)
    assert (folder / "runs" / "lora" / METRICS_FILE).read_bytes() == log


def test_checkpoints_of_another_recipe_are_refused(unbroken: tuple[Path, MemberRun], base: Path) -> None:
    other = toy_recipe(unbroken[0], base, [toy_member(adapter={"type": "lora", "rank": 2, "alpha": 8})])
    with pytest.raises(InputError, match=r"runs/lora: found checkpoints of another recipe or data; expected the same"):
        run(other, base)


def test_micro_batches_add_up_to_the_step(unbroken: tuple[Path, MemberRun], base: Path, tmp_path: Path) -> None:
    found = run(toy_recipe(tmp_path, base, [toy_member()], run={"micro_batch_rows": 3}), base)
    for name, tensor in weights(unbroken[1]).items():
        torch.testing.assert_close(tensor, weights(found)[name], atol=2e-3, rtol=2e-2)


def test_rows_too_long_to_train_on_are_counted_where_a_person_looks(base: Path, tmp_path: Path) -> None:
    long = replace(TRAIN[0].question, text="Which of these is rosy, in a very long question? " * 10)
    rows = [*TRAIN[:40], *(replace(row, id=f"long/{i}", question=long) for i, row in enumerate(TRAIN[40:43]))]
    recipe = toy_recipe(tmp_path, base, [toy_member()], run={"max_tokens": 256})
    found = train_member(recipe, recipe.members[0], base, rows, VALIDATION)
    assert (found.rows, found.too_long) == (40, 3)
    assert read_run_log(tmp_path / "runs" / "lora" / METRICS_FILE)[0] == RowsRecord(0, 40, 3, 256)
    assert "40 trained on; 3 left out, longer than 256 tokens" in (tmp_path / "runs/lora/report.html").read_text()
    assert summary(found)["rows_too_long"] == 3


def test_rows_that_are_all_too_long_are_refused(base: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, base, [toy_member()], run={"max_tokens": 16})
    with pytest.raises(InputError, match=r"run\.max_tokens: found 16; expected room for some row; all 64 are longer"):
        run(recipe, base)


@pytest.mark.parametrize("kind", ["rslora", "dora", "oplora"])
def test_every_kind_of_adapter_learns(base: Path, tmp_path: Path, kind: str) -> None:
    run(toy_recipe(tmp_path, base, [toy_member(kind)]), base)
    start, *_, end = probes(tmp_path / "runs" / kind)
    assert end.nll_nats < 0.7 * start.nll_nats


def test_plain_fine_tuning_on_completions_learns_to_say_the_key(base: Path, tmp_path: Path) -> None:
    member = toy_member(objective="sft")
    run(toy_recipe(tmp_path, base, [member]), base)
    steps = [r for r in read_run_log(tmp_path / "runs" / "lora" / METRICS_FILE) if isinstance(r, StepRecord)]
    assert steps[-1].loss < 0.5 * steps[0].loss


def test_a_rate_that_destroys_the_model_is_rolled_back_and_ends_no_worse_than_the_base(
    base: Path, tmp_path: Path
) -> None:
    recipe = toy_recipe(
        tmp_path, base, [toy_member(learning_rate=(30.0, 30.0))], guards={"probe_rows": 12, "disk_reserve_gb": 0}
    )
    found = run(recipe, base)
    actions = [decision.action for decision in found.decisions]
    assert actions
    assert actions[-1] == "stop"
    start, *after = probes(tmp_path / "runs" / "lora")
    kept = [p for p in after if p.step == found.steps]
    assert found.adapter is None or kept[0].nll_nats < 3 * max(start.nll_nats, 1.4)


def test_an_exploding_gradient_starts_again_with_the_next_alpha(base: Path, tmp_path: Path) -> None:
    # At a rate this small every batch starts from the same weights, and some have larger gradients than others.
    member = toy_member(alpha_fallbacks=[4.0], learning_rate=(1e-5, 1e-5))
    guards = {"probe_rows": 8, "disk_reserve_gb": 0, "gradient_factor": 1.01, "gradient_warm": 1}
    found = run(toy_recipe(tmp_path, base, [member], guards=guards), base)
    assert [decision.action for decision in found.decisions] == ["restart_lower_alpha", "stop"]
    assert found.decisions[0].reason.endswith("The run starts again with alpha 4.")
    assert found.decisions[1].reason.endswith("No alpha is left below 4.")
    assert found.alpha == 4.0


def test_a_save_that_would_not_fit_is_refused_before_it(base: Path, tmp_path: Path) -> None:
    guards = {"probe_rows": 8, "disk_reserve_gb": 10**6}
    with pytest.raises(DiskSpaceError, match="in reserve"):
        run(toy_recipe(tmp_path, base, [toy_member()], guards=guards), base)
    assert not list((tmp_path / "runs" / "lora").glob("checkpoint-*"))


def test_a_half_written_checkpoint_is_not_resumed_from(base: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, base, [toy_member()])
    torn = tmp_path / "runs" / "lora" / "checkpoint-3"
    torn.mkdir(parents=True)
    (torn / "trained.safetensors").write_bytes(b"half")
    assert run(recipe, base).steps > 3
    assert not torn.exists()


def test_a_trainer_that_is_not_installed_is_named(base: Path, tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, base, [toy_member()], run={"accelerator": "unsloth"})
    with pytest.raises(MissingExtraError, match="unsloth, which is not installed"):
        run(recipe, base)


def test_micro_batches_a_step_count_the_devices(tmp_path: Path) -> None:
    recipe = toy_recipe(tmp_path, "m", [toy_member()], run={"micro_batch_rows": 3})
    plan = make_plan([(row.id, row.difficulty) for row in TRAIN], recipe.curriculum, seed=0)
    assert micro_batches_a_step(recipe, plan, 1) == 3
    assert micro_batches_a_step(recipe, plan, 2) == 4
    with pytest.raises(
        InputError, match=r"run\.micro_batch_rows: found 8 micro-batches a step on 8 devices; expected at"
    ):
        micro_batches_a_step(recipe, plan, 8)


def test_decisions_are_in_the_log_as_json(base: Path, tmp_path: Path) -> None:
    guards = {"probe_rows": 8, "disk_reserve_gb": 0, "gradient_factor": 1.01, "gradient_warm": 1}
    run(toy_recipe(tmp_path, base, [toy_member(learning_rate=(1e-5, 1e-5))], guards=guards), base)
    lines = (tmp_path / "runs" / "lora" / METRICS_FILE).read_text().splitlines()
    [decision] = [json.loads(line) for line in lines if json.loads(line)["kind"] == "decision"]
    assert decision["action"] == "stop"
    assert isinstance(read_run_log(tmp_path / "runs" / "lora" / METRICS_FILE)[-1], DecisionRecord)


TRAINED = """
import sys
from pathlib import Path
from training_toys import toy_member, toy_recipe, toy_rows
from training.run.member_run import train_member

folder, base = Path(sys.argv[1]), Path(sys.argv[2])
recipe = toy_recipe(folder, base, [toy_member()], run={"micro_batch_rows": 4})
train_member(recipe, recipe.members[0], base, toy_rows(64), toy_rows(12, seed=1))
"""


def test_two_processes_under_the_included_configuration_train_the_same_weights(base: Path, tmp_path: Path) -> None:
    script = tmp_path / "trained.py"
    script.write_text(TRAINED)
    launch = ["-m", "accelerate.commands.launch", "--config_file", str(ROOT / "recipes" / "accelerate" / "fsdp.yaml")]
    options = ["--mixed_precision", "no", "--num_processes", "2", "--main_process_port", "0"]
    command = [sys.executable, "-W", "ignore", *launch, *options, str(script), str(tmp_path / "two"), str(base)]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    one = run(toy_recipe(tmp_path / "one", base, [toy_member()], run={"micro_batch_rows": 4}), base)
    two = load_file(tmp_path / "two" / "runs" / "lora" / "adapter" / ADAPTER_WEIGHTS)
    for name, tensor in weights(one).items():
        torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=1e-4)


EASY = [
    ("What do bees make?", "honey", "concrete", "glass", "petrol"),
    ("What falls from clouds?", "rain", "spoons", "bricks", "paint"),
    ("What do cows eat?", "grass", "iron", "plastic", "stones"),
    ("Which animal barks?", "dog", "fish", "worm", "snail"),
    ("What is ice made of?", "water", "wood", "sand", "gold"),
    ("What gives us light by day?", "the Sun", "the sea", "a cave", "a shoe"),
    ("What do we breathe?", "air", "soup", "ink", "clay"),
    ("What do birds lay?", "eggs", "keys", "cars", "coins"),
]


@pytest.mark.model
def test_a_learning_rate_that_ruins_the_real_model_is_caught_and_ends_no_worse_than_the_base(
    default_checkpoint: Path, tmp_path: Path
) -> None:
    rows = []
    for i in range(32):
        text, *choices = EASY[i % len(EASY)]
        order = [(place + i) % 4 for place in range(4)]
        question = Question(f"{text} ({i})", tuple(choices)).permuted(order)
        keyed = replace(question, key=question.choices.index(choices[0]))
        rows.append(CuratedRow(f"easy/{i}", "easy", "train", None, keyed, i / 32, "easy", str(i)))
    member = toy_member(adapter={"type": "lora", "rank": 4, "alpha": 8}, learning_rate=(5e-2, 5e-2))
    recipe = toy_recipe(
        tmp_path,
        default_checkpoint,
        [member],
        curriculum={"chunks": 2, "batch_rows": 4},
        guards={"probe_rows": 8, "disk_reserve_gb": 0, "gradient_warm": 1},
    )
    found = train_member(recipe, recipe.members[0], default_checkpoint, rows, rows[:8])
    assert found.decisions
    start, *after = probes(tmp_path / "runs" / "lora")
    kept = [probe for probe in after if probe.step == found.steps]
    # No adapter is the base itself.
    assert found.adapter is None or kept[-1].accuracy >= start.accuracy - 0.1


FULL = """
import resource, signal, sys
from pathlib import Path
from training_toys import toy_member, toy_recipe, toy_rows
from training.run.member_run import train_member
from agents.core.errors import FileError

folder, base = Path(sys.argv[1]), Path(sys.argv[2])
recipe = toy_recipe(folder, base, [toy_member()])

def advance(step, steps):
    # A quota from the second chunk on: the log and the plan fit under it, a checkpoint does not.
    if step == 4:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

try:
    train_member(recipe, recipe.members[0], base, toy_rows(64), toy_rows(12, seed=1), advance)
except FileError as error:
    print(error)
"""


def test_a_disk_that_fills_in_a_save_gets_one_sentence_and_the_run_goes_on_later(
    unbroken: tuple[Path, MemberRun], base: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FULL, str(tmp_path), str(base)]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "runs/lora: found a checkpoint that could not be written (" in done.stdout
    assert "expected a disk with room for it" in done.stdout
    found = run(toy_recipe(tmp_path, base, [toy_member()]), base)
    for name, tensor in weights(unbroken[1]).items():
        assert torch.equal(tensor, weights(found)[name]), name
