"""What the cost model learns from a queue, under a clock that the test moves."""

from __future__ import annotations

import pytest
from agent_fakes import CAPITAL, ScriptedEngine

from agents.answering.cost import CostModel, EngineQueue, Reservation, size_of
from agents.core.schema import Question

SIZE = 200


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def model(clock: Clock) -> CostModel:
    return CostModel(clock)


@pytest.fixture
def queue(model: CostModel) -> EngineQueue:
    return model.queue(ScriptedEngine())


def compute(
    clock: Clock, reservations: list[Reservation], step_s: float, batch: int = 1, latency_s: float = 0.0
) -> None:
    """All steps of ``reservations``, ``batch`` at a time; a batch takes ``latency_s`` and ``step_s`` a step of it."""
    steps = [reservation for reservation in reservations for _ in range(reservation.steps)]
    while steps:
        done, steps = steps[:batch], steps[batch:]
        clock.now_s += latency_s + step_s * len(done)
        for reservation in done:
            reservation.complete()


def one_by_one(clock: Clock, queue: EngineQueue, step_s: float, times: int, size: int = SIZE) -> None:
    for _ in range(times):
        compute(clock, [queue.reserve("one", size, 1)], step_s)
        clock.now_s += 3.0


def predicted_s(queue: EngineQueue, steps: int, member: str = "one", size: int = SIZE) -> float:
    return queue.ready_s() + steps * queue.step_s(member, size)


def test_what_was_never_measured_is_taken_to_cost_nothing(queue: EngineQueue) -> None:
    queue.reserve("one", SIZE, 5)
    assert (queue.step_s("one", SIZE), queue.wait_s(), predicted_s(queue, 100)) == (0, 0, 0)


def test_the_first_steps_measured_set_the_cost(clock: Clock, queue: EngineQueue) -> None:
    compute(clock, [queue.reserve("one", SIZE, 1)], 0.3)
    assert predicted_s(queue, 1) == pytest.approx(0.3, rel=0.01)


def test_idle_time_between_steps_is_nobodys_cost(clock: Clock, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 0.3, times=20)
    assert predicted_s(queue, 1) == pytest.approx(0.3, rel=0.02)


def test_a_queue_computed_one_by_one_takes_its_length(clock: Clock, queue: EngineQueue) -> None:
    for _ in range(10):
        compute(clock, [queue.reserve("one", SIZE, 4), queue.reserve("two", SIZE, 2)], 0.2)
    waiting = queue.reserve("one", SIZE, 10)
    assert queue.wait_s() == pytest.approx(10 * 0.2, rel=0.1)
    waiting.complete(4)
    assert queue.wait_s() == pytest.approx(6 * 0.2, rel=0.1)


def test_a_members_steps_are_told_from_anothers(clock: Clock, queue: EngineQueue) -> None:
    for _ in range(60):
        compute(clock, [queue.reserve("cheap", SIZE, 2)], 0.1)
        compute(clock, [queue.reserve("dear", SIZE, 2)], 0.4)
        compute(clock, [queue.reserve("cheap", SIZE, 2), queue.reserve("dear", SIZE, 2)], 0.25, batch=4)
    assert queue.step_s("cheap", SIZE) == pytest.approx(0.1, rel=0.25)
    assert queue.step_s("dear", SIZE) == pytest.approx(0.4, rel=0.25)


def test_a_longer_question_costs_more_in_proportion(clock: Clock, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 0.3, times=3)
    assert queue.step_s("one", 3 * SIZE) == pytest.approx(3 * queue.step_s("one", SIZE))
    short, long = Question("Q?", ("a", "b")), Question("Q" * 1000 + "?", ("a", "b"))
    assert size_of(long) - size_of(short) == 999
    assert size_of(CAPITAL) > size_of(short)


def test_an_engine_that_batches_is_not_slow_again_after_a_quiet_hour(clock: Clock, queue: EngineQueue) -> None:
    for _ in range(40):
        compute(clock, [queue.reserve("one", SIZE, 256)], 0.0005, batch=64, latency_s=0.02)
    one_by_one(clock, queue, 0.0205, times=100)
    assert predicted_s(queue, 1) == pytest.approx(0.0205, rel=0.1)
    # 512 steps are 8 batches of 64: 8 * (0.02 + 64 * 0.0005) = 0.416 s; at the rate of the quiet hour, 10 s.
    assert predicted_s(queue, 512) == pytest.approx(0.416, rel=0.4)


