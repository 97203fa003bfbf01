"""Hostile input: how much was tried, how much of it held, and the time of the slowest.

python -m benchmarks.hostile prints JSON. An input held when an answer or one clear sentence came within 5 s, from a
service within the edition's limit: no traceback, no hang, no 5xx. Tried are generated questions (read, filtered and
answered by a scripted engine), proofs, settings of adapters, manifests, and bodies over a real service. ``--quick``
tries a tenth.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from agents.answering.answerer import Answerer
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.edition import DEFAULT_EDITION, load_edition
from agents.core.errors import AiacError
from agents.core.manifest import Base, Manifest, Member
from agents.core.prompts import PromptRenderer
from agents.core.rules import broken_question_rule
from agents.core.schema import Question, read_questions
from agents.core.token_estimate import estimate_tokens
from agents.core.tokenizer import NO_THINKING, TemplateArguments
from agents.engines.adapter_config import ADAPTER_CONFIG, read_adapter_config, require_quick_patterns
from agents.engines.protocol import Generation
from agents.ensemble.manifest_file import read_manifest
from benchmarks.command_line import argument_parser, at_least, print_report, run_with_servers
from benchmarks.hostile_inputs import changed, http_bodies, question_rows
from benchmarks.reporting import Aims, check_aims
from benchmarks.serve_processes import serving
from puzzles import FAMILIES, PuzzleError, generate
from puzzles.checking import ProofChecker

LIMIT_S = 5.0
"""The longest that one input may take."""
SHOWN = 5
AIMS: Aims = {"not_held": ("at most", 0)}
SENTENCE_CHARS = 4000


class HangError(BaseException):
    """Raised in the middle of work that takes longer than ``LIMIT_S``. No handler of the work catches it."""


@dataclass
class HeldCount:
    """What became of the inputs of one kind, each of which may take ``limit_s``."""

    limit_s: float = LIMIT_S
    tried: int = 0
    held: int = 0
    slowest_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, seconds: float, fault: str | None) -> None:
        """Count one input; ``fault`` says what went wrong."""
        if fault is None and seconds > self.limit_s:
            fault = f"{seconds:.1f} s"
        self.tried += 1
        self.held += fault is None
        self.slowest_s = max(self.slowest_s, seconds)
        if fault is not None and len(self.failures) < SHOWN:
            self.failures.append(f"{name}: {fault}")

    def try_each(self, inputs: Iterable[tuple[str, Callable[[], str | None]]]) -> HeldCount:
        """Run every work, which returns what is wrong with its result. An AiacError of one line is no fault."""
        for name, work in inputs:
            started = time.monotonic()
            try:
                with bounded():
                    fault = work()
            except AiacError as error:
                fault = None if _is_sentence(str(error)) else f"an error of {len(str(error)):,} characters"
            except HangError:
                fault = f"no end within {LIMIT_S:g} s"
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"[:200]
            self.add(name, time.monotonic() - started, fault)
        return self

    def to_json(self) -> dict[str, Any]:
        found = {"tried": self.tried, "held": self.held, "slowest_s": round(self.slowest_s, 3)}
        return {**found, "failures": self.failures}


@contextmanager
def bounded() -> Iterator[None]:
    """Raise HangError in the block after ``LIMIT_S``."""

    def hang(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_sentence(text: str) -> bool:
    return bool(text.strip()) and len(text.splitlines()) == 1 and len(text) <= SENTENCE_CHARS and text.isprintable()


class ByteTokenizer:
    """A token a byte."""

    def encode_text(self, text: str) -> list[int]:
        return list(text.encode())

    encode_markup = encode_text

    def decode(self, token_ids: Sequence[int]) -> str:
        return bytes(token_ids).decode(errors="replace")

    def render_chat(self, messages: Sequence[dict[str, str]], arguments: TemplateArguments = NO_THINKING) -> str:
        return "".join(f"<{message['role']}>{message['content']}\n" for message in messages)


class EvenEngine:
    """An engine to which everything is equally likely, at once."""

    tokenizer, dtype, max_tokens = ByteTokenizer(), "float32", 4096

    async def next_token_logprobs(
        self, prompt: Sequence[int], candidates: Sequence[int], adapter: str | None = None
    ) -> list[float]:
        return [-1.0] * len(candidates)

    async def continuation_logprobs(
        self, prompt: Sequence[int], continuations: Sequence[Sequence[int]], adapter: str | None = None
    ) -> list[list[float]]:
        return [[-1.0] * len(each) for each in continuations]

    async def generate(self, prompt: Sequence[int], **_: Any) -> Generation:
        return Generation((), "stop")

    async def check_health(self) -> None:
        return None

    async def close(self) -> None:
        return None


def try_questions(count: int, seed: int) -> HeldCount:
    """Answer rows as a file of questions is: what the organisers' filter lets through gets a letter."""
    edition = load_edition(DEFAULT_EDITION)
    members = [Member(name="letter", method="letter", weight=0.5), Member(name="cloze", method="cloze", weight=0.5)]
    manifest = Manifest(name="even", base=Base(model="even", sha256="0" * 64), members=members)
    engine = EvenEngine()
    renderer = PromptRenderer(engine.tokenizer, engine.max_tokens)
    answerer = Answerer(manifest, [Voter(member, engine, renderer) for member in members])

    def answered(row: Any) -> str | None:
        playable = broken_question_rule(row, estimate_tokens, edition) is None
        [read] = read_questions([row])
        if not isinstance(read, Question):
            return f"playable and unanswered: {read.reason}" if playable else None
        result = asyncio.run(answerer.answer(read, Deadline.after(LIMIT_S)))
        return None if result.answer.letter in "ABCDEFGHIJ"[: len(read.choices)] else result.answer.letter

    rows = question_rows(count, seed)
    return HeldCount().try_each((f"row {i}", partial(answered, row)) for i, row in enumerate(rows))


