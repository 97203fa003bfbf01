"""An answer is never late and never malformed, whatever the members do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from agent_fakes import CAPITAL, ScriptedEngine, answerer_on, letter_member, manifest_of
from polling import until
from simulation import QueueEngine, measured_costs, run_virtual

from agents.answering.answerer import Answerer, AnswerResult, MemberReport
from agents.answering.cost import CostModel, size_of
from agents.answering.voter import Voter
from agents.core.deadline import Deadline
from agents.core.manifest import Member
from agents.core.prompts import PromptRenderer
from agents.core.schema import Question, read_question
from agents.ensemble.loading import TIMED, WARM_UP

T = TypeVar("T")
SHORT_S = 0.1
GUARD_S = 10


def run(work: Coroutine[Any, Any, T]) -> T:
    async def guarded() -> T:
        return await asyncio.wait_for(work, GUARD_S)

    return asyncio.run(guarded())


def answer(answerer: Answerer, question: Question = CAPITAL, deadline: Deadline | None = None) -> AnswerResult:
    return run(answerer.answer(question, deadline or Deadline.never()))


def report_of(verdict: AnswerResult, name: str) -> MemberReport:
    return next(report for report in verdict.members if report.name == name)


def test_a_full_answer_is_the_pool_of_all_members() -> None:
    engine = ScriptedEngine(knows={"one": "Paris", "two": "Rome"})
    verdict = answer(answerer_on(engine, letter_member("one", weight=0.75), letter_member("two", weight=0.25)))
    assert verdict.answer.letter == "B"
    assert verdict.probabilities == pytest.approx([0.1, 0.75 * 0.7 + 0.25 * 0.1, 0.75 * 0.1 + 0.25 * 0.7, 0.1])
    assert not verdict.degraded
    assert [report.name for report in verdict.members if report.complete] == ["one", "two"]
    assert verdict.answer.reasoning == ("Pooled probabilities: A 10%, B 55%, C 25%, D 10%. 1 of 2 members chose B.")
    assert verdict.elapsed_ms > 0


def test_a_member_that_is_late_is_left_out_and_its_work_stopped() -> None:
    engine = ScriptedEngine(knows={"quick": "Madrid"}, hanging={"slow"})
    answerer = answerer_on(engine, letter_member("quick", weight=0.1), letter_member("slow", weight=0.9))

    async def work() -> AnswerResult:
        verdict = await answerer.answer(CAPITAL, Deadline.after(SHORT_S))
        await engine.cancellation("slow").wait()
        return verdict

    verdict = run(work())
    assert verdict.answer.letter == "D"
    assert verdict.probabilities == pytest.approx([0.1, 0.1, 0.1, 0.7])
    assert verdict.degraded
    assert report_of(verdict, "slow") == MemberReport("slow", None, "late")
    assert report_of(verdict, "quick").complete
    assert verdict.answer.reasoning.endswith("1 of 2 members did not finish.")
    assert engine.running == 0


@pytest.mark.parametrize("seconds", [0.0, SHORT_S])
def test_with_no_vote_in_time_the_answer_is_the_likeliest_key(seconds: float) -> None:
    verdict = answer(
        answerer_on(ScriptedEngine(hanging={"slow"}), letter_member("slow")), deadline=Deadline.after(seconds)
    )
    assert verdict.answer.letter == "C"
    assert verdict.probabilities == [0.2, 0.2, 0.4, 0.2]
    assert verdict.degraded
    assert verdict.members == [MemberReport("slow", None, "late")]
    assert verdict.answer.reasoning.startswith("No member of the ensemble finished in time; C is")


def test_without_a_recorded_prior_the_answer_is_still_a_letter_of_the_question() -> None:
    pair = Question("Yes or no?", ("Yes", "No"))
    verdict = answer(answerer_on(ScriptedEngine(failing={"one"}), letter_member("one")), pair)
    assert (verdict.answer.letter, verdict.probabilities) == ("A", [0.5, 0.5])


def test_an_engine_error_leaves_one_member_out() -> None:
    engine = ScriptedEngine(knows={"sound": "Paris"}, failing={"broken"})
    verdict = answer(answerer_on(engine, letter_member("sound", weight=0.2), letter_member("broken", weight=0.8)))
    assert verdict.answer.letter == "B"
    assert verdict.probabilities == pytest.approx([0.1, 0.7, 0.1, 0.1])
    assert verdict.degraded
    assert report_of(verdict, "broken") == MemberReport("broken", None, "out of memory")


def test_a_fault_of_another_kind_leaves_one_member_out_too() -> None:
    engine = ScriptedEngine(knows={"sound": "Paris"}, failing={"broken"}, error=ZeroDivisionError("secret"))
    verdict = answer(answerer_on(engine, letter_member("sound"), letter_member("broken")))
    assert verdict.answer.letter == "B"
    assert report_of(verdict, "broken") == MemberReport("broken", None, "unexpected ZeroDivisionError")


def test_a_member_that_computes_nan_is_left_out() -> None:
    engine = ScriptedEngine(knows={"sound": "Paris"}, logprob=float("nan"))
    verdict = answer(answerer_on(engine, letter_member("sound"), letter_member("broken")))
    assert verdict.answer.letter == "B"
    assert verdict.probabilities == pytest.approx([0.1, 0.7, 0.1, 0.1])
    assert report_of(verdict, "broken").error == "member broken gave a distribution that is not finite"


def test_an_explanation_does_not_reach_the_members() -> None:
    raw = {"question": CAPITAL.text, "choices": list(CAPITAL.choices)}
    leaking = {**raw, "answer": "D", "explanation": "It is Madrid, D.", "reasoning": "D"}
    seen = []
    for row in (raw, leaking):
        engine = ScriptedEngine(knows={"one": "Paris"})
        verdict = answer(answerer_on(engine, letter_member("one", orders=None)), read_question(row))
        seen.append((verdict.answer, verdict.probabilities, engine.calls))
    assert seen[0] == seen[1]
    assert seen[0][0].letter == "B"


def test_members_of_no_weight_are_not_run() -> None:
    engine = ScriptedEngine(knows={"voting": "Paris"}, hanging={"measured"})
    answerer = answerer_on(engine, letter_member("voting"), letter_member("measured", weight=0))
    verdict = answer(answerer)
    assert {adapter for adapter, _ in engine.calls} == {"voting"}
    assert [report.name for report in verdict.members] == ["voting"]
    assert [voter.member.name for voter in answerer.voters] == ["voting"]
    assert not verdict.degraded


def test_the_orders_that_are_there_at_the_deadline_count() -> None:
    # Of London, Paris, Rome, Madrid in two rotations the second one starts with Rome.
    engine = ScriptedEngine(knows={"one": "Paris"}, hanging_first={"Rome"})
    verdict = answer(answerer_on(engine, letter_member("one", orders=2)), deadline=Deadline.after(SHORT_S))
    vote = report_of(verdict, "one").vote
    assert vote is not None
    assert (vote.steps_done, vote.steps_total, vote.complete) == (1, 2, False)
    assert verdict.answer.letter == "B"
    assert verdict.probabilities == pytest.approx([0.1, 0.7, 0.1, 0.1])
    assert verdict.degraded


def test_a_later_order_counts_while_an_earlier_one_is_late() -> None:
    engine = ScriptedEngine(knows={"one": "Paris"}, hanging_first={"London"})
    verdict = answer(answerer_on(engine, letter_member("one", orders=2)), deadline=Deadline.after(SHORT_S))
    vote = report_of(verdict, "one").vote
    assert vote is not None
    assert vote.steps_done == 1


def test_the_choice_known_wins_wherever_it_stands() -> None:
    for place in range(4):
        choices = [name for name in CAPITAL.choices if name != "Paris"]
        choices.insert(place, "Paris")
        engine = ScriptedEngine(knows={"one": "Paris"})
        verdict = answer(answerer_on(engine, letter_member("one", orders=None)), Question("Which?", tuple(choices)))
        assert verdict.answer.letter == "ABCD"[place]
        assert len(engine.calls) == 4


@pytest.mark.parametrize(("method", "calls"), [("cloze", 1), ("cloze_per_byte", 1), ("cloze_pmi", 2)])
def test_cloze_members_vote_by_the_text_of_the_choices(method: Any, calls: int) -> None:
    engine = ScriptedEngine(knows={"one": "Rome"})
    verdict = answer(answerer_on(engine, Member(name="one", method=method, weight=1)))
    assert len(engine.calls) == calls
    assert not any(choice in text for _, text in engine.calls for choice in CAPITAL.choices)
    assert not verdict.degraded
    if method != "cloze_pmi":  # The fake knows the text without the question too, so that nothing is left of it.
        assert verdict.answer.letter == "C"


def test_cancelling_an_answer_stops_the_members() -> None:
    engine = ScriptedEngine(hanging={"slow"})
    answerer = answerer_on(engine, letter_member("slow"))

    async def work() -> None:
        answering = asyncio.create_task(answerer.answer(CAPITAL, Deadline.never()))
        await engine.entered.wait()
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        await engine.cancellation("slow").wait()

    run(work())
    assert engine.running == 0


def test_a_reasoning_stays_under_a_hundred_words_for_a_large_ensemble() -> None:
    ten = Question("Which?", tuple(f"choice number {i}" for i in range(10)))
    members = [letter_member(f"m{i}") for i in range(30)]
    verdict = answer(answerer_on(ScriptedEngine(), *members), ten)
    assert 0 < len(verdict.answer.reasoning.split()) < 100


def voters_on(engine: ScriptedEngine, *members: Member) -> list[Voter]:
    renderer = PromptRenderer(engine.tokenizer)
    return [Voter(member, engine, renderer, member.name) for member in members]


def measured(engine: ScriptedEngine, step_s: float, *members: Member) -> CostModel:
    return measured_costs({member.name: engine for member in members}, size_of(CAPITAL), step_s)


def test_where_not_all_orders_fit_fewer_are_asked_for() -> None:
    engine = ScriptedEngine(knows={"one": "Paris"})
    member = letter_member("one", orders=4)
    answerer = Answerer(manifest_of(member), voters_on(engine, member), measured(engine, 1.0, member))
    verdict = answer(answerer, deadline=Deadline.after(3.5))
    vote = report_of(verdict, "one").vote
    assert vote is not None
    assert (len(engine.calls), vote.steps_done, vote.steps_total) == (2, 2, 4)
    assert (verdict.rung, dict(verdict.planned), verdict.degraded) == ("fewer orders", {"one": 2}, True)
    assert verdict.answer.letter == "B"


def test_a_member_for_which_there_is_no_time_is_not_asked_and_the_answer_says_so() -> None:
    engine = ScriptedEngine(knows={"heavy": "Paris"})
    members = [letter_member("heavy", weight=0.7), letter_member("light", weight=0.3)]
    answerer = Answerer(manifest_of(*members), voters_on(engine, *members), measured(engine, 1.0, *members))
    verdict = answer(answerer, deadline=Deadline.after(2.0))
    assert [adapter for adapter, _ in engine.calls] == ["heavy"]
    assert report_of(verdict, "light") == MemberReport("light", None, "left out: not enough time")
    assert (verdict.answer.letter, verdict.rung, verdict.degraded) == ("B", "fewer members", True)
    assert verdict.answer.reasoning.endswith("1 of 1 members chose B. 1 of 2 members could not be asked.")


def test_a_member_of_the_manifest_that_has_no_voter_is_missing_from_the_answer() -> None:
    engine = ScriptedEngine(knows={"served": "Paris"})
    members = [letter_member("down"), letter_member("served"), letter_member("measured", weight=0)]
    verdict = answer(Answerer(manifest_of(*members), voters_on(engine, members[1])))
    assert [report.name for report in verdict.members] == ["down", "served"]
    assert report_of(verdict, "down") == MemberReport("down", None, "not served now")
    assert (verdict.answer.letter, verdict.rung, verdict.degraded) == ("B", "full", True)


def test_without_any_voter_the_answer_is_the_likeliest_key() -> None:
    verdict = answer(Answerer(manifest_of(letter_member("down")), []))
    assert (verdict.answer.letter, verdict.degraded, verdict.rung) == ("C", True, "nothing")


def test_an_answer_in_flight_keeps_the_voters_it_began_with() -> None:
    dying, fresh = ScriptedEngine(hanging={"one"}), ScriptedEngine(knows={"one": "Rome"})
    member = letter_member("one")
    answerer = Answerer(manifest_of(member), voters_on(dying, member))

    async def work() -> tuple[AnswerResult, AnswerResult]:
        before = asyncio.create_task(answerer.answer(CAPITAL, Deadline.after(SHORT_S)))
        await dying.entered.wait()
        answerer.set_voters(voters_on(fresh, member))
        return await answerer.answer(CAPITAL, Deadline.never()), await before

    after, before = run(work())
    assert (after.answer.letter, after.degraded) == ("C", False)
    assert report_of(before, "one") == MemberReport("one", None, "late")
    assert len(dying.calls) == len(fresh.calls) == 1


def test_nothing_stays_queued_after_an_answer_however_it_ends() -> None:
    engine = ScriptedEngine(hanging={"slow"}, failing={"broken"})
    members = [letter_member("slow", orders=3), letter_member("broken"), letter_member("sound")]
    costs = CostModel()
    answerer = Answerer(manifest_of(*members), voters_on(engine, *members), costs)
    queue = costs.queue(engine)

    async def work() -> None:
        cancelled_before_it_began = asyncio.create_task(answerer.answer(CAPITAL, Deadline.never()))
        await asyncio.sleep(0)
        assert queue.outstanding == 5
        cancelled_before_it_began.cancel()
        await asyncio.wait([cancelled_before_it_began])
        await answerer.answer(CAPITAL, Deadline.after(SHORT_S))
        await until(lambda: queue.outstanding == 0)

    run(work())
    assert engine.running == 0
    assert answerer.wait_s() == 0


async def burst(count: int, members: int, step_s: float) -> list[AnswerResult]:
    """What ``count`` questions at once get of an engine right after the warm-up, 5.5 s each."""
    loop = asyncio.get_running_loop()
    engine = QueueEngine(step_s)
    named = [letter_member(f"m{i}", weight=1 / members) for i in range(members)]
    renderer = PromptRenderer(engine.tokenizer)
    voters = [Voter(member, engine, renderer, member.name) for member in named]
    answerer = Answerer(manifest_of(*named), voters, CostModel(loop.time))
    await answerer.answer(WARM_UP, Deadline(float("inf"), loop.time))
    answerer.forget_costs()
    await asyncio.gather(*(answerer.answer(question, Deadline(float("inf"), loop.time)) for question in TIMED))
    deadline = Deadline(loop.time() + 5.5, loop.time)
    verdicts = await asyncio.gather(*(answerer.answer(TIMED[0], deadline) for _ in range(count)))
    assert loop.time() <= deadline.at_s
    assert answerer.wait_s() == 0
    return verdicts


@pytest.mark.parametrize("members", [1, 3])
def test_a_burst_after_the_warm_up_is_answered_by_a_member_each(members: int) -> None:
    verdicts = run_virtual(burst(20, members, 0.25))
    assert all(any(report.vote for report in verdict.members) for verdict in verdicts)
    if members > 1:
        spared = [verdict for verdict in verdicts if verdict.rung == "fewer members"]
        assert spared
        assert all(sum(verdict.planned.values()) < members for verdict in spared)


def test_without_need_no_member_is_given_up() -> None:
    verdicts = run_virtual(burst(5, 3, 0.25))
    assert all(verdict.rung == "full" and not verdict.degraded for verdict in verdicts)


def test_equal_choices_share_their_probability_and_the_first_is_given() -> None:
    question = Question("Which?", ("Rome", "Paris", "Rome", "Paris"))
    verdict = answer(answerer_on(ScriptedEngine(knows={"one": "Paris"}), letter_member("one", orders=None)), question)
    assert verdict.answer.letter == "B"
    assert verdict.probabilities == pytest.approx([0.15, 0.35, 0.15, 0.35])
    assert report_of(verdict, "one").complete


@pytest.mark.parametrize("hanging", [set(), {"one"}])
def test_where_all_choices_are_equal_the_first_is_given(hanging: set[str | None]) -> None:
    answerer = answerer_on(ScriptedEngine(hanging=hanging), letter_member("one"))
    verdict = answer(answerer, Question("Which?", ("x",) * 4), Deadline.after(SHORT_S) if hanging else None)
    assert (verdict.answer.letter, verdict.probabilities) == ("A", pytest.approx([0.25] * 4))


@pytest.mark.parametrize("method", ["letter", "cloze", "cloze_per_byte", "cloze_pmi"])
def test_empty_choices_are_the_least_likely_ones(method: Any) -> None:
    engine = ScriptedEngine(knows={"one": "Rome"})
    member = Member(name="one", method=method, weight=1)
    verdict = answer(answerer_on(engine, member), Question("", ("", "Rome", "", "Paris")))
    assert all(0 <= share <= 1 for share in verdict.probabilities)
    if method != "cloze_pmi":
        assert verdict.answer.letter == "B"
