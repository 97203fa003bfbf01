"""Faults planted in real checkpoints and adapters are caught in both precisions, and healthy members pass.

A tiny random model here; ``test_parity_smollm2`` does the same with the starter ensemble.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import write_tiny_adapter, write_tiny_checkpoint

from agents.core.manifest import Base, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.torch.engine import TransformersEngine
from agents.ensemble.golden_probes import MemberStatus, alternatives_of, check_member
from training.release.golden_probes import record_probes
from training.release.probe_questions import PROBE_QUESTIONS
from training.support.plain_model import plain_model

PRECISIONS = ("float32", "bfloat16")
METHODS = ("letter", "cloze")


class Bench:
    """A base, two adapters on it, and what an export records of them by each method."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = write_tiny_checkpoint(folder / "base")
        self.adapters = {
            name: write_tiny_adapter(folder / name, self.base, seed=seed) for name, seed in (("one", 1), ("two", 2))
        }
        renderer = PromptRenderer(ChatTokenizer(self.base))
        self.members: dict[tuple[str, str], Member] = {}
        for name in ("base", "one", "two"):
            model = plain_model(self.base, self.adapters.get(name))
            for method in METHODS:
                self.members[name, method] = Member(
                    name=f"{name}-{method}",
                    method=method,
                    orders=1 if method == "letter" else None,
                    weight=1,
                    probes=record_probes(model, renderer, method, PROBE_QUESTIONS),
                )
        base = Base(model="tiny", sha256="0" * 64)
        self.alternatives = alternatives_of(Manifest(name="tiny", base=base, members=list(self.members.values())))

    def check(
        self, name: str, method: str, dtype: str, checkpoint: Path | None = None, adapter: Path | None = None
    ) -> MemberStatus:
        """Replay the member's probes on an engine of this checkpoint and adapter, by default its base without one."""
        adapters = {} if adapter is None else {"served": adapter}
        engine = TransformersEngine.load(checkpoint or self.base, adapters, dtype=dtype)

        async def run() -> MemberStatus:
            try:
                served = None if adapter is None else "served"
                return await check_member(self.members[name, method], engine, served, self.alternatives)
            finally:
                await engine.close()

        return asyncio.run(run())

    def with_alpha(self, name: str, factor: float) -> Path:
        return self._changed(self.adapters[name], f"alpha-{factor}", "adapter_config.json", scale_alpha(factor))

    def with_config(self, change: Callable[[dict[str, Any]], None], name: str) -> Path:
        return self._changed(self.base, name, "config.json", change)

    def _changed(self, source: Path, name: str, file: str, change: Callable[[dict[str, Any]], None]) -> Path:
        copy = self.folder / f"{source.name}-{name}"
        if not copy.exists():
            shutil.copytree(source, copy)
            payload = json.loads((copy / file).read_text())
            change(payload)
            (copy / file).write_text(json.dumps(payload))
        return copy


def scale_alpha(factor: float) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update(lora_alpha=config["lora_alpha"] * factor)


def drop_layer(config: dict[str, Any]) -> None:
    config["num_hidden_layers"] -= 1
    config.pop("layer_types", None)


def other_rope(config: dict[str, Any]) -> None:
    """Ten times off, as where a library reads no rope_theta and takes its own default."""
    config["rope_theta"] = 1000.0
    config["rope_parameters"] = {"rope_theta": 1000.0, "rope_type": "default"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield Bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_healthy_members_pass(bench: Bench, method: str, dtype: str) -> None:
    statuses = [bench.check(name, method, dtype, adapter=bench.adapters.get(name)) for name in ("base", "one", "two")]
    assert [(status.ready, status.reason) for status in statuses] == [(True, None)] * 3


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [0.5, 1.5, 2.0])
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_an_alpha_wrong_by_half_is_caught(bench: Bench, method: str, dtype: str, factor: float) -> None:
    status = bench.check("one", method, dtype, adapter=bench.with_alpha("one", factor))
    assert status.refused, status


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_an_alpha_wrong_by_a_tenth_is_caught_in_float32(bench: Bench, method: str, factor: float) -> None:
    status = bench.check("one", method, "float32", adapter=bench.with_alpha("one", factor))
    assert status.refused, status


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_another_adapter_or_none_is_caught(bench: Bench, method: str, dtype: str) -> None:
    assert bench.check("one", method, dtype, adapter=bench.adapters["two"]).refused
    assert bench.check("one", method, dtype).refused
    assert bench.check("base", method, dtype, adapter=bench.adapters["one"]).refused


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("change", [drop_layer, other_rope])
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_base_that_is_computed_wrongly_is_caught(
    bench: Bench, method: str, dtype: str, change: Callable[[dict[str, Any]], None]
) -> None:
    wrong = bench.with_config(change, change.__name__)
    assert bench.check("base", method, dtype, wrong).refused
    if change is other_rope:
        assert bench.check("one", method, dtype, wrong, bench.adapters["one"]).refused


@pytest.mark.parametrize("method", METHODS)
def test_batch_shapes_and_cached_prefixes_do_not_matter_in_bfloat16(bench: Bench, method: str) -> None:
    """Each check of the same engine meets another cache; members beside it, other batches."""
    adapters = bench.adapters
    engine = TransformersEngine.load(bench.base, adapters, dtype="bfloat16")

    async def run() -> list[MemberStatus]:
        statuses = []
        try:
            for turn in range(25):
                members = [("base", None), ("one", "one"), ("two", "two")][: 1 + turn % 3]
                checks = [
                    check_member(
                        bench.members[name, method].model_copy(
                            update={"probes": bench.members[name, method].probes[:: (-1) ** turn]}
                        ),
                        engine,
                        adapter,
                        bench.alternatives,
                    )
                    for name, adapter in members
                ]
                statuses += await asyncio.gather(*checks)
        finally:
            await engine.close()
        return statuses

    statuses = asyncio.run(run())
    assert engine.counters.reused_tokens > 0
    assert [status for status in statuses if not status.ready] == []
    assert len(statuses) == 49
