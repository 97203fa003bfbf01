"""What can be set of the vLLM engines, as AIAC_VLLM_* variables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class VllmOptions(BaseSettings):
    """Handed to vLLM as its engine arguments of the same names. Build it with ``read_settings``."""

    model_config = SettingsConfigDict(
        env_prefix="AIAC_VLLM_", env_file=None, env_ignore_empty=True, extra="forbid", frozen=True
    )

    tensor_parallel_size: int = Field(1, ge=1, le=1024, description="GPUs that each layer of a model is split over.")
    pipeline_parallel_size: int = Field(1, ge=1, le=1024, description="Groups of GPUs that the layers are spread over.")
    data_parallel_size: int = Field(1, ge=1, le=1024, description="Copies of every model, for throughput.")
    distributed_executor_backend: Literal["mp", "ray"] | None = Field(
        None,
        description="What runs the parts of a split model: mp on one machine, ray over several.",
    )
    max_model_len: int = Field(
        4096, ge=64, le=1 << 20, description="Most tokens of a prompt and its answer; the model's own limit, if less."
    )
    max_num_seqs: int = Field(
        256,
        ge=1,
        le=65_536,
        description="Sequences computed at a time. More use a large GPU better and take memory.",
    )
    max_num_batched_tokens: int | None = Field(
        None,
        ge=64,
        le=1 << 20,
        description="Tokens computed in one step; by default vLLM's own choice for the device.",
    )
    gpu_memory_utilization: float = Field(
        0.9, gt=0, le=1, description="Share of a GPU's memory that all engines together may take."
    )
    cpu_cache_gib: int = Field(
        1, ge=1, le=1024, description="GiB of memory for the cache of each engine on a machine without a GPU."
    )
    enforce_eager: bool = Field(
        False, description="Start without compiling: sooner ready, slower after. Always so without a GPU."
    )
    ready_timeout_seconds: int = Field(
        600, ge=1, le=86_400, description="How long an engine may take to become ready before that counts as a failure."
    )
