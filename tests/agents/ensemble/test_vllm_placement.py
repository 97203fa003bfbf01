"""Members over vLLM engines: what shares one, what is merged, how memory is split, and when it does not fit."""

from __future__ import annotations

import json
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
from agents.ensemble.vllm_placement import (
    LEAST_CACHE_BYTES,
    OVERHEAD_BYTES,
    Device,
    available_memory,
    memory_shares,
    place_on_vllm,
    weight_bytes,
)

GIB = 1 << 30
TINY_PARAMETERS = 44448
"""By hand: 259 tokens x 32 twice, 3 layers of 32 x (32 + 16 + 16 + 32) + 3 x 32 x 64 + 2 x 32, a norm of 32."""


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
    return place_on_vllm(VllmOptions(), dtype, device=lambda: device)(weights)


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
    with pytest.raises(InputError, match=r"weights of base .* dora .* whole "):
        placed(weights, Device(on_cpu, 2 * GIB), tmp_path, monkeypatch)
    assert list(tmp_path.iterdir()) == []


def test_a_merged_checkpoint_is_as_large_as_what_was_planned_for_it(
    weights: EnsembleWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(weights, Device(False, 80 * GIB), tmp_path, monkeypatch)
    [merged] = (folder for folder in (tmp_path / "merged").iterdir() if folder.is_dir())
    assert weight_bytes(merged, "bfloat16") == weight_bytes(weights.base, "bfloat16")


def test_weights_are_counted_in_the_precision_they_are_loaded_in(weights: EnsembleWeights) -> None:
    assert weight_bytes(weights.base, "float32") == 4 * TINY_PARAMETERS
    assert weight_bytes(weights.base, "bfloat16") == 2 * TINY_PARAMETERS


class Sized:
    """A group as the planner sees it: a name and a checkpoint of so many gigabytes in bfloat16."""

    def __init__(self, folder: Path, name: str, gigabytes: float) -> None:
        self.name = name
        self.checkpoint = folder / name
        self.checkpoint.mkdir()
        count = round(gigabytes * 1e9 / 2)
        header = json.dumps({"w": {"dtype": "BF16", "shape": [count], "data_offsets": [0, 2 * count]}}).encode()
        header += b" " * (-len(header) % 8)
        with (self.checkpoint / "model.safetensors").open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + 2 * count)


def test_a_gpu_is_split_by_size_up_to_what_may_be_used(tmp_path: Path) -> None:
    device = Device(False, 192 * GIB)
    small, large = Sized(tmp_path, "small", 10), Sized(tmp_path, "large", 30)
    shares = memory_shares([small, large], "bfloat16", VllmOptions(), device)  # type: ignore[list-item]
    assert sum(filter(None, shares)) == pytest.approx(0.9)
    # What each has beyond its weights and the fixed needs is as 1 to 3.
    spare = [
        (share or 0) * device.memory_bytes - size * 1e9 - OVERHEAD_BYTES - LEAST_CACHE_BYTES
        for share, size in zip(shares, (10, 30), strict=True)
    ]
    assert spare[1] / spare[0] == pytest.approx(3)


def test_three_merged_72b_members_do_not_fit_one_gpu_and_the_refusal_does_the_sum(tmp_path: Path) -> None:
    groups = [Sized(tmp_path, f"merged{i}", 145.4) for i in range(3)]
    with pytest.raises(InputError) as caught:
        memory_shares(groups, "bfloat16", VllmOptions(), Device(False, 192 * 10**9))  # type: ignore[arg-type]
    assert caught.value.field == "ensemble"
    assert "merged0 145.4 GB + merged1 145.4 GB + merged2 145.4 GB in bfloat16" in caught.value.found
    assert "442.6 GB in all" in caught.value.found
    assert "at most 172.8 GB of a GPU's memory" in caught.value.expected


def test_weights_split_over_gpus_count_their_part(tmp_path: Path) -> None:
    groups = [Sized(tmp_path, f"merged{i}", 145.4) for i in range(3)]
    options = VllmOptions(tensor_parallel_size=4)
    shares = memory_shares(groups, "bfloat16", options, Device(False, 192 * 10**9))  # type: ignore[arg-type]
    assert sum(filter(None, shares)) == pytest.approx(0.9)


def test_a_machine_without_a_gpu_needs_room_for_every_cache(tmp_path: Path) -> None:
    groups = [Sized(tmp_path, "one", 1)]
    assert memory_shares(groups, "float32", VllmOptions(), Device(True, 5 * GIB)) == [None]  # type: ignore[arg-type]
    with pytest.raises(InputError, match="of free memory"):
        memory_shares(groups, "float32", VllmOptions(cpu_cache_gib=4), Device(True, 5 * GIB))  # type: ignore[arg-type]


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
