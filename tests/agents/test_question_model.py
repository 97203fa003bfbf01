"""QAgent under the organisers' calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from agent_fakes import Scribe, answerer_on, letter_member, manifest_of
from organisers_prompts import EXAMPLE, generation_prompt, repair_prompt
from question_fakes import BEES, FAMILY_TREE, SEATING, FakeProposer

from agents.asking.draft_sources import DraftSources
from agents.asking.pool.store import QuestionStore
from agents.asking.proposal import DraftSource
from agents.asking.questioner import Questioner
from agents.asking.writing_prompt import question_text
from agents.core.edition import load_edition
from agents.core.rules import filter_questions
from agents.core.schema import Question, read_question
from agents.core.token_estimate import estimate_tokens
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.question_source import LazyModel
from agents.ensemble.supervisor import EngineSupervisor
from agents.question_model import NOTHING, QAgent, with_key_at

ROOT = Path(__file__).resolve().parents[2]
OCTOBER = load_edition("oct2025_aiac")


@pytest.fixture
def agent(tmp_path):
    agent = QAgent("oct2025_aiac", tmp_path / "pool.sqlite", model_name="Qwen", device_map="auto")
    yield agent
    agent.close()


def test_a_list_of_prompts_gets_a_list_of_json_texts_with_the_key_where_it_is_demanded(agent):
    prompts = [generation_prompt(letter=letter) for letter in "ABCD"]
    prompts.append(generation_prompt("Logical Reasoning/Syllogisms", "B", [EXAMPLE]))
    texts, tokens, seconds = agent.generate_response(prompts, "You are a question setter", max_new_tokens=1024)
    rows = [json.loads(text) for text in texts]
    assert [row["answer"] for row in rows] == ["A", "B", "C", "D", "B"]
    assert [row["topic"] for row in rows] == [SEATING] * 4 + ["Syllogisms"]
    assert len({row["question"] for row in rows}) == 5
    assert filter_questions(rows, estimate_tokens, OCTOBER) == rows
    assert (tokens, seconds) == (None, None)


def test_a_list_of_one_is_answered_by_a_list_of_one_and_a_string_by_a_string(agent):
    texts, _, _ = agent.generate_response([generation_prompt()], tgps_show=False)
    assert isinstance(texts, list)
    assert len(texts) == 1
    text, tokens, seconds = agent.generate_response(generation_prompt(), tgps_show=True)
    assert json.loads(text)["answer"] == "C"
    assert tokens == len(agent.tokenizer.encode(text, add_special_tokens=False))
    assert seconds > 0


def test_an_empty_list_is_answered_by_an_empty_list(agent):
    assert agent.generate_response([]) == ([], None, None)


def test_a_question_to_be_repaired_comes_back_in_the_canonical_form(agent):
    text, _, _ = agent.generate_response(repair_prompt(f"Here: {json.dumps({**BEES, 'topic': 'Bees'})} Enjoy!"))
    assert json.loads(text) == {**BEES, "topic": "Bees"}


def test_what_cannot_be_repaired_becomes_a_new_question_on_its_topic(agent):
    broken = f'{{"topic": "{FAMILY_TREE}", "question": "cut of'
    text, _, _ = agent.generate_response(repair_prompt(broken))
    assert json.loads(text)["topic"] == FAMILY_TREE


def test_any_other_prompt_and_a_topic_that_no_puzzle_covers_get_a_question_of_the_edition(agent, caplog):
    for prompt in ("Hello", generation_prompt("Maths/Quadratic Equations")):
        row = json.loads(agent.generate_response(prompt)[0])
        assert row["topic"] in (SEATING, FAMILY_TREE)
    assert "Quadratic Equations" in caplog.text


def model_that_writes(*drafts: str) -> tuple[LazyModel, Scribe]:
    """A model whose ensemble picks honey, and its engine."""
    engine, member = Scribe(knows={"m": "Honey"}, drafts=drafts), letter_member("m")

    async def open_ensemble() -> LoadedEnsemble:
        answerer = answerer_on(engine, member)
        return LoadedEnsemble(manifest_of(member), answerer, [EngineSupervisor.running(engine, answerer.voters)])

    return LazyModel(open_ensemble, OCTOBER), engine


def test_a_model_writes_on_the_topic_that_no_puzzle_covers_and_on_no_other(tmp_path):
    model, engine = model_that_writes(question_text(read_question(BEES), BEES["explanation"]))
    agent = QAgent("oct2025_aiac", tmp_path / "pool.sqlite", model=model)
    texts, _, _ = agent.generate_response([generation_prompt("Zoology/Insects", "C"), generation_prompt()])
    insects, seating = map(json.loads, texts)
    assert (insects["topic"], insects["question"], insects["answer"]) == ("Insects", BEES["question"], "C")
    assert insects["choices"][2] == "C) Honey"
    assert seating["topic"] == SEATING
    assert engine.written == 1
    agent.close()
    assert engine.closed


def test_where_the_model_fails_a_question_on_another_topic_stands_in(tmp_path, caplog):
    model, _ = model_that_writes()
    agent = QAgent("oct2025_aiac", tmp_path / "pool.sqlite", model=model)
    row = json.loads(agent.generate_response(generation_prompt("Zoology/Insects"))[0])
    agent.close()
    assert row["topic"] in (SEATING, FAMILY_TREE)
    assert "another topic is asked about: out of memory" in caplog.text
    assert filter_questions([row], estimate_tokens, OCTOBER) == [row]


def test_the_model_that_the_environment_asks_for_is_opened_at_once(tmp_path):
    variables = {"AIAC_QUESTION_MODEL": "true", "AIAC_ENSEMBLE": "nowhere", "AIAC_QUESTION_POOL": str(tmp_path / "q")}
    code = "from agents.question_model import QAgent; QAgent()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True
    )
    assert "ManifestError: ensemble: found 'nowhere'" in done.stderr


def test_nothing_is_asked_twice_even_by_another_agent_on_the_same_pool(tmp_path):
    questions = []
    for _ in range(2):
        agent = QAgent("oct2025_aiac", tmp_path / "pool.sqlite")
        texts, _, _ = agent.generate_response([generation_prompt()] * 8)
        questions += [json.loads(text)["question"] for text in texts]
        agent.close()
    assert len(set(questions)) == 16


def test_where_no_question_passes_the_gates_the_text_is_json_that_their_filter_drops(caplog):
    solver = DraftSource(FakeProposer(lambda call: "garbage", name="solver"), [])
    agent = QAgent("oct2025_aiac", questioner=Questioner(OCTOBER, QuestionStore(None), DraftSources(solver)))
    text, _, _ = agent.generate_response(generation_prompt())
    assert text == NOTHING
    assert filter_questions([text], estimate_tokens, OCTOBER) == []
    assert "the gates refused" in caplog.text
    agent.close()


@pytest.mark.parametrize("place", range(4))
def test_the_key_and_what_stood_there_change_places(place):
    question = Question("Who?", ("w", "x", "y", "z"), key=1)
    moved = with_key_at(question, place)
    assert moved.key == place
    assert moved.choices[place] == "x"
    assert sum(a != b for a, b in zip(moved.choices, question.choices, strict=True)) == (0 if place == 1 else 2)
