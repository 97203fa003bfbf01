"""The part of a training recipe that says which adapter is trained."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAGNITUDE_LR_RATIO = 5.0
PRESERVE_RANK = 16


class AdapterRecipe(BaseModel):
    """LoRA (arXiv 2106.09685), rsLoRA (2312.03732), DoRA (2402.09353) or OPLoRA (2510.13003) on linear layers.

    ``alpha`` scales the update: by alpha / rank, for rsLoRA by alpha / sqrt(rank).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["lora", "rslora", "dora", "oplora"]
    rank: int = Field(ge=1)
    alpha: float = Field(gt=0, allow_inf_nan=False)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: Annotated[list[str], Field(min_length=1)] | Literal["all-linear"] = "all-linear"
    """Names of linear layers, as ``q_proj``; all-linear is every linear layer but the output head."""
    magnitude_lr_ratio: float = Field(default=MAGNITUDE_LR_RATIO, ge=1, le=20)
    """DoRA: the learning rate of the magnitudes over that of the factors; 5 to 10 is sensible."""
    preserve_rank: int | None = Field(default=None, ge=1)
    """OPLoRA: how many of each frozen weight's top singular directions the update may not touch; 16 if not given."""

    @model_validator(mode="before")
    @classmethod
    def _fill_preserve_rank(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("type") == "oplora":
            return {"preserve_rank": PRESERVE_RANK, **fields}
        return fields

    @model_validator(mode="after")
    def _options_fit_type(self) -> AdapterRecipe:
        if self.type != "dora" and self.magnitude_lr_ratio != MAGNITUDE_LR_RATIO:
            raise ValueError(f"magnitude_lr_ratio belongs to dora, and the type is {self.type}")
        if self.type != "oplora" and self.preserve_rank is not None:
            raise ValueError(f"preserve_rank belongs to oplora, and the type is {self.type}")
        if self.type == "oplora" and self.preserve_rank is None:
            raise ValueError("oplora needs a preserve_rank")
        return self