def test_one_step_during_which_the_machine_stood_still_does_not_move_it_far(clock: Clock, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 0.2, times=20)
    before = predicted_s(queue, 1)
    one_by_one(clock, queue, 20.0, times=1)
    assert before < predicted_s(queue, 1) < 1.4 * before


def test_a_slow_first_step_is_soon_forgotten(clock: Clock, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 7.0, times=1)
    one_by_one(clock, queue, 0.2, times=12)
    assert predicted_s(queue, 1) == pytest.approx(0.2, rel=0.3)


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_change_of_speed_is_followed(clock: Clock, queue: EngineQueue, factor: float) -> None:
    one_by_one(clock, queue, 0.2, times=50)
    one_by_one(clock, queue, 0.2 * factor, times=12)
    assert predicted_s(queue, 1) == pytest.approx(0.2 * factor, rel=0.1)


def test_an_engine_that_completes_nothing_gets_dearer(clock: Clock, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 0.2, times=10)
    before = predicted_s(queue, 1)
    waiting = queue.reserve("one", SIZE, 3)
    clock.now_s += 5.5
    waiting.release()
    assert predicted_s(queue, 1) > before
    assert queue.outstanding == 0
    for _ in range(20):
        hanging = queue.reserve("one", SIZE, 1)
        clock.now_s += 5.5
        hanging.release()
    assert predicted_s(queue, 1) == pytest.approx(5.5, rel=0.1)


def test_an_engine_that_stops_while_questions_keep_coming_gets_dearer(clock: Clock, queue: EngineQueue) -> None:
    compute(clock, [queue.reserve("one", SIZE, 20)], 0.2)
    last = queue.reserve("one", SIZE, 2)
    clock.now_s += 0.2
    last.complete()
    before = queue.step_s("one", SIZE)
    for _ in range(5):
        following = queue.reserve("one", SIZE, 1)
        clock.now_s += 5.5
        last.release()
        last = following
    assert queue.outstanding == 1
    assert queue.step_s("one", SIZE) > 3 * before


def test_a_step_given_up_behind_a_dear_one_does_not_get_dearer_for_it(clock: Clock, queue: EngineQueue) -> None:
    for _ in range(20):
        compute(clock, [queue.reserve("dear", SIZE, 1)], 2.0)
        compute(clock, [queue.reserve("cheap", SIZE, 1)], 0.1)
    before = queue.step_s("cheap", SIZE)
    queue.reserve("dear", SIZE, 1)
    behind = queue.reserve("cheap", SIZE, 1)
    clock.now_s += 1.5
    behind.release()
    assert queue.step_s("cheap", SIZE) == before


def test_an_engine_that_never_completed_anything_costs_what_was_waited_for_it(clock: Clock, queue: EngineQueue) -> None:
    waiting = queue.reserve("one", SIZE, 1)
    clock.now_s += 5.5
    waiting.release()
    assert queue.step_s("one", SIZE) == pytest.approx(5.5)
    compute(clock, [queue.reserve("one", SIZE, 1)], 0.2)
    assert predicted_s(queue, 1) == pytest.approx(0.2, rel=0.01)


def test_a_client_that_hangs_up_at_once_teaches_nothing(clock: Clock, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 0.2, times=10)
    before = predicted_s(queue, 1)
    waiting = queue.reserve("one", SIZE, 4)
    clock.now_s += 0.001
    waiting.release()
    waiting.release()
    assert predicted_s(queue, 1) == before
    assert (queue.outstanding, queue.wait_s()) == (0, 0)


def test_a_members_cost_outlives_its_engine(clock: Clock, model: CostModel, queue: EngineQueue) -> None:
    one_by_one(clock, queue, 0.2, times=10)
    in_flight = queue.reserve("one", SIZE, 5)
    restarted = ScriptedEngine()
    model.keep([restarted])
    assert model.wait_s() == 0
    assert model.queue(restarted).step_s("one", SIZE) == queue.step_s("one", SIZE) > 0
    in_flight.release()
    assert model.queue(restarted).outstanding == 0


def test_the_wait_is_that_of_the_slowest_engine(clock: Clock, model: CostModel, queue: EngineQueue) -> None:
    other = model.queue(ScriptedEngine())
    one_by_one(clock, queue, 0.2, times=5)
    queue.reserve("one", SIZE, 2)
    other.reserve("one", SIZE, 9)
    assert model.wait_s() == other.wait_s() > queue.wait_s() > 0
