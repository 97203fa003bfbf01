"""What the service knows of itself: the ensemble, or how far it is, or why there is none; and what is in flight."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from agents.core.errors import AiacError, EngineError, NotReadyError
from agents.ensemble.loading import LoadedEnsemble
from agents.support.priority import Priority, PriorityGate

logger = logging.getLogger(__name__)

Load = Callable[[Callable[[str], None]], Awaitable[LoadedEnsemble]]
"""Opens the ensemble; it is given a function to tell each stage to, as it starts."""


class ServiceState:
    """Belongs to one event loop. ``settled`` is set once loading has ended, well or badly;
    ``stopping`` once the server is about to stop, so that what would go on for ever ends. ``priorities`` knows what is
    in progress on the engines."""

    def __init__(self) -> None:
        self.stage = "starting"
        self.ensemble: LoadedEnsemble | None = None
        self.error: AiacError | None = None
        self.priorities = PriorityGate()
        self.settled = asyncio.Event()
        self.stopping = asyncio.Event()

    def require_ensemble(self) -> LoadedEnsemble:
        """The ensemble. Raises NotReadyError, with the stage or the reason, while there is none."""
        if self.error is not None:
            raise NotReadyError(f"the ensemble could not be loaded: {self.error}")
        if self.ensemble is None:
            raise NotReadyError(f"the ensemble is still loading: {self.stage}")
        return self.ensemble

    @property
    def in_flight(self) -> int:
        """Questions being answered now."""
        return self.priorities.count(Priority.ANSWER)

    async def load(self, load: Load) -> None:
        """Runs ``load`` and keeps what comes of it. Raises nothing but CancelledError."""
        try:
            self.ensemble = await load(self._enter_stage)
        except AiacError as error:
            self.error = error
        except Exception as error:
            logger.exception("loading failed")
            self.error = EngineError(f"loading failed unexpectedly ({type(error).__name__}); the log has the details")
        self.settled.set()

    async def close(self) -> None:
        """Closes the ensemble, if there is one; requests that come later are told that the service stops."""
        ensemble, self.ensemble, self.stage = self.ensemble, None, "stopping"
        if ensemble is not None:
            await ensemble.close()

    def _enter_stage(self, stage: str) -> None:
        self.stage = stage
        logger.info("loading: %s", stage)
