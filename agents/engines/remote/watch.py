"""Which servers are up, and with what: each is looked at in the background, and comes back by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from agents.core.deadline import Clock
from agents.core.errors import AiacError
from agents.engines.remote.config import RemoteLimits, ServedNames
from agents.engines.remote.mixing import adapters_busy
from agents.engines.remote.replica import Replica, served_models
from agents.engines.remote.replicas import Asker, OneReplica, Replicas
from agents.engines.remote.wire import ReplicaError
from agents.support.concurrency import cancel_all

logger = logging.getLogger(__name__)

Admit = Callable[[Asker, str | None], Awaitable[str | None]]
"""Checks one member (None: the bare model) on one server, before anybody else asks it there. Returns why the server may
not serve that member, None when it may. An AiacError means that it could not be checked: it is tried again later."""


class ServerWatch:
    """Looks at every server of ``replicas`` until closed. Build it in the event loop it is used in."""

    def __init__(
        self,
        replicas: Replicas,
        names: ServedNames,
        *,
        limits: RemoteLimits,
        admit: Admit | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.names = names
        self._replicas = replicas
        self._limits = limits
        self._admit = admit
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._probed = asyncio.Event()

    async def start(self, timeout_s: float) -> None:
        """Looks at every server once, then waits up to ``timeout_s`` until all that is needed is listed somewhere."""
        await asyncio.gather(*map(self._probe, self._replicas.replicas))
        self._tasks = [asyncio.create_task(self._watch(replica)) for replica in self._replicas.replicas]
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.unlisted():
                    self._probed.clear()
                    await self._probed.wait()

    def unlisted(self) -> list[str | None]:
        """What is needed and no server that is up lists."""
        listed = {
            name for replica in self._replicas.replicas if replica.up for name in (*replica.serves, *replica.refused)
        }
        return [name for name in self.names.needed if name not in listed]

    async def close(self) -> None:
        await cancel_all(self._tasks)

    async def _watch(self, replica: Replica) -> None:
        while True:
            if replica.up:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.probe_interval_s):
                        await replica.went_down.wait()
            if not replica.up:
                await asyncio.sleep(replica.backoff_s())
            await self._probe(replica)

    async def _probe(self, replica: Replica) -> None:
        """One look at a server: it comes up, with what it serves by now, or is down for longer."""
        started_s = self._clock()
        was_up = replica.up
        was_serving = replica.serves if was_up else {}
        try:
            cards = await replica.list_models()
            offered = served_models(cards, self.names)
            refused = {name: reason for name, reason in replica.refused.items() if was_up and name in offered}
            for name, model in offered.items():
                if self._admit is not None and was_serving.get(name) != model and name not in refused:
                    server = OneReplica(self._replicas, replica, model)
                    async with adapters_busy(server):
                        reason = await self._admit(server, name)
                    if reason is not None:
                        refused[name] = reason
        except Exception as error:
            if not isinstance(error, (ReplicaError, AiacError)):
                logger.exception("the check of %s failed", replica.url)
            # A probe that is lost among requests that are answered says nothing.
            if not (replica.up and replica.last_answer_at_s > started_s):
                replica.fail(str(error) or type(error).__name__)
        else:
            if was_up and not replica.up:
                return  # A request has failed in the meantime, which says more.
            replica.listed = tuple(card.id for card in cards)
            replica.serves = {name: model for name, model in offered.items() if name not in refused}
            replica.refused = refused
            replica.up = True
            replica.went_down.clear()
        finally:
            self._probed.set()
