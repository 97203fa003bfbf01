"""The Questioner of the service, and the process that fills its pool while no answer is in flight."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import ParamSpec, TypeVar

from agents.answering.voter import Voter
from agents.asking.draft_sources import DraftSources
from agents.asking.gates.hardness import HardnessGate
from agents.asking.pool.filling import FillingOptions
from agents.asking.pool.store import QuestionStore, default_pool_path
from agents.asking.questioner import Questioner
from agents.asking.solver_proposer import solver_source
from agents.core.edition import load_edition
from agents.ensemble.question_source import model_source
from agents.ensemble.stand_in import stand_in
from service.settings import Settings
from service.state import ServiceState

P = ParamSpec("P")
T = TypeVar("T")

SURPLUS = 20
"""How many more candidates each topic and level sees once it is full, so that the hardest stay."""
LOWEST_PRIORITY = 19


class FillingProcess(Executor):
    """A process of the lowest priority that makes puzzles: it takes no time from answers, nor the interpreter's lock.

    It starts with its first puzzle.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._pool is None:
            # Forking a process that has loaded torch or vLLM is not safe.
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_give_way)
        return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _give_way() -> None:
    os.nice(LOWEST_PRIORITY)
    # A terminal's interrupt reaches the whole group; when to stop is for the service to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Otherwise the process of a service that was killed would wait for work for ever."""
    if parent := parent_process():
        parent.join()
    os._exit(1)


def make_questioner(settings: Settings, state: ServiceState, filling: Executor | None) -> Questioner:
    """The Q-Agent by ``settings``. With ``filling`` its pool is a file that is filled by it; without, in memory.

    How hard a question is, the ensemble's stand-in says once it has loaded; where the settings want it, the ensemble's
    model writes on topics that no puzzle covers. Neither begins a step on an engine while an answer is in flight.
    """
    edition = load_edition(settings.edition)

    def opponent() -> Voter | None:
        return stand_in(state.ensemble) if state.ensemble else None

    priorities = state.priorities
    model = model_source(state.require_ensemble, edition, priorities=priorities) if settings.question_model else None
    if filling is None:
        return Questioner(edition, QuestionStore(None), DraftSources(model=model), priorities=priorities)
    path = Path(settings.question_pool).expanduser() if settings.question_pool else default_pool_path()
    return Questioner(
        edition,
        QuestionStore(path, capacity=settings.question_pool_size),
        DraftSources(writers=[solver_source(filling)], model=model),
        FillingOptions(HardnessGate(opponent, priorities=priorities), SURPLUS),
        priorities=priorities,
    )
