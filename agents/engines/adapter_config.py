"""Check an adapter's configuration before PEFT or vLLM reads it: other people make adapters."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agents.core.errors import DamagedModelError, describe
from agents.models.checkpoint import read_json_object

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
"""The two files of an adapter's folder, as PEFT and vLLM name them."""
PATTERN_SECONDS = 5.0
"""The longest that matching an adapter's patterns may take. Honest ones take milliseconds, and a busy machine seconds
to start the process that matches."""
_MATCH = """
import json, re, sys
given = json.load(sys.stdin)
for pattern in given["patterns"]:
    whole, end = re.compile(pattern), re.compile(rf"(.*\\.)?({pattern})$")
    for name in given["names"]:
        whole.fullmatch(name), end.match(name)
"""
"""PEFT matches names of modules both ways."""


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """Read ``adapter_config.json``. Raises DamagedModelError, which names the field that is of another type.

    Refused as well: fields that make PEFT import a module by name, which may be anyone's.
    """
    file = folder / ADAPTER_CONFIG
    config = read_json_object(file)

    def require(field: str, fits: bool, expected: str) -> None:
        if not fits:
            raise DamagedModelError(f"{file}: {field}", describe(config.get(field)), expected)

    for field in ("auto_map", "megatron_config"):
        require(field, not config.get(field), "null: code of an adapter is never run")
    require("peft_type", isinstance(config.get("peft_type"), str), "a name such as LORA")
    if config["peft_type"] == "LORA":
        require("r", _is_number(config.get("r")) and config["r"] >= 1, "a rank of 1 or more")
        require("lora_alpha", _is_number(config.get("lora_alpha")), "a finite number")
    for field in ("target_modules", "exclude_modules", "layers_pattern"):
        value = config.get(field)
        require(field, value is None or isinstance(value, str) or _is_names(value), "a list of names, or a pattern")
    for field in ("rank_pattern", "alpha_pattern"):
        value = config.get(field) or {}
        fits = isinstance(value, dict) and all(map(_is_number, value.values()))
        require(field, fits, "an object of numbers by name")
    base = config.get("base_model_name_or_path")
    require("base_model_name_or_path", base is None or isinstance(base, str), "the name of a model")
    return config


def require_quick_patterns(folder: Path, modules: Iterable[str], *, seconds: float = PATTERN_SECONDS) -> None:
    """Raise DamagedModelError for patterns that take too long to match against the names of a model's modules.

    A regular expression may take years ("(a+)+$"), and Python cannot stop one: they are tried in a process that can be
    stopped. Lists of names need no process. Raises as ``read_adapter_config`` does, too.
    """
    patterns = _patterns(read_adapter_config(folder))
    if not patterns:
        return
    file = folder / ADAPTER_CONFIG
    given = json.dumps({"patterns": list(patterns.values()), "names": list(modules)})
    try:
        run = subprocess.run(  # noqa: S603 - our own words, no shell
            [sys.executable, "-I", "-S", "-c", _MATCH],
            input=given,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        found = f"a pattern that takes more than {seconds:g} s to match"
        raise DamagedModelError(f"{file}: {', '.join(patterns)}", found, "a list of module names") from None
    if run.returncode != 0:
        raise DamagedModelError(f"{file}: {', '.join(patterns)}", "no regular expression", "a list of module names")


def _patterns(config: Mapping[str, Any]) -> dict[str, str]:
    """The regular expressions of a config, by field."""
    fields = ("target_modules", "exclude_modules", "layers_pattern")
    found = {field: config[field] for field in fields if isinstance(config.get(field), str)}
    if found.get("target_modules") == "all-linear":
        del found["target_modules"]
    for field in ("rank_pattern", "alpha_pattern"):
        for number, pattern in enumerate(config.get(field) or {}):
            if not pattern.replace("_", "").replace(".", "").isalnum():
                found[f"{field}[{number}]"] = pattern
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
