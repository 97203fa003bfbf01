"""Whatever the organisers' filter lets through gets one letter of A to D, in every path: equal choices and worse."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from agent_fakes import ScriptedEngine, answerer_on, letter_member, manifest_of
from hostile_rows import EDITION, count_tokens, playable_rows, shape_rows
from service_fakes import loads

from agents.answer_model import AAgent
from agents.answering.answerer import Answerer
from agents.answering.question_file import answer_rows
from agents.answering.voter import Voter
from agents.core.manifest import Member
from agents.core.prompts import PromptRenderer
from agents.core.rules import broken_answer_rule
from agents.core.schema import Question, read_questions
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.supervisor import EngineSupervisor, MemberStatus
from service.app import create_app
from service.settings import load_settings

GENERATED = playable_rows(500)
SHAPES = shape_rows()
MEMBERS = [
    letter_member("letter", orders=2, weight=0.4),
    Member(name="cloze", method="cloze_per_byte", weight=0.3),
    Member(name="pmi", method="cloze_pmi", weight=0.3),
]
RAVI = {
    "topic": "Family tree",
    "question": "Who is the uncle of Mina?",
    "choices": ["A) Ravi", "B) Ravi", "C) Sunil", "D) Asha"],
    "answer": "A",
}


def ensemble() -> LoadedEnsemble:
    engine = ScriptedEngine(knows={"letter": "Ravi"})
    renderer = PromptRenderer(engine.tokenizer)
    voters = [Voter(member, engine, renderer, member.name) for member in MEMBERS]
    statuses = [MemberStatus(member.name, True, 0.0) for member in MEMBERS]
    manifest = manifest_of(*MEMBERS)
    return LoadedEnsemble(manifest, Answerer(manifest, voters), [EngineSupervisor.running(engine, voters, statuses)])


def check(answer: dict[str, Any] | None) -> str:
    assert answer is not None
    assert answer["answer"] in ("A", "B", "C", "D")
    assert broken_answer_rule(answer, count_tokens, EDITION) is None
    return str(answer["answer"])


def test_the_generated_rows_are_what_they_are_meant_to_be() -> None:
    kinds: Counter[str] = Counter()
    for made in GENERATED:
        [question] = read_questions([made])
        assert isinstance(question, Question)
        kinds["repeats"] += len(set(question.choices)) < 4
        kinds["all equal"] += len(set(question.choices)) == 1
        kinds["empty question"] += not question.text
        kinds["bare label"] += any(len(choice) <= 3 and choice[:1].upper() in "ABCD" for choice in question.choices)
        kinds["long"] += any(len(text) > 4_000 for text in (question.text, *question.choices))
        kinds["control"] += any(not text.isprintable() for text in (question.text, *question.choices))
    assert all(count >= 3 for count in kinds.values()), kinds


def test_a_file_of_them_is_answered_whole() -> None:
    rows = read_questions([*GENERATED, *SHAPES])
    found = asyncio.run(asyncio.wait_for(answer_rows(ensemble().answerer, rows, EDITION, batch_size=5), 60))
    letters = [check(answer) for answer in found.answers()]
    assert len(letters) == 500 + len(SHAPES)
    assert all(any(report.vote for report in result.members) for result in found.results)  # type: ignore[union-attr]


def test_over_http_each_gets_a_letter() -> None:
    async def work() -> None:
        loaded = ensemble()
        app = create_app(load_settings(), loads(loaded))
        await app.state.service.load(loads(loaded))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for made in [*GENERATED[:100], *SHAPES, RAVI]:
                response = await client.post("/answer", json=made)
                assert response.status_code == 200, (made, response.text)
                check(response.json())
            batch = (await client.post("/answers", json=GENERATED)).json()
            assert batch["errors"] == []
            for answer in batch["answers"]:
                check(answer)
            body = (await client.post("/answer", json=RAVI, params={"detail": "true"})).json()
        shares = body["probabilities"]
        assert list(shares) == ["A", "B", "C", "D"]
        assert shares["A"] == shares["B"] > 0
        assert sum(shares.values()) == pytest.approx(1)
        assert body["answer"] == max(shares, key=lambda letter: shares[letter])

    asyncio.run(asyncio.wait_for(work(), 60))


@pytest.fixture(scope="module")
def agent() -> Iterator[AAgent]:
    agent = AAgent(edition=EDITION.id, loaded=ensemble())
    yield agent
    agent.close()


def prompt(made: dict[str, Any]) -> str:
    """As the organisers' answer agent writes it."""
    return (
        "INSTRUCTIONS FOR ANSWERING THE QUESTION:\n1. Read it.\n\nNow answer the following question:\n"
        f"Question: {made['question']}\nChoices: {' '.join(made['choices'])}\n\n"
        'RESPONSE FORMAT: a JSON object\n{"answer": "One of the letters A, B, C, D", "reasoning": "..."}'
    )


def test_their_agent_gets_json_for_each(agent: AAgent) -> None:
    prompts = [prompt(made) for made in [*GENERATED, *SHAPES] if isinstance(made["choices"], list)]
    texts, _, _ = agent.generate_response(prompts)
    assert len(texts) == len(prompts)
    for text in texts:
        check(json.loads(text))
    text, _, _ = agent.generate_response(prompt(RAVI))
    assert check(json.loads(text)) != "B"


@pytest.mark.parametrize("choices", [["x", "x"], ["x"] * 10, ["", "", ""]])
def test_where_all_choices_are_equal_it_is_the_first(choices: list[str]) -> None:
    rows = read_questions([{"question": "Which?", "choices": choices}])
    found = asyncio.run(answer_rows(ensemble().answerer, rows, EDITION))
    assert [answer and answer["answer"] for answer in found.answers()] == ["A"]


def test_members_are_asked_about_each_choice_once() -> None:
    engine = ScriptedEngine(knows={"one": "Ravi"})
    rows = read_questions([RAVI])
    found = asyncio.run(answer_rows(answerer_on(engine, letter_member("one", orders=None)), rows, EDITION))
    assert len(engine.calls) == 3
    assert all(text.count("Ravi") == 1 for _, text in engine.calls)
    assert found.results[0].probabilities == pytest.approx([0.35, 0.35, 0.15, 0.15])  # type: ignore[union-attr]
