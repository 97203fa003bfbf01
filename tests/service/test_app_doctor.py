"""This project's own service, examined by `aiac doctor` over a real socket: its A-agent's side has nothing to fix."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import dataclass

import pytest
from service_fakes import FakeEngine, ensemble_on, loads

from agents.core.edition import load_edition
from agents.core.schema import Question
from service.app import create_app
from service.server import base_url, reserve_port, run_server
from service.settings import load_settings
from tournament.doctor.finding import Examination, Finding
from tournament.doctor.service import service_findings


@dataclass
class CountingEngine(FakeEngine):
    """Sure of one letter more with every question, so that no letter is its favourite."""

    async def next_token_logprobs(self, prompt, candidates, adapter=None):
        text = self.tokenizer.decode(prompt)
        number = int(re.findall(r"number (\d+)", text)[-1])
        self.knows = f"choice {number % 4} of {number}"
        return await super().next_token_logprobs(prompt, candidates, adapter)


def samples(number: int) -> list[dict]:
    return [
        Question(f"Which is number {i}?", tuple(f"choice {j} of {i}" for j in range(4)), "Syllogisms", i % 4).canonical(
            "So."
        )
        for i in range(number)
    ]


@pytest.mark.anyio
async def test_the_a_agents_side_of_this_service_has_nothing_to_fix() -> None:
    ready = asyncio.Event()
    settings = load_settings(port=0, grace_seconds=10)
    reserved = reserve_port("127.0.0.1", 0)
    url = base_url("127.0.0.1", reserved.getsockname()[1])
    app = create_app(settings, loads(ensemble_on(CountingEngine())))
    server = asyncio.create_task(run_server(app, settings, reserved, ready.set))
    await ready.wait()
    examination = Examination(
        load_edition("feb2026_iitd"), lambda text: len(text.split()), "words", samples(20), [1, 2, 20]
    )
    findings: list[Finding] = await asyncio.to_thread(lambda: list(service_findings(url, examination)))
    signal.raise_signal(signal.SIGTERM)
    await server
    about_answers = {finding.check: finding for finding in findings if "uestion" not in finding.check}
    assert {finding.verdict for finding in about_answers.values()} == {"ok"}
    assert about_answers["letters said"].found == "A 5, B 5, C 5, D 5; 20 of 20 right"
    assert "malformed input" in about_answers
    alias = next(finding for finding in findings if finding.check == "POST /answer_question")
    shapes = next(finding for finding in findings if finding.check == "shapes of a question")
    assert (alias.verdict, shapes.verdict) == ("ok", "ok")
