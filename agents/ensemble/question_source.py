"""The language model as the Q-Agent's source for topics that no puzzle covers: off unless somebody turns it on.

The ensemble that answers also writes, by its base model, and confirms the keys, by all of its members.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from agents.asking.gates.agreement import AgreementGate
from agents.asking.model_proposer import ModelProposer
from agents.asking.proposal import DraftSource, Proposal, Proposer
from agents.core.edition import Edition
from agents.core.errors import EngineError, NotReadyError
from agents.engines.protocol import Engine
from agents.ensemble.entry import EntrySettings, open_entry_ensemble
from agents.ensemble.loading import LoadedEnsemble
from agents.support.priority import PriorityGate


def model_source(
    ensemble: Callable[[], LoadedEnsemble], edition: Edition, *, priorities: PriorityGate | None = None
) -> DraftSource[Proposer]:
    """What the model of ``ensemble`` writes, with the key gate of its members.

    ``ensemble`` is asked anew for every draft and every check, and may raise NotReadyError, which both pass on as an
    EngineError. No step on an engine begins while ``priorities`` has an answer in progress.
    """
    proposer = ModelProposer(lambda: writing_engine(ensemble()), edition, priorities=priorities)
    return DraftSource(proposer, [_KeyGate(ensemble, priorities)])


def writing_engine(loaded: LoadedEnsemble) -> Engine:
    """The engine that runs the bare model, or else the first that runs. Raises NotReadyError."""
    for supervisor in loaded.supervisors:
        # Remote servers have an engine for each name, and only that of the base knows the bare model.
        if supervisor.engine is not None and None in supervisor.spec.adapters.values():
            return supervisor.engine
    return loaded.engine


class _KeyGate:
    """The agreement of whatever ensemble is loaded when it is asked."""

    name = AgreementGate.name

    def __init__(self, ensemble: Callable[[], LoadedEnsemble], priorities: PriorityGate | None) -> None:
        self._ensemble = ensemble
        self._priorities = priorities

    async def check(self, proposal: Proposal) -> Proposal:
        """As ``AgreementGate.check``; EngineError also while there is no ensemble."""
        try:
            loaded = self._ensemble()
        except NotReadyError as error:
            raise EngineError(str(error)) from None
        gate = AgreementGate(loaded.manifest, lambda: loaded.answerer.voters, priorities=self._priorities)
        return await gate.check(proposal)


class LazyModel:
    """The model of an ensemble that is opened when something needs it, and closed if it was."""

    def __init__(self, open_ensemble: Callable[[], Awaitable[LoadedEnsemble]], edition: Edition) -> None:
        self.source = model_source(self._require, edition)
        """Raises EngineError before ``open``."""
        self._open_ensemble = open_ensemble
        self._ensemble: LoadedEnsemble | None = None

    async def open(self) -> None:
        """Raises as ``open_ensemble`` does."""
        self._ensemble = self._ensemble or await self._open_ensemble()

    async def close(self) -> None:
        if self._ensemble is not None:
            await self._ensemble.close()

    def _require(self) -> LoadedEnsemble:
        if self._ensemble is None:
            raise NotReadyError("the ensemble has not been opened")
        return self._ensemble


def requested_model(settings: EntrySettings, edition: Edition) -> LazyModel | None:
    """The model that AIAC_QUESTION_MODEL asks for. Raises InputError for a value that is neither yes nor no."""
    if settings.question_model is None:
        return None
    # Imported here: where nobody asks for a model its settings' packages need not be there.
    from agents.asking.options import QuestionOptions
    from agents.support.settings import read_settings

    wanted = read_settings(QuestionOptions, question_model=settings.question_model).question_model
    return LazyModel(partial(open_entry_ensemble, settings), edition) if wanted else None
