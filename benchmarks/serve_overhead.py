"""Overhead of the service over its engine, and beside a plain `vllm serve`.

All ways do the same work for a question: one engine request a member, for one token and the log-probs of the labels.
So every member is asked for a letter in one order, whatever the manifest says. That is the smallest request to an
engine, and so the overhead is largest beside it.

``engine``    the opened engines called directly, in the benchmark's process
``service``   POST /answer of a server in that process, on those engines; its client's cost counts as its own
``vllm_serve``  POST /v1/completions of one `vllm serve` for each engine, with the engine's own arguments: a request a
              member, three for three

The first two take turns, so that a noisy machine slows both alike. The third is measured after them, since memory does
not hold as many engines again.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import torch

from agents.answering.voter import Voter
from agents.core.permutation import cyclic_orders
from agents.core.prompts import LetterPrompt, PromptRenderer
from agents.core.schema import Question
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.engine_kinds import placement
from agents.ensemble.loading import find_ensemble, load_ensemble
from agents.ensemble.manifest_file import read_manifest, write_manifest
from agents.ensemble.supervisor import EngineSupervisor
from benchmarks.clients import http_client
from benchmarks.command_line import note
from benchmarks.in_process import BusyClock, require_agreement, served, service_added_ms, with_timed_engines
from benchmarks.load import Ask, closed_loop
from benchmarks.vllm_serve import engine_options, vllm_serving
from training.support.statistics import percentiles


@dataclass(frozen=True)
class Scale:
    """Size of a measurement: ``rounds`` of ``questions`` a way by ``clients``, then ``alone`` by a single client."""

    clients: int = 4
    rounds: int = 6
    questions: int = 32
    alone: int = 48


def letters_only(ensemble: str, folder: Path) -> Path:
    """Copy an ensemble to ``folder``, with each member that has a weight asked for a letter in one order."""
    found = find_ensemble(ensemble)
    manifest = read_manifest(found)
    source = found if found.is_dir() else found.parent
    folder.mkdir(parents=True)
    asked = {"method": "letter", "orders": 1, "temperature": 1.0, "prior": {}}
    members = [member.model_copy(update=asked) for member in manifest.members if member.weight > 0]
    for member in members:
        if member.path is not None:
            shutil.copytree(source / member.path, folder / member.path)
    write_manifest(manifest.model_copy(update={"members": members}), folder)
    return folder


async def overhead(ensemble: str, engine: str, scale: Scale, fresh: Iterator[Question]) -> dict[str, Any]:
    """The ratios, and the runs they come from."""
    clock = BusyClock()
    check = next(fresh)
    servers: list[PlainServer] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = await asyncio.to_thread(letters_only, ensemble, Path(folder) / "ensemble")
        place = with_timed_engines(placement(engine), clock)
        loaded = await load_ensemble(copy, find_or_pull, place, lambda stage: note(f"{engine}: {stage}"))
        members = [voter.member.name for voter in loaded.answerer.voters]
        async with served(loaded) as service:
            found = await compare(directly(loaded.answerer.voters), service, clock, scale, fresh)
            if len(loaded.supervisors) == 1 and len(members) > 1:
                found["one_engine"] = await members_cost(loaded.answerer.voters, scale, fresh)
            if engine == "vllm":
                servers = [await plain_server(each, check, len(loaded.supervisors)) for each in loaded.supervisors]
        if servers:
            async with plainly(servers, check) as plain:
                await closed_loop(plain, islice(fresh, scale.clients), scale.clients)
                note("vllm serve")
                run = await closed_loop(plain, islice(fresh, scale.rounds * scale.questions), scale.clients)
                found["runs"]["vllm_serve"] = [run]
                alone = await closed_loop(plain, islice(fresh, scale.alone), 1)
            found["latency_ms_of_one_client"]["vllm_serve"] = alone["latency_ms"]
            found["questions_per_s"]["vllm_serve"] = run["questions_per_s"]
            ratio = found["questions_per_s"]["service"] / run["questions_per_s"]
            found["ratios"]["service_over_vllm_serve_throughput"] = ratio
    return {"engine": engine, "ensemble": ensemble, "members": members, **found}


async def compare(
    engine: Ask, service: Ask, clock: BusyClock, scale: Scale, fresh: Iterator[Question]
) -> dict[str, Any]:
    """Run closed loops of the two in turns, each round starting with the other; then one client of each."""
    ways = {"engine": engine, "service": service}
    runs = await by_turns(ways, scale, fresh)
    note("one client")
    added_ms = await service_added_ms(service, clock, list(islice(fresh, scale.alone + 1)))
    alone = {name: await closed_loop(ask, islice(fresh, scale.alone), 1) for name, ask in ways.items()}
    rate = {name: rate_of(several) for name, several in runs.items()}
    return {
        "clients": scale.clients,
        "engine_requests_a_question": "one a member",
        "questions_per_s": rate,
        "ratios": {"service_over_engine_throughput": rate["service"] / rate["engine"]},
        "ratios_by_round": [
            ours["questions_per_s"] / bare["questions_per_s"]
            for ours, bare in zip(runs["service"], runs["engine"], strict=True)
        ],
        "service_added_ms": {"requests": len(added_ms), **percentiles(added_ms)},
        "latency_ms_of_one_client": {name: run["latency_ms"] for name, run in alone.items()},
        "runs": runs,
    }


async def by_turns(ways: Mapping[str, Ask], scale: Scale, fresh: Iterator[Question]) -> dict[str, list[dict[str, Any]]]:
    """Run closed loops of every way, round by round, each round in the other order, after a warm-up."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for ask in ways.values():
        await closed_loop(ask, islice(fresh, scale.clients), scale.clients)
    for i in range(scale.rounds):
        note(f"round {i + 1} of {scale.rounds}")
        for name in sorted(ways, reverse=bool(i % 2)):
            runs[name].append(await closed_loop(ways[name], islice(fresh, scale.questions), scale.clients))
    return runs


