"""A training recipe: everything a run is made from, as one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from agents.core.errors import InputError, first_line
from agents.core.manifest import SafeName
from agents.core.pydantic_errors import validation_error
from agents.core.scoring import Method
from agents.core.text_file import read_text
from agents.engines.vllm.limits import RANKS
from training.adapters.recipe import AdapterRecipe
from training.curation.recipe import DataRecipe
from training.guards import GuardRecipe
from training.plan.curriculum import CurriculumRecipe
from training.sources import PUZZLES
from training.sources.files import split_files

RecipeModel = TypeVar("RecipeModel", bound=BaseModel)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MemberRecipe(Strict):
    """One adapter to train."""

    name: SafeName
    adapter: AdapterRecipe
    alpha_fallbacks: list[Annotated[float, Field(gt=0)]] = []
    """Alphas to start again with, in this order, when the gradient watch stops a run."""
    method: Method = "cloze"
    """How the member scores choices, and so what its prompts look like in training."""
    orders: int | None = Field(default=None, ge=1)
    """Cyclic orders a letter member is asked in once it serves; None is all of them."""
    objective: Literal["choice", "sft"] = "choice"
    """choice: cross-entropy over the scores of the choices. sft: the key's tokens and the end of the turn."""
    task: Literal["answer", "question"] = "answer"
    """question: the member writes questions for the Q-Agent. It learns the whole question by ``objective: sft``, and is
    asked as ``agents.asking.model_proposer`` asks; ``method`` says nothing then."""
    data: DataRecipe | None = None
    """Instead of the recipe's, for this member: what it is to be better at than the others."""
    learning_rate: tuple[float, float] | None = None
    """Instead of the curriculum's, for this member."""
    seed: int = 0
    """Added to the recipe's: members with other seeds start elsewhere and see other plans."""
    export: Literal["adapter", "checkpoint"] = "adapter"
    """What the ensemble holds of the member: its adapter, or the base with the adapter merged in, as large as the base.

    vLLM serves no DoRA adapter, so a recipe that is released for vLLM (``release.engine``) must export a DoRA as a
    checkpoint. Released for transformers it may stay an adapter; where such an ensemble is served by vLLM after all,
    the service merges its DoRA adapters at start-up, which takes that time and memory at every start.
    """

    @model_validator(mode="after")
    def _consistent(self) -> MemberRecipe:
        if self.orders is not None and self.method != "letter":
            raise ValueError(f"orders belong to letter members, and the method is {self.method}")
        if self.task == "question" and (self.objective, self.export) != ("sft", "adapter"):
            raise ValueError("a member that writes questions has objective: sft and export: adapter")
        if any(b >= a for a, b in zip([self.adapter.alpha, *self.alpha_fallbacks], self.alpha_fallbacks, strict=False)):
            raise ValueError(f"alpha_fallbacks {self.alpha_fallbacks} do not fall from alpha {self.adapter.alpha:g}")
        return self


class RunRecipe(Strict):
    """How the steps of the plan are computed."""

    dtype: Literal["float32", "bfloat16"] | None = None
    """None is bfloat16 on a GPU and float32 on a CPU."""
    micro_batch_rows: int = Field(default=8, ge=1)
    """Rows a forward pass on one device; gradients accumulate up to the plan's rows a step."""
    gradient_checkpointing: bool = False
    """Computes activations again in the backward pass: less memory, about a third more time."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_tokens: int = Field(default=1024, ge=16)
    """Rows whose longest prompt and choice are longer are left out of training."""
    accelerator: Literal["unsloth"] | None = None
    keep_checkpoints: int = Field(default=2, ge=1)
    """Checkpoints of earlier chunks kept on disk; the last good one always is."""


class CandidateRecipe(Strict):
    """An untrained member to try: its name, its method, and for letters how many cyclic orders (None: all)."""

    name: SafeName
    method: Method
    orders: int | None = Field(default=None, ge=1)


class FitRecipe(Strict):
    """The rows that decide what is exported: one half fits, the other chooses. Neither trained on nor reported."""

    data: list[str] = Field(min_length=1)
    """Question files, or ``puzzles:SPLIT``."""
    rows_per_file: int = Field(ge=4)
    seed: int = 0
    prior_rows: int = Field(default=0, ge=0)
    """Rows asked in a full cycle of orders to estimate the label prior of letter members; 0 leaves it out."""


class ExportRecipe(Strict):
    """An ensemble of untrained members; what `aiac export` reads."""

    name: SafeName
    model: str
    output: str
    members: list[CandidateRecipe] = Field(min_length=1)
    fit: FitRecipe
    probes: int = Field(default=3, ge=1)


class ReleaseRecipe(Strict):
    """How trained members become an ensemble."""

    engine: Literal["transformers", "vllm"] = "transformers"
    """The engine it is exported for: vLLM serves no DoRA adapter, and ranks up to 512."""
    base: list[CandidateRecipe] = Field(min_length=1)
    """Untrained members: what the trained ones must beat, and may be pooled with."""
    fit: FitRecipe
    significance: float = Field(default=0.05, gt=0, lt=1)
    """A trained member is let in when it beats the best untrained one with McNemar's p below this."""
    probes: int = Field(default=3, ge=1)
    adapter_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    checkpoint_dtype: Literal["float32", "bfloat16"] | None = None
    """Of members exported as checkpoints. None is the base's own; float32 is exact, and twice as large as bfloat16."""


