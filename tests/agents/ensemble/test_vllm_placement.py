"""Members over vLLM engines: what shares one, what is merged, and what is left out where not all fit."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from agent_fakes import SHA, letter_member
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import EngineError, InputError
from agents.core.manifest import Member
from agents.engines.vllm.device import require_compiler
from agents.engines.vllm.options import VllmOptions
from agents.ensemble.placement import EngineSpec, EnsembleWeights
from agents.ensemble.supervisor import EngineSupervisor
from agents.ensemble.vllm_memory import Device, weight_bytes
from agents.ensemble.vllm_placement import available_memory, place_on_vllm

GIB = 1 << 30


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> EnsembleWeights:
    """A base member, a LoRA, a DoRA and a checkpoint."""
    root = tmp_path_factory.mktemp("weights")
    base = write_tiny_checkpoint(root / "base")
    folders = {
        "lora": write_tiny_adapter(root / "lora", base),
        "dora": write_tiny_adapter(root / "dora", base, use_dora=True),
        "whole": write_tiny_checkpoint(root / "whole", seed=3),
    }
    members = [letter_member("plain"), *(tuned(name) for name in folders)]
    return EnsembleWeights("tiny", base, SHA, members, folders)


def tuned(name: str) -> Member:
    return letter_member(name, kind="checkpoint" if name == "whole" else "adapter", path=name, sha256=SHA)


def placed(
    weights: EnsembleWeights, device: Device, cache: Path, monkeypatch: pytest.MonkeyPatch, dtype: str | None = None
) -> list[EngineSpec]:
    monkeypatch.setenv("AIAC_CACHE_DIR", str(cache))
    return place_on_vllm(VllmOptions(enforce_eager=True), dtype, device=lambda: device)(weights)


def precisions(spec: EngineSpec) -> list[str]:
    """What each of its openers opens an engine in, in their order."""
    found = []
    for opener in spec.openers:
        assert isinstance(opener, partial)
        found.append(opener.args[2])
    return found


def layout(specs: list[EngineSpec]) -> list[tuple[str, dict[str, str | None]]]:
    return [(spec.name, dict(spec.adapters)) for spec in specs]


def test_on_a_gpu_the_base_and_its_adapters_share_an_engine_and_dora_is_merged(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = placed(weights, Device(False, 80 * GIB), tmp_path, monkeypatch)
    assert layout(specs) == [
        ("base", {"plain": None, "lora": "lora"}),
        ("dora", {"dora": None}),
        ("whole", {"whole": None}),
    ]
    # bfloat16 first, float32 where that misses a probe; vLLM asserts 16 bits where there are adapters.
    assert [precisions(spec) for spec in specs] == [["bfloat16"], ["bfloat16", "float32"], ["bfloat16", "float32"]]


def test_where_float32_is_asked_for_on_a_gpu_every_adapter_is_merged(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = placed(weights, Device(False, 80 * GIB), tmp_path, monkeypatch, dtype="float32")
    assert [name for name, _ in layout(specs)] == ["base", "lora", "dora", "whole"]
    assert [precisions(spec) for spec in specs] == [["float32"]] * 4


def test_on_a_cpu_every_adapter_is_merged_so_that_nothing_mixes(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = placed(weights, Device(True, 80 * GIB), tmp_path, monkeypatch)
    assert layout(specs) == [
        ("base", {"plain": None}),
        ("lora", {"lora": None}),
        ("dora", {"dora": None}),
        ("whole", {"whole": None}),
    ]
    assert [precisions(spec) for spec in specs] == [["float32"]] * 4


def test_a_base_that_no_member_needs_has_no_engine(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = EnsembleWeights("tiny", weights.base, SHA, [tuned("dora")], weights.folders)
    assert layout(placed(only, Device(False, 80 * GIB), tmp_path, monkeypatch)) == [("dora", {"dora": None})]


@pytest.mark.parametrize("on_cpu", [True, False])
def test_nothing_is_merged_for_an_ensemble_that_does_not_fit(
    on_cpu: bool, weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"engines that need base .* dora .* whole "):
        placed(weights, Device(on_cpu, 2 * GIB), tmp_path, monkeypatch)
    assert list(tmp_path.iterdir()) == []


def test_what_fits_is_served_and_the_lightest_member_says_why_it_is_not(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavier = [
        member.model_copy(update={"weight": 0.1 if member.name == "dora" else 1.0}) for member in weights.members
    ]
    uneven = replace(weights, members=heavier)
    specs = placed(uneven, Device(False, 6 * GIB), tmp_path, monkeypatch)
    by_name = {spec.name: spec for spec in specs}
    assert [name for name, spec in by_name.items() if spec.left_out is None] == ["base", "whole"]
    assert not (tmp_path / "merged").exists(), "nothing is merged for an engine that is left out"
    supervisor = EngineSupervisor(by_name["dora"], lambda: None)
    asyncio.run(supervisor.open())
    [status] = supervisor.statuses
    assert not status.ready
    assert str(status.reason).startswith("left out: needs ")


def test_an_exact_precision_takes_what_its_share_leaves_for_a_cache(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are twice as large as those that the cache was planned beside."""
    [_, _, whole] = placed(weights, Device(False, 80 * GIB), tmp_path, monkeypatch)
    fast, exact = (opener.args[4] for opener in whole.openers if isinstance(opener, partial))
    assert fast.share == exact.share
    assert fast.cache_bytes
    assert exact.cache_bytes is None