async def members_cost(voters: Sequence[Voter], scale: Scale, fresh: Iterator[Question]) -> dict[str, Any]:
    """Cost of a question to all members of one engine, in units of its cost to the first member alone."""
    note(f"one member, and all {len(voters)}")
    runs = await by_turns({"all": directly(voters), "one": directly(voters[:1])}, scale, fresh)
    rate = {name: rate_of(several) for name, several in runs.items()}
    return {
        "members": len(voters),
        "on_gpu": torch.cuda.is_available(),
        "questions_per_s": rate,
        "all_over_one": rate["one"] / rate["all"],
    }


def rate_of(runs: Sequence[Mapping[str, Any]]) -> float:
    """Questions a second over several closed loops."""
    return float(sum(run["questions"] for run in runs) / sum(run["elapsed_s"] for run in runs))


def directly(voters: Sequence[Voter]) -> Ask:
    """Ask every member for its vote, from its engine."""

    async def ask(question: Question) -> None:
        await asyncio.gather(*(voter.complete_vote(question) for voter in voters))

    return ask


@dataclass(frozen=True)
class PlainServer:
    """A `vllm serve` that replaces an engine: its options, and that engine's log-probs on a question.

    ``expected`` are the labels' log-probs by vLLM's name for the model of a member: an adapter, or the checkpoint.
    """

    checkpoint: Path
    options: Sequence[str]
    renderer: PromptRenderer
    expected: Sequence[tuple[str, list[float]]]


async def plain_server(host: EngineSupervisor, check: Question, servers: int) -> PlainServer:
    """Describe the `vllm serve` that replaces the engine of a host, one of ``servers`` on the same device."""
    from agents.engines.vllm.engine import VllmEngine

    engine: VllmEngine = host.engine.engine  # type: ignore[union-attr]
    order = cyclic_orders(len(check.choices))[0]
    expected = [
        (host.spec.adapters[voter.member.name] or str(engine.checkpoint), await voter.label_logprobs(check, order))
        for voter in host.voters
    ]
    options = engine_options(engine.checkpoint, engine.adapters, dtype=engine.dtype, share=1 / servers)
    options.append("--disable-log-stats")
    return PlainServer(engine.checkpoint, options, PromptRenderer(engine.tokenizer), expected)


@asynccontextmanager
async def plainly(servers: Sequence[PlainServer], check: Question) -> AsyncIterator[Ask]:
    """Start the servers and yield a function that asks every member of its `vllm serve`.

    Raises RuntimeError when the labels' log-probs on ``check`` are not those of the engines.
    """
    members: list[PlainMember] = []
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(http_client(timeout_s=60))
        for server in servers:
            note(f"vllm serve {server.checkpoint}")
            started = await stack.enter_async_context(vllm_serving(server.checkpoint, server.options, http))
            for model, expected in server.expected:
                member = PlainMember(http, f"{started.url}/v1/completions", model, server.renderer)
                require_agreement(f"vllm serve and the engine on {model}", expected, await member.label_logprobs(check))
                members.append(member)

        async def ask(question: Question) -> None:
            await asyncio.gather(*(member.label_logprobs(question) for member in members))

        yield ask


@dataclass(frozen=True)
class PlainMember:
    """A member asked directly of a `vllm serve`."""

    http: httpx.AsyncClient
    url: str
    model: str
    renderer: PromptRenderer

    async def label_logprobs(self, question: Question) -> list[float]:
        prompt = self.renderer.letter(question, cyclic_orders(len(question.choices))[0])
        response = await self.http.post(self.url, json=completion_request(self.model, prompt))
        table = response.raise_for_status().json()["choices"][0]["logprobs"]["top_logprobs"][0]
        return [float(table[f"token_id:{label}"]) for label in prompt.label_ids]


def completion_request(model: str, prompt: LetterPrompt) -> dict[str, Any]:
    """Ask for one token after a prompt, and the log-probs of its labels."""
    return {
        "model": model,
        "prompt": prompt.token_ids,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": len(prompt.label_ids),
        "logprob_token_ids": prompt.label_ids,
        "return_tokens_as_token_ids": True,
    }
