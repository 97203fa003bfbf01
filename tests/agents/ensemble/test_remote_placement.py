"""An ensemble on remote servers: members found by name, each server checked against the probes before it serves one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_fakes import CAPITAL, SHA
from openai_server import OpenAIServer
from tiny_checkpoint import write_tiny_checkpoint

from agents.core.deadline import Deadline
from agents.core.errors import InputError
from agents.core.manifest import Base, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.core.tokenizer import Tokenizer
from agents.engines.remote.options import RemoteOptions
from agents.engines.tokenizer import ChatTokenizer
from agents.engines.torch.engine import TransformersEngine
from agents.ensemble.loading import LoadedEnsemble, load_ensemble
from agents.ensemble.manifest_file import read_manifest, write_manifest
from agents.ensemble.placement import EnsembleWeights
from agents.ensemble.remote_placement import place_on_servers
from agents.models.checkpoint import checkpoint_sha256
from training.release.golden_probes import record_probes
from training.support.plain_model import plain_model

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("right"))


@pytest.fixture(scope="module")
def engines(right: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TransformersEngine]]:
    """One on the ensemble's weights, one on others."""
    wrong = write_tiny_checkpoint(tmp_path_factory.mktemp("wrong"), seed=3)
    engines = [TransformersEngine.load(folder, dtype="float32") for folder in (right, wrong)]
    yield engines
    for engine in engines:
        asyncio.run(engine.close())


@pytest.fixture
def ensemble(right: Path, tmp_path: Path) -> Path:
    tokenizer: Tokenizer = ChatTokenizer(right)
    probes = record_probes(plain_model(right), PromptRenderer(tokenizer), "cloze", [CAPITAL])
    member = Member(name="plain", method="cloze", weight=1.0, probes=probes)
    base = Base(model="tiny", sha256=checkpoint_sha256(right))
    write_manifest(Manifest(name="far", base=base, members=[member]), tmp_path)
    return tmp_path


async def load(ensemble: Path, right: Path, *servers: OpenAIServer) -> LoadedEnsemble:
    options = RemoteOptions(urls=", ".join(server.url for server in servers), startup_timeout_seconds=0)
    return await load_ensemble(ensemble, lambda name: right, place_on_servers(options, "float32"))


async def test_members_are_found_at_the_servers_and_answer(
    ensemble: Path, right: Path, engines: list[TransformersEngine]
) -> None:
    async with OpenAIServer(engines[0], {"tiny": None}) as server:
        loaded = await load(ensemble, right, server)
        assert [status.ready for status in loaded.statuses] == [True]
        verdict = await loaded.answerer.answer(CAPITAL, Deadline.after(60))
        assert not verdict.degraded
        await loaded.close()


async def test_a_server_with_other_weights_is_asked_its_probes_and_nothing_else(
    ensemble: Path, right: Path, engines: list[TransformersEngine]
) -> None:
    async with OpenAIServer(engines[0], {"tiny": None}) as good, OpenAIServer(engines[1], {"tiny": None}) as bad:
        loaded = await load(ensemble, right, good, bad)
        assert [status.ready for status in loaded.statuses] == [True]
        probing = len(bad.requests)
        for _ in range(4):
            assert not (await loaded.answerer.answer(CAPITAL, Deadline.after(60))).degraded
        assert probing == len(bad.requests) == len(CAPITAL.choices)
        await loaded.close()


async def test_the_base_is_probed_while_the_adapters_of_the_ensemble_are_busy(
    ensemble: Path, right: Path, engines: list[TransformersEngine]
) -> None:
    plain, *_ = read_manifest(ensemble).members
    tuned = Member(name="tuned", method="cloze", weight=1, kind="adapter", path="tuned", sha256=SHA)
    async with OpenAIServer(engines[0], {"tiny": None, "tuned": None}, {"tuned": "tiny"}) as server:
        options = RemoteOptions(urls=server.url, startup_timeout_seconds=0)
        base, _ = place_on_servers(options, "float32")(
            EnsembleWeights("tiny", right, SHA, [plain, tuned], {"tuned": right})
        )
        [open_base] = base.openers
        engine = await open_base()
        await engine.close()
    assert {request["model"] for request in server.requests if "ignore_eos" in request} == {"tuned"}


async def test_no_address_is_a_sentence(right: Path) -> None:
    with pytest.raises(InputError, match="AIAC_REMOTE_URLS: found no address"):
        place_on_servers(RemoteOptions())(EnsembleWeights("tiny", right, SHA, [], {}))


def test_each_name_has_an_engine_of_its_own_and_the_base_one_for_all_its_members(right: Path) -> None:
    members = [
        Member(name="a", method="letter", weight=1),
        Member(name="b", method="cloze", weight=1),
        Member(name="tuned", method="cloze", weight=1, kind="adapter", path="tuned", sha256=SHA),
    ]
    specs = place_on_servers(RemoteOptions(urls="http://one http://two"))(
        EnsembleWeights("tiny", right, SHA, members, {"tuned": right})
    )
    assert [(spec.name, dict(spec.adapters)) for spec in specs] == [
        ("tiny", {"a": None, "b": None}),
        ("tuned", {"tuned": "tuned"}),
    ]
