"""Parity at the door: what vLLM would compute wrongly, planted on purpose, is not served, and the status says why.

One engine holds the adapters of the starter ensemble as they are, and copies of them with a fault each.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from engine_contract import check_closing
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.errors import EngineError
from agents.core.manifest import Manifest, Member
from agents.engines.vllm.engine import VllmEngine
from agents.engines.vllm.options import VllmOptions
from agents.ensemble.golden_probes import MemberStatus, check_member
from agents.ensemble.loading import find_ensemble
from agents.ensemble.manifest_file import read_manifest
from agents.ensemble.merged import merged_checkpoint
from agents.ensemble.placement import EngineSpec
from agents.ensemble.supervisor import EngineSupervisor

pytestmark = [
    pytest.mark.model,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"),
]
OPTIONS = VllmOptions(max_model_len=1024, max_num_seqs=8)
STARTER = find_ensemble("starter")


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_manifest(STARTER)


def member(manifest: Manifest, name: str) -> Member:
    """With two of its probes: under an adapter a CPU takes seconds for each."""
    found = next(member for member in manifest.members if member.name == name)
    return found.model_copy(update={"probes": found.probes[:2]})


def folder(manifest: Manifest, name: str) -> Path:
    return STARTER / str(member(manifest, name).path)


@pytest.fixture(scope="module")
def engine(
    default_checkpoint: Path, manifest: Manifest, loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VllmEngine]:
    place = tmp_path_factory.mktemp("adapters")
    louder = shutil.copytree(folder(manifest, "lora"), place / "louder")
    config = json.loads((louder / "adapter_config.json").read_text())
    (louder / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": config["lora_alpha"] * 2}))
    foreign = write_tiny_adapter(place / "foreign", write_tiny_checkpoint(place / "tiny"))
    adapters = {
        "lora": folder(manifest, "lora"),
        "rslora": folder(manifest, "rslora"),
        "louder": louder,
        "foreign": foreign,
    }
    engine = VllmEngine.load(default_checkpoint, adapters, dtype="float32", options=OPTIONS)
    yield engine
    loop.run(engine.close())


def check(loop: asyncio.Runner, member: Member, engine: VllmEngine, adapter: str | None) -> MemberStatus:
    return loop.run(check_member(member, engine, adapter))


@pytest.mark.parametrize("name", ["lora", "rslora"])
def test_sound_adapters_pass(name: str, engine: VllmEngine, manifest: Manifest, loop: asyncio.Runner) -> None:
    status = check(loop, member(manifest, name), engine, name)
    assert status.ready, status
    assert status.difference_nats is not None
    assert status.difference_nats < 1e-3


def test_a_wrong_alpha_is_caught(engine: VllmEngine, manifest: Manifest, loop: asyncio.Runner) -> None:
    status = check(loop, member(manifest, "lora"), engine, "louder")
    assert not status.ready
    assert "differs from its golden probes by" in str(status.reason)


def test_swapped_adapters_are_caught(engine: VllmEngine, manifest: Manifest, loop: asyncio.Runner) -> None:
    assert not check(loop, member(manifest, "lora"), engine, "rslora").ready
    assert not check(loop, member(manifest, "rslora"), engine, "lora").ready


def test_an_adapter_of_another_base_is_caught(engine: VllmEngine, manifest: Manifest, loop: asyncio.Runner) -> None:
    status = check(loop, member(manifest, "lora"), engine, "foreign")
    assert not status.ready
    assert status.reason


def test_the_bare_model_beside_adapters_is_refused_on_a_cpu(
    engine: VllmEngine, manifest: Manifest, loop: asyncio.Runner
) -> None:
    """There it would be computed with the last adapter of its batch, and a probe that runs alone would not show it."""
    if not engine.on_cpu:
        pytest.skip("a trap of the CPU back end")
    status = check(loop, member(manifest, "base-cloze-per-byte"), engine, None)
    assert not status.ready
    assert "own engine" in str(status.reason)


def test_a_closed_engine_says_so(engine: VllmEngine, loop: asyncio.Runner) -> None:
    loop.run(check_closing(engine))


def test_a_truncated_checkpoint_is_not_served(
    default_checkpoint: Path, manifest: Manifest, loop: asyncio.Runner, tmp_path: Path
) -> None:
    dora = member(manifest, "dora")
    merged = merged_checkpoint(
        default_checkpoint, manifest.base.sha256, folder(manifest, "dora"), str(dora.sha256), root=tmp_path
    )
    weights = merged / "model.safetensors"
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)
    start = partial(asyncio.to_thread, VllmEngine.load, merged, dtype="float32", options=OPTIONS)
    spec = EngineSpec("dora", [dora], {"dora": None}, [start])
    with pytest.raises(EngineError, match=r"vLLM did not start on .*dora"):
        loop.run(EngineSupervisor(spec, lambda: None).open())
