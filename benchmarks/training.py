"""Speed of training: beside a bare SFTTrainer, LoRA beside DoRA, packed beside not.

python -m benchmarks.training prints JSON. The ways take turns, step by step on the same rows, so that a noisy machine
slows all of them alike. Compared are the sums over the steps after a first one that warms up.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.core.permutation import cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.torch.engine import load_model
from agents.ensemble.base_model import find_or_pull
from benchmarks.command_line import argument_parser, note, positive, print_report
from benchmarks.reporting import Aims, check_aims, environment
from benchmarks.sample_questions import questions
from training.adapters.attach import attach_adapter
from training.adapters.recipe import AdapterRecipe
from training.curation.rows import CuratedRow
from training.recipe import MemberRecipe
from training.run.collate import CompletionCollator, MicroBatch
from training.run.objective import choice_example, choice_losses, pack

AIMS: Aims = {"sft_over_bare_trainer": ("at least", 0.95), "dora_over_lora_time": ("at most", 1.6)}
BATCH_ROWS = 8


def adapter(kind: str) -> AdapterRecipe:
    return AdapterRecipe.model_validate({"type": kind, "rank": 8, "alpha": 16})


def attached(checkpoint: Path, kind: str) -> Any:
    import torch

    return attach_adapter(load_model(checkpoint, torch.float32), adapter(kind), seed=0).train()


class Trainee:
    """A model and its optimiser; ``step`` trains on one batch and returns its seconds."""

    def __init__(self, model: Any, loss: Any) -> None:
        import torch

        self._model, self._loss = model, loss
        self._optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def step(self, batch: Any) -> float:
        started = time.perf_counter()
        self._loss(self._model, batch).backward()
        self._optimiser.step()
        self._optimiser.zero_grad()
        return time.perf_counter() - started


def trainer_seconds(checkpoint: Path, batches: list[MicroBatch], folder: Path, *, ours: bool) -> list[float]:
    """Time each step of our trainer, or of a bare SFTTrainer, on the completions of the same rows."""
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from training.plan.curriculum import CurriculumPlan, PlanStep
    from training.recipe import RunRecipe
    from training.run.trainer import Schedule, TrainerOptions, checkpointing, make_trainer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    renderer = PromptRenderer(ChatTokenizer(checkpoint))
    member = MemberRecipe(name="lora", adapter=adapter("lora"), objective="sft")
    collator = CompletionCollator(renderer, member, end_id=int(tokenizer.eos_token_id))
    model = attached(checkpoint, "lora")
    seconds: list[float] = []

    class StepTimer(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *arguments: Any, **kwargs: Any) -> None:
            self.started = time.perf_counter()

        def on_step_end(self, *arguments: Any, **kwargs: Any) -> None:
            seconds.append(time.perf_counter() - self.started)

    if ours:
        rows = {row.id: row for batch in batches for row in batch.rows}
        steps = tuple(
            PlanStep(i, 0, 1e-4, tuple(f"{i}/{j}" for j in range(BATCH_ROWS)), (False,) * BATCH_ROWS)
            for i in range(len(batches))
        )
        schedule = Schedule(CurriculumPlan(steps), rows, 1, 0)
        options = TrainerOptions(schedule, collator, member, RunRecipe(), folder)
        trainer = make_trainer(model, tokenizer, options, [StepTimer()])
    else:
        examples = [collator.tokens(q, o) for b in batches for q, o in zip(b.questions, b.orders, strict=True)]
        data = Dataset.from_list([{"input_ids": p + c, "labels": [-100] * len(p) + c} for p, c in examples])
        arguments = SFTConfig(
            output_dir=str(folder),
            per_device_train_batch_size=BATCH_ROWS,
            max_steps=len(batches),
            **checkpointing(False),
            train_sampling_strategy="sequential",
            dataset_kwargs={"skip_prepare_dataset": True},
            bf16=False,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
        )
        trainer = SFTTrainer(
            model=model, args=arguments, train_dataset=data, processing_class=tokenizer, callbacks=[StepTimer()]
        )
    trainer.train()
    return seconds


def measure(model_name: str, steps: int, seed: int) -> dict[str, Any]:
    import torch

    checkpoint = find_or_pull(model_name)
    renderer = PromptRenderer(ChatTokenizer(checkpoint))
    fresh = questions(seed)
    batches = []
    for number in range(steps + 1):
        rows = [next(fresh) for _ in range(BATCH_ROWS)]
        keyed = [replace(q, key=i % len(q.choices)) for i, q in enumerate(rows)]
        curated = [
            CuratedRow(f"{number}/{i}", "benchmark", "train", None, q, 0.0, "easy", "") for i, q in enumerate(keyed)
        ]
        batches.append(MicroBatch(curated, [cyclic_orders(len(q.choices))[0] for q in keyed], BATCH_ROWS))

    def packed(model: Any, batch: MicroBatch) -> Any:
        examples = [choice_example(renderer, q, "cloze", o) for q, o in zip(batch.questions, batch.orders, strict=True)]
        return choice_losses(model, pack(examples)).mean()

    def one_by_one(model: Any, batch: MicroBatch) -> Any:
        """Compute the objective without a tree: every prompt with every choice as a padded row of its own."""
        examples = [choice_example(renderer, q, "cloze", o) for q, o in zip(batch.questions, batch.orders, strict=True)]
        sequences = [(row, tokens, terms) for row, e in enumerate(examples) for tokens, terms in e.sequences]
        longest = max(len(tokens) for _, tokens, _ in sequences)
        ids = torch.zeros(len(sequences), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, (_, tokens, _) in enumerate(sequences):
            ids[i, : len(tokens)], mask[i, : len(tokens)] = torch.tensor(tokens), 1
        logprobs = model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float().log_softmax(-1)
        losses = []
        for row, example in enumerate(examples):
            scores = [torch.zeros(())] * example.n_choices
            for i, (owner, _, terms) in enumerate(sequences):
                for term in terms if owner == row else ():
                    scores[term.choice] = scores[term.choice] + term.factor * logprobs[i, term.position, term.token]
            losses.append(-torch.stack(scores).log_softmax(-1)[example.key])
        return torch.stack(losses).mean()

    ways = {
        "lora_packed": Trainee(attached(checkpoint, "lora"), packed),
        "dora_packed": Trainee(attached(checkpoint, "dora"), packed),
        "lora_one_by_one": Trainee(attached(checkpoint, "lora"), one_by_one),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for i, batch in enumerate(batches):
        note(f"step {i} of {steps}")
        for name, way in ways.items():
            seconds[name].append(way.step(batch))
    note("our trainer beside a bare SFTTrainer")
    with tempfile.TemporaryDirectory() as folder:
        trainers: dict[str, list[float]] = {"ours": [], "bare": []}
        # In turns, twice: the speed of a shared machine changes over minutes.
        for _ in range(2):
            for name in trainers:
                trainers[name] += trainer_seconds(checkpoint, batches, Path(folder), ours=name == "ours")[1:]
    total = {name: sum(values[1:]) for name, values in seconds.items()}
    ratios = {
        "sft_over_bare_trainer": sum(trainers["bare"]) / sum(trainers["ours"]),
        "dora_over_lora_time": total["dora_packed"] / total["lora_packed"],
        "packed_over_one_by_one": total["lora_one_by_one"] / total["lora_packed"],
    }
    return {
        "model": model_name,
        "dtype": "float32",
        "seed": seed,
        "steps": steps,
        "rows_a_step": BATCH_ROWS,
        **environment(),
        "rows_per_s": {name: steps * BATCH_ROWS / value for name, value in total.items()}
        | {f"{name}_trainer_sft": len(values) * BATCH_ROWS / sum(values) for name, values in trainers.items()},
        "ratios": ratios,
        "aims": check_aims(ratios, AIMS),
    }


def main() -> None:
    parser = argument_parser("training", __doc__)
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--steps", type=positive(int), default=8, help="optimiser steps of 8 rows, of each way")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    print_report(measure(options.model, options.steps, options.seed))


if __name__ == "__main__":
    main()
