"""The benchmark of model questions: its counts by gate."""

from __future__ import annotations

import asyncio

import pytest
from agent_fakes import Scribe, answerer_on, letter_member, manifest_of

from agents.asking.writing_prompt import question_text
from agents.core.edition import load_edition
from agents.core.schema import Question
from agents.ensemble.loading import LoadedEnsemble
from agents.ensemble.supervisor import EngineSupervisor
from benchmarks.model_questions import EDITION, measure

SKY = Question("Which colour is the sky at noon?", ("Blue", "Red", "Green", "Black"), key=0)
EXPLANATION = "Air scatters blue light the most."


def test_every_draft_goes_through_the_gates_of_the_service_and_is_counted_by_them() -> None:
    long = question_text(Question("Why? " * 90, SKY.choices, key=0), EXPLANATION)
    keyless = '{"question": "Which colour is the sky?", "choices": ["Blue", "Red", "Green", "Grey"]}'
    french = question_text(Question("Quelle couleur le ciel a-t-il?", SKY.choices, key=0), EXPLANATION)
    bare = question_text(SKY, "Light.")
    wrong = question_text(Question(SKY.text, SKY.choices, key=3), EXPLANATION)
    right = question_text(SKY, EXPLANATION)
    engine = Scribe(knows={"m": "Blue"}, drafts=("{", keyless, long, french, bare, wrong, right, right))
    member = letter_member("m", orders=None)
    answerer = answerer_on(engine, member)
    ensemble = LoadedEnsemble(manifest_of(member), answerer, [EngineSupervisor.running(engine, answerer.voters)])
    found = asyncio.run(measure(ensemble, 8, 0, load_edition(EDITION)))
    assert [(row["gate"], row["entered"], row["reasons"]) for row in found["gates"]] == [
        ("propose", 8, {}),
        ("parse", 8, {"no key": 1, "not JSON": 1}),
        ("format", 6, {"the organisers' filter": 1}),
        ("English and content", 5, {"not English": 1}),
        ("length", 4, {"explanation too short or too long": 1}),
        ("duplicates", 3, {"similar text": 1}),
        ("key", 2, {"the ensemble picks another choice": 1}),
        ("pool", 1, {}),
    ]
    assert (found["pick_is_key"]["count"], found["pick_is_key"]["rows"]) == (1, 2)
    assert found["letters_named_as_key"] == {"A": 1, "B": 0, "C": 0, "D": 1}
    assert [row["question"] for row in found["passed"]] == [SKY.text]
    assert found["passed"][0]["least_probability_of_key"] == pytest.approx(0.7)