class TrainRecipe(Strict):
    """What `aiac train` reads."""

    name: SafeName
    model: str
    output: str
    """The ensemble's folder."""
    runs: str
    """Where plans, checkpoints, logs and reports are kept while members train."""
    seed: int = 0
    data: DataRecipe
    curriculum: CurriculumRecipe = CurriculumRecipe()
    run: RunRecipe = RunRecipe()
    guards: GuardRecipe = GuardRecipe()
    members: list[MemberRecipe] = Field(min_length=1)
    release: ReleaseRecipe | None = None
    """None where members write questions: their adapters are put into ``output`` as they are, beside no ensemble."""

    @model_validator(mode="after")
    def _consistent(self) -> TrainRecipe:
        base = [] if self.release is None else self.release.base
        names = [member.name for member in self.members] + [member.name for member in base]
        if len(set(names)) != len(names):
            raise ValueError(f"member names repeat: {', '.join(names)}")
        self._check_tasks()
        by_output: dict[str, DataRecipe] = {}
        for data in [self.data, *map(self.data_of, self.members)]:
            if by_output.setdefault(data.output, data) != data:
                raise ValueError(f"two data sets share the folder {data.output}")
        if self.release is not None:
            for data in map(self.data_of, self.members):
                _require_held_out(self.release.fit.data, data.evaluation)
        return self

    def _check_tasks(self) -> None:
        """Check each member's task, data and export against the release."""
        if any((member.task == "answer") == (self.release is None) for member in self.members):
            raise ValueError("a recipe has a release and members that answer, or none and members that write questions")
        for member in self.members:
            if member.task == "question" and {source.name for source in self.data_of(member).sources} != {PUZZLES}:
                raise ValueError(f"members.{member.name} writes questions, which only the source {PUZZLES} teaches")
            if self.release is not None and self.release.engine == "vllm" and member.export == "adapter":
                _require_served_by_vllm(member)

    def data_of(self, member: MemberRecipe) -> DataRecipe:
        """What the member is trained on."""
        return member.data or self.data

    @property
    def adapter_dtype(self) -> Literal["float32", "bfloat16"]:
        """The precision that trained adapters are written in."""
        return "bfloat16" if self.release is None else self.release.adapter_dtype

    def plan_recipe(self, member: MemberRecipe) -> CurriculumRecipe:
        """The curriculum with the member's own learning rate, if it has one."""
        own = member.learning_rate
        return self.curriculum if own is None else self.curriculum.model_copy(update={"learning_rate": own})


def _require_served_by_vllm(member: MemberRecipe) -> None:
    if member.adapter.type == "dora":
        raise ValueError(f"members.{member.name}: vLLM serves no DoRA adapter; use `export: checkpoint`")
    if member.adapter.rank > RANKS[-1]:
        raise ValueError(f"members.{member.name}: vLLM serves ranks up to {RANKS[-1]}, not {member.adapter.rank}")


def _require_held_out(fit: list[str], evaluation: list[str]) -> None:
    """What decides the release must be kept out of the training rows. Puzzles are: no structure is in two splits.

    Without evaluation files a recipe keeps nothing out, and says so.
    """
    kept_out = {file for name in evaluation for file in (name, *split_files(*name.partition(":")[::2]))}
    for name in fit:
        if evaluation and name.partition(":")[0] != PUZZLES and not kept_out & {name, Path(name).name}:
            raise ValueError(f"release.fit.data has {name}, which data.evaluation lacks: list it there too")


def read_yaml(path: Path, model: type[RecipeModel], section: str | None = None) -> RecipeModel:
    """A YAML file, or one section of it, as a recipe of class ``model``.

    Raises FileError when the file cannot be read, InputError naming the field that is wrong.
    """
    text = read_text(path, "a readable recipe")
    try:
        payload = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(str(path), f"text that is not YAML ({first_line(error)})", "a recipe") from None
    whole: type[BaseModel] = model
    if section is not None:
        if not isinstance(payload, dict) or section not in payload:
            raise InputError(f"{path}: {section}", "no such section", f"a `{section}:` section")
        # A model of the section alone, so that errors name their fields from the top of the file.
        fields: dict[str, Any] = {section: (model, ...)}
        whole = create_model("Section", **fields)
        payload = {section: payload[section]}
    try:
        found: Any = whole.model_validate(payload)
    except ValidationError as error:
        raise _unknown_field(error, path, whole) or validation_error(
            error, InputError, str(path), whole="recipe"
        ) from None
    recipe: RecipeModel = found if section is None else getattr(found, section)
    return recipe


def _unknown_field(error: ValidationError, path: Path, model: type[BaseModel]) -> InputError | None:
    """The error for a field that is not known, with those that are; None where the first problem is another."""
    first = error.errors()[0]
    if first["type"] != "extra_forbidden":
        return None
    known = _fields_at(model, first["loc"][:-1])
    field = f"{path}: {'.'.join(map(str, first['loc']))}"
    return InputError(field, "an unknown field", f"one of {', '.join(known)}" if known else "a known field")


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The fields of the model that ``loc`` leads to from ``model``; empty where it does not lead to one."""
    found: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        field = getattr(found, "model_fields", {}).get(part)
        if field is None:
            return []
        annotation = field.annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        found = arguments[0] if arguments else annotation
    return list(getattr(found, "model_fields", {}))