@pytest.mark.parametrize("knows", [True, False])
@pytest.mark.parametrize(("pattern", "field"), [("rank_pattern", "r"), ("alpha_pattern", "lora_alpha")])
def test_an_adapter_with_ranks_of_its_own_is_merged_where_vllm_would_scale_it_wrongly(
    knows: bool, pattern: str, field: str, weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patterned = shutil.copytree(weights.folders["lora"], tmp_path / "patterned")
    config = json.loads((patterned / "adapter_config.json").read_text())
    (patterned / "adapter_config.json").write_text(json.dumps(config | {pattern: {"q_proj": config[field]}}))
    only = replace(weights, members=[tuned("lora")], folders={"lora": patterned})
    [spec] = placed(only, Device(False, 80 * GIB, rank_patterns=knows), tmp_path / "cache", monkeypatch)
    assert dict(spec.adapters) == {"lora": "lora" if knows else None}


def test_a_merged_checkpoint_is_as_large_as_what_was_planned_for_it(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(weights, Device(False, 80 * GIB), tmp_path, monkeypatch)
    [merged] = (folder for folder in (tmp_path / "merged").iterdir() if folder.is_dir())
    assert weight_bytes(merged, "bfloat16") == weight_bytes(weights.base, "bfloat16")


def test_memory_that_file_caches_hold_counts_as_available(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       24000000 kB\nMemFree:          600000 kB\nMemAvailable:   20000000 kB\n")
    assert available_memory(meminfo) == 20_000_000 * 1024
    assert available_memory(tmp_path / "none") > 0


def test_a_cpu_without_a_compiler_or_headers_is_refused_before_vllm_starts_and_dies(tmp_path: Path) -> None:
    compiler = tmp_path / "clang++"
    for environment in ({"PATH": str(tmp_path)}, {"PATH": str(tmp_path), "CXX": "clang++"}):
        with pytest.raises(EngineError, match=r"needs a C\+\+ compiler on a CPU; found no "):
            require_compiler(environment)
    compiler.touch(mode=0o755)
    with pytest.raises(
        EngineError, match=r"needs Python's headers on a CPU; found no .*Python\.h; expected them there"
    ):
        require_compiler({"PATH": str(tmp_path), "CXX": "clang++"}, tmp_path)
    (tmp_path / "Python.h").touch()
    require_compiler({"PATH": str(tmp_path), "CXX": "clang++"}, tmp_path)
