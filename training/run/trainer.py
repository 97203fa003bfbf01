"""TRL's SFTTrainer over a plan: its steps in order, its learning rates, and either objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from agents.core.errors import FileError, first_line
from training.adapters.attach import parameter_groups
from training.curation.rows import CuratedRow
from training.plan.curriculum import CurriculumPlan
from training.recipe import MemberRecipe, RunRecipe
from training.run.checkpoints import load_trained, save_trained
from training.run.collate import Collator, MicroBatch, micro_batches
from training.run.objective import choice_losses
from training.support.devices import processes

ROOM = "a disk with room for it; the run then goes on from the checkpoint before"


@dataclass(frozen=True)
class Schedule:
    """A plan as one run follows it: scaled learning rates, and each step cut into micro-batches."""

    plan: CurriculumPlan
    rows: Mapping[str, CuratedRow]
    """Those of the plan, by their id."""
    parts: int
    """Micro-batches a step, over all devices."""
    seed: int
    learning_rate_scale: float = 1.0

    @cached_property
    def peak(self) -> float:
        return max(step.learning_rate for step in self.plan.steps) * self.learning_rate_scale

    def factor(self, step: int) -> float:
        """The learning rate of a step over ``peak``."""
        at = self.plan.steps[min(step, len(self.plan.steps) - 1)]
        return at.learning_rate * self.learning_rate_scale / self.peak

    def micro_batch(self, index: int) -> MicroBatch:
        step, part = divmod(index, self.parts)
        return micro_batches(self.plan.steps[step], self.rows, self.parts, seed=self.seed)[part]


@dataclass(frozen=True)
class TrainerOptions:
    """How a member is trained: ``collator`` feeds the micro-batches of ``schedule``; ``folder`` gets checkpoints."""

    schedule: Schedule
    collator: Collator
    member: MemberRecipe
    run: RunRecipe
    folder: Path


def make_trainer(model: Any, tokenizer: Any, options: TrainerOptions, callbacks: list[Any]) -> Any:
    """A trainer of ``model`` (a PeftModel) that saves when a callback asks for it."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig

    schedule, run = options.schedule, options.run
    on_gpu = torch.cuda.is_available()
    accumulation = schedule.parts // processes().num_processes
    arguments = SFTConfig(
        output_dir=str(options.folder),
        per_device_train_batch_size=1,
        gradient_accumulation_steps=accumulation,
        max_steps=len(schedule.plan.steps),
        learning_rate=schedule.peak,
        max_grad_norm=run.max_gradient_norm,
        **checkpointing(run.gradient_checkpointing),
        train_sampling_strategy="sequential",
        bf16=on_gpu and run.dtype != "float32",
        use_cpu=not on_gpu,
        seed=schedule.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="tensorboard",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
    )
    trainer = _trainer_class()(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({"micro_batch": range(len(schedule.plan.steps) * schedule.parts)}),
        data_collator=lambda items: options.collator(schedule.micro_batch(items[0]["micro_batch"])),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    # Each would write its own lines and bars among ours.
    from transformers import PrinterCallback, ProgressCallback

    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.options = options
    return trainer


def checkpointing(on: bool) -> dict[str, bool]:
    """The trainer's option for it: transformers renamed it in 5.24, and warns about the old name."""
    from trl import SFTConfig

    names = ("activation_checkpointing", "gradient_checkpointing")
    return {next(name for name in names if hasattr(SFTConfig, name)): on}


@cache
def _trainer_class() -> Any:
    import torch
    from safetensors import SafetensorError
    from trl import SFTTrainer

    class PlanTrainer(SFTTrainer):  # type: ignore[misc]
        """SFTTrainer with the plan's learning rates, the choice objective, and whole checkpoints of what trains."""

        options: TrainerOptions

        def create_optimizer(self, model: Any = None) -> Any:
            groups = parameter_groups(
                model or self.model,
                self.options.member.adapter,
                self.options.schedule.peak,
                self.options.run.weight_decay,
            )
            self.optimizer = torch.optim.AdamW(groups)
            return self.optimizer

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer, self.options.schedule.factor
            )
            return self.lr_scheduler

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if "places" not in inputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            # Micro-batches of a step differ in rows: the sum over the step's rows is what is wanted. The trainer
            # divides by the accumulation steps, and data parallelism by the processes.
            share = self.options.schedule.parts / inputs["step_rows"]
            self._total_train_tokens += inputs["input_ids"].numel()
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
            return choice_losses(model, inputs).sum() * share

        def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
            try:
                super()._save_checkpoint(*arguments, **options)
            except (OSError, RuntimeError, SafetensorError) as error:
                # A checkpoint that is not whole has no mark, and is removed when the run goes on.
                found = f"a checkpoint that could not be written ({first_line(error)})"
                raise FileError(self.args.output_dir, found, ROOM) from None

        def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
            save_trained(Path(output_dir or self.args.output_dir), self.model, state_dict)

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            load_trained(Path(resume_from_checkpoint), model or self.model)

    return PlanTrainer
