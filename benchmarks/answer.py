"""Speed of an answer beside the engine, plain `generate`, and cloze from scratch.

python -m benchmarks.answer prints JSON. All ways run in one process on one model. Every question is new, so no cache
helps beyond the template's own tokens, which every request of a service shares.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from agents.answering.answerer import Answerer
from agents.answering.voter import Voter
from agents.core.manifest import Base, Manifest, Member
from agents.core.permutation import cyclic_orders
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question
from agents.core.scoring import Method
from agents.engines.torch.engine import TransformersEngine
from agents.ensemble.base_model import find_or_pull
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.supervisor import EngineSupervisor
from benchmarks.command_line import argument_parser, at_least, note, print_report
from benchmarks.in_process import BusyClock, TimedEngine, require_agreement, served, service_added_ms
from benchmarks.load import Ask, closed_loop
from benchmarks.reporting import Aims, check_aims, environment
from benchmarks.sample_questions import questions
from training.support.plain_model import plain_model
from training.support.statistics import percentiles

MIN_QUESTIONS = 4

AIMS: Aims = {
    "service_added_ms_p50": ("below", 3.0),
    "letter_over_plain_generate_1_client": ("at least", 2.0),
    "letter_over_plain_generate_32_clients": ("at least", 3.0),
    "cloze_shared_over_scratch": ("at least", 2.0),
}


class KeptOpen(TimedEngine):
    """A timed engine that several servers use in turn: the benchmark closes it."""

    async def close(self) -> None:
        return None


def ensemble_of(method: Method, engine: Any, model: str) -> tuple[LoadedEnsemble, Voter]:
    """An ensemble of one member, asked in one order."""
    member = Member(name=method, method=method, orders=1 if method == "letter" else None, weight=1.0)
    voter = Voter(member, engine, PromptRenderer(engine.tokenizer))
    manifest = Manifest(name=f"bench-{method}", base=Base(model=model, sha256="0" * 64), members=[member])
    return LoadedEnsemble(manifest, Answerer(manifest, [voter]), [EngineSupervisor.running(engine, [voter])]), voter


def plain_generate(model: Any, renderer: PromptRenderer, tokenizer: Any) -> Ask:
    """One request at a time: four greedy tokens on the letter prompt, and a letter parsed out of them."""
    import torch

    turn = asyncio.Lock()

    def answer(question: Question) -> str | None:
        prompt = torch.tensor([renderer.letter(question, cyclic_orders(4)[0]).token_ids])
        with torch.inference_mode():
            output = model.generate(prompt, max_new_tokens=4, do_sample=False)
        found = re.search("[ABCD]", tokenizer.decode(output[0, prompt.shape[1] :].tolist()))
        return found.group() if found else None

    async def ask(question: Question) -> None:
        async with turn:
            await asyncio.to_thread(answer, question)

    return ask


def from_scratch(model: Any, prompt: Sequence[int], continuation: Sequence[int]) -> list[float]:
    """One forward pass over the whole prompt for one choice; logits only where they are read."""
    import torch

    with torch.inference_mode():
        ids = torch.tensor([[*prompt, *continuation[:-1]]])
        table = model(ids, logits_to_keep=len(continuation)).logits[0].float().log_softmax(-1)
        values: list[float] = table.gather(1, torch.tensor(continuation)[:, None])[:, 0].tolist()
        return values


async def cloze_against_scratch(engine: Any, model: Any, todo: Sequence[Question]) -> dict[str, float]:
    """Time the shared prefix, and a whole forward pass a choice, question by question in turn."""
    renderer = PromptRenderer(engine.tokenizer)
    shared_s = scratch_s = difference = 0.0
    for question in todo:
        prompt = renderer.cloze(question)
        started = time.perf_counter()
        found = await engine.continuation_logprobs(prompt.token_ids, prompt.continuations)
        middle = time.perf_counter()
        expected = [from_scratch(model, prompt.token_ids, tokens) for tokens in prompt.continuations]
        scratch_s += time.perf_counter() - middle
        shared_s += middle - started
        difference = max(difference, require_agreement("the two ways", chain(*expected), chain(*found)))
    return {"shared_s": shared_s, "scratch_s": scratch_s, "max_difference_nats": difference}


async def measure(model_name: str, count: int, clients: Sequence[int], seed: int) -> dict[str, Any]:
    checkpoint = find_or_pull(model_name)
    clock = BusyClock()
    engine = KeptOpen(TransformersEngine.load(checkpoint, dtype="float32"), clock)
    model = plain_model(checkpoint)
    fresh: Iterator[Question] = questions(seed)
    runs: dict[str, list[dict[str, Any]]] = {}
    added: list[float] = []
    for method in ("letter", "cloze"):
        ensemble, voter = ensemble_of(method, engine, model_name)
        await closed_loop(voter.complete_vote, list(islice(fresh, 8)), 8)
        runs[f"{method}_service"], runs[f"{method}_engine"] = [], []
        async with served(ensemble) as ask:
            added += await service_added_ms(ask, clock, list(islice(fresh, count // 2 + 1)))
            for n in clients:
                note(f"{method}, {n} clients")
                todo = max(count, n)
                runs[f"{method}_service"].append(await closed_loop(ask, list(islice(fresh, todo)), n))
                runs[f"{method}_engine"].append(await closed_loop(voter.complete_vote, list(islice(fresh, todo)), n))
    plain = plain_generate(model, PromptRenderer(engine.tokenizer), engine.tokenizer)
    await plain(next(fresh))
    note("plain generate")
    # It answers one at a time whatever the number of clients, so fewer questions are enough for its throughput.
    runs["plain_generate"] = [await closed_loop(plain, list(islice(fresh, max(count // 2, n))), n) for n in clients]
    note("cloze from scratch")
    cloze = await cloze_against_scratch(engine, model, list(islice(fresh, count // 2)))
    await engine.engine.close()
    rate = {name: {run["clients"]: run["questions_per_s"] for run in several} for name, several in runs.items()}
    measured = {"service_added_ms_p50": percentiles(added)["p50"]}
    measured["cloze_shared_over_scratch"] = cloze["scratch_s"] / cloze["shared_s"]
    for n in clients:
        ratio = rate["letter_service"][n] / rate["plain_generate"][n]
        measured[f"letter_over_plain_generate_{n}_client{'s' if n > 1 else ''}"] = ratio
    return {
        "model": model_name,
        "dtype": "float32",
        "seed": seed,
        **environment(),
        "service_added_ms": {"requests": len(added), **percentiles(added)},
        "cloze": {"questions": count // 2, **cloze},
        "runs": runs,
        "ratios": measured,
        "aims": check_aims(measured, AIMS),
    }


def main() -> None:
    parser = argument_parser("answer", __doc__)
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--questions", type=at_least(int, MIN_QUESTIONS), default=48, help="of each measurement")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    report = asyncio.run(measure(options.model, options.questions, (1, 8, 32), options.seed))
    print_report(report)


if __name__ == "__main__":
    main()