def try_proofs(count: int, seed: int) -> HeldCount:
    """Check changed proofs of every family in the referee's process; none proves another text, or holds it up."""
    rng = random.Random(f"{seed}/proofs")
    families = sorted(FAMILIES)
    puzzles = {family: generate(family, "easy", seed).to_json() for family in families}

    def checked(checker: ProofChecker, proof: Any) -> str | None:
        if not isinstance(proof, dict):
            return None
        try:
            checker.proved_key(proof, proof.get("question"), proof.get("choices"))  # type: ignore[arg-type]
        except (PuzzleError, TypeError):
            return None
        return None

    proofs = [(family, changed(puzzles[family], rng)) for family in (families * count)[:count]]
    with ProofChecker() as checker:
        return HeldCount().try_each(
            (f"{family} {i}", partial(checked, checker, proof)) for i, (family, proof) in enumerate(proofs)
        )


def try_adapters(count: int, seed: int, folder: Path) -> HeldCount:
    """Read changed settings of an adapter, some with patterns that run away."""
    rng = random.Random(f"{seed}/adapters")
    honest = {
        "peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], "rank_pattern": {"a": 2},
        "base_model_name_or_path": "base", "use_dora": False, "bias": "none", "modules_to_save": None,
    }  # fmt: skip
    names = [f"model.layers.{i}.self_attn.q_proj" for i in range(30)] + ["a" * 50 + "!"]

    def read(settings: Any) -> None:
        (folder / ADAPTER_CONFIG).write_text(json.dumps(settings))
        read_adapter_config(folder)
        require_quick_patterns(folder, names, seconds=1.0)

    inputs = [changed(honest, rng) for _ in range(count)]
    inputs += [{**honest, "target_modules": pattern} for pattern in (r"(a+)+$", r"(a|aa)+$", "(", ".*q_proj")]
    return HeldCount().try_each((f"adapter {i}", partial(read, each)) for i, each in enumerate(inputs))


def try_manifests(count: int, seed: int, folder: Path) -> HeldCount:
    """Read changed manifests."""
    rng = random.Random(f"{seed}/manifests")
    members = [Member(name="plain", method="cloze", weight=1.0)]
    honest = Manifest(name="tiny", base=Base(model="base", sha256="0" * 64), members=members).model_dump()
    file = folder / "ensemble.json"

    def read(payload: Any) -> None:
        file.write_text(json.dumps(payload))
        read_manifest(file)

    inputs = [changed(honest, rng) for _ in range(count)]
    return HeldCount().try_each((f"manifest {i}", partial(read, each)) for i, each in enumerate(inputs))


async def try_bodies(count: int, seed: int, ensemble: str) -> dict[str, Any]:
    """Send bodies to a real service: every one gets a status below 500 and JSON, within an answer's time."""
    edition = load_edition(DEFAULT_EDITION)
    tally = HeldCount(max(edition.answer_seconds, edition.question_seconds))
    async with serving(ensemble, "transformers") as service, httpx.AsyncClient(base_url=service.url) as client:
        for number, (path, body) in enumerate(http_bodies(count, seed)):
            started = time.monotonic()
            fault = None
            try:
                headers = {"Content-Type": "application/json"}
                reply = await client.post(path, content=body, headers=headers, timeout=4 * tally.limit_s)
                reply.json()
                if reply.status_code >= 500:
                    fault = f"status {reply.status_code}"
            except (httpx.HTTPError, ValueError) as error:
                fault = f"{type(error).__name__}: {error}"
            tally.add(f"body {number} to {path}", time.monotonic() - started, fault)
    return tally.to_json()


def measure(count: int, seed: int, ensemble: str) -> dict[str, Any]:
    """Try ``count`` inputs of each kind."""
    with tempfile.TemporaryDirectory() as name:
        kinds = {
            "questions": try_questions(count, seed).to_json(),
            "proofs": try_proofs(count, seed).to_json(),
            "adapters": try_adapters(count, seed, Path(name)).to_json(),
            "manifests": try_manifests(count, seed, Path(name)).to_json(),
            "bodies": run_with_servers(try_bodies(count, seed, ensemble)),
        }
    not_held = sum(kind["tried"] - kind["held"] for kind in kinds.values())
    return {"seed": seed, "kinds": kinds, "aims": check_aims({"not_held": not_held}, AIMS)}


def main(arguments: list[str] | None = None) -> None:
    """Print the report."""
    parser = argument_parser("hostile", __doc__)
    parser.add_argument("--inputs", type=at_least(int, 1), default=500, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ensemble", default="default", help="what the service serves")
    parser.add_argument("--quick", action="store_true", help="a tenth of the inputs")
    options = parser.parse_args(arguments)
    count = max(options.inputs // 10, 1) if options.quick else options.inputs
    print_report(measure(count, options.seed, options.ensemble))


if __name__ == "__main__":
    main()
