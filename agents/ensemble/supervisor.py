"""One engine of an ensemble and the members it computes: opened, checked, watched, and opened again when it dies.

A member whose golden probes its engine does not reproduce is not served; the status says by how much it is off. That is
the only place where an engine that computes wrongly without an error is caught, so it is passed at every opening.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agents.answering.voter import Voter
from agents.core.errors import AiacError, DamagedModelError, EngineError, first_line
from agents.core.manifest import Base
from agents.core.prompts import PromptRenderer
from agents.engines.protocol import Engine
from agents.engines.tokenizer_identity import tokenizer_hashes
from agents.ensemble.golden_probes import MemberStatus, check_member
from agents.ensemble.placement import EngineSpec, Open
from agents.support.concurrency import cancel_all

logger = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
"""How often an engine is asked whether it still runs."""
HEALTH_SECONDS = 10.0
"""How long that answer may take; an engine that needs longer counts as dead."""
PROBE_SECONDS = 600.0
"""How long the golden probes of an engine may take. Seconds each is usual; in a kernel that hangs, they never end."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""How long to wait before a dead engine is opened again; twice as long after every attempt that failed."""

Report = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]


class EngineSupervisor:
    """``voters`` and ``statuses`` are what it serves now; ``changed`` is called when they change while it is watched.

    It belongs to one event loop.
    """

    def __init__(
        self,
        spec: EngineSpec,
        changed: Callable[[], None],
        sleep: Sleep = asyncio.sleep,
        health_timeout_s: float = HEALTH_SECONDS,
        base: Base | None = None,
        probe_timeout_s: float = PROBE_SECONDS,
    ) -> None:
        """``base`` is the manifest's: an engine must read its prompts as the base was read when it was exported."""
        self.spec = spec
        self._base = base
        self.engine: Engine | None = None
        self.voters: Sequence[Voter] = ()
        self.statuses: Sequence[MemberStatus] = [
            MemberStatus(m.name, False, None, "not loaded yet") for m in spec.members
        ]
        self.restarts = 0
        self._changed = changed
        self._sleep = sleep
        self._health_timeout_s = health_timeout_s
        self._probe_timeout_s = probe_timeout_s
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    def running(
        cls, engine: Engine, voters: Sequence[Voter], statuses: Sequence[MemberStatus] = ()
    ) -> EngineSupervisor:
        """Supervise an engine that is open already, with members that need no check. It is not opened again."""
        supervisor = cls(EngineSpec("engine", [voter.member for voter in voters], {}, []), lambda: None)
        supervisor.engine, supervisor.voters = engine, voters
        supervisor.statuses = statuses or [MemberStatus(voter.member.name, True, None) for voter in voters]
        return supervisor

    async def open(self, report: Report = lambda stage: None) -> None:
        """Opens the engine and checks its members. Raises what the openers raise; nothing is left open then.

        A faster precision that misses a probe gives way to the next opener; the last one serves whoever passes. One
        that does not open, for want of memory say, takes nobody down: the one before it serves whoever passed there.
        """
        if self.spec.left_out is not None:
            logger.error("%s is not served: %s", self.spec.name, self.spec.left_out)
            self.fail(self.spec.left_out)
            return
        before: Open | None = None
        for number, opener in enumerate(self.spec.openers, start=1):
            last = number == len(self.spec.openers)
            try:
                engine, voters, statuses = await self._opened(opener, report)
            except AiacError as error:
                if before is None:
                    raise
                report(f"back to the engine before: {error}")
                engine, voters, statuses = await self._opened(before, report)
                statuses = [s if s.ready else replace(s, reason=f"{s.reason}; then {error}") for s in statuses]
                last = True
            if not (last or engine.dtype == "float32" or all(status.ready for status in statuses)):
                report(f"{engine.dtype} does not reproduce the golden probes")
                await engine.close()
                before = opener if voters else None
                continue
            for status in statuses:
                if not status.ready:
                    logger.error("member %s is not served: %s", status.name, status.reason)
            self.engine, self.voters, self.statuses = engine, voters, statuses
            return
        raise ValueError("no engine to open")

    def watch(self) -> None:
        """From now on, drops the members of an engine that dies and opens it again until it is well."""
        if self.spec.left_out is None:
            self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        # One that is done may belong to a loop that has ended.
        if self._watching is not None and not self._watching.done():
            await cancel_all([self._watching])
        if self.engine is not None:
            await self.engine.close()

    async def _opened(self, opener: Open, report: Report) -> tuple[Engine, list[Voter], list[MemberStatus]]:
        report(f"loading {self.spec.name}")
        engine = await opener()
        try:
            async with asyncio.timeout(self._probe_timeout_s):
                return engine, *await self._check(engine, report)
        except TimeoutError:
            await engine.close()
            raise EngineError(
                f"{self.spec.name}: its golden probes were not computed within {self._probe_timeout_s:g} s"
            ) from None
        except BaseException:
            await engine.close()
            raise

    async def _check(self, engine: Engine, report: Report) -> tuple[list[Voter], list[MemberStatus]]:
        # Beside the probes, which compute: it is 0.1 s of a start that counts against a limit.
        tokenizer = asyncio.ensure_future(asyncio.to_thread(check_tokenizer, self._base, engine))
        try:
            return await self._check_members(engine, report)
        finally:
            await tokenizer

    async def _check_members(self, engine: Engine, report: Report) -> tuple[list[Voter], list[MemberStatus]]:
        voters, statuses = [], []
        for member in self.spec.members:
            renderer = PromptRenderer(engine.tokenizer, engine.max_tokens, member.template_arguments)
            report(f"checking {member.name}")
            adapter = self.spec.adapters[member.name]
            status = await check_member(member, engine, adapter)
            statuses.append(status)
            if status.ready:
                voters.append(Voter(member, engine, renderer, adapter))
        return voters, statuses

    async def _watch(self) -> None:
        while True:
            await self._sleep(CHECK_SECONDS)
            try:
                if self.engine is not None:
                    wrong = await self._wrong_with(self.engine)
                    if wrong is None:
                        continue
                    await self._drop(self.engine, wrong)
                await self._reopen()
            except Exception:
                logger.exception("%s: unexpected while it was watched", self.spec.name)

    async def _wrong_with(self, engine: Engine) -> str | None:
        """Why the engine counts as dead; None when it is well."""
        try:
            async with asyncio.timeout(self._health_timeout_s):
                await engine.check_health()
        except TimeoutError:
            return f"no answer to a health check within {self._health_timeout_s:g} s"
        except EngineError as error:
            return str(error)
        except Exception as error:
            return f"unexpected {type(error).__name__} at its health check: {first_line(error)}"
        return None

    async def _drop(self, dead: Engine, reason: str) -> None:
        logger.error("%s: %s; it is started again", self.spec.name, reason)
        self.fail(reason)
        self._changed()
        await dead.close()

    async def _reopen(self) -> None:
        pause_s = FIRST_PAUSE_SECONDS
        while True:
            await self._sleep(pause_s)
            self.restarts += 1
            try:
                await self.open()
            except Exception as error:
                pause_s = min(pause_s * 2, LONGEST_PAUSE_SECONDS)
                known = isinstance(error, AiacError)
                logger.log(logging.WARNING if known else logging.ERROR, "%s: not started: %s", self.spec.name, error)
                self.fail(str(error) if known else f"unexpected {type(error).__name__} at its start")
                continue
            logger.warning("%s serves again", self.spec.name)
            self._changed()
            return

    def fail(self, reason: str) -> None:
        """Marks it as not running; ``watch`` opens it again."""
        self.engine, self.voters = None, ()
        self.statuses = [replace(status, ready=False, reason=reason) for status in self.statuses]


def check_tokenizer(base: Base | None, engine: Engine) -> None:
    """Raise DamagedModelError when an engine's tokenizer or chat template is not the one that ``base`` records.

    The golden probes are token ids, so they do not notice. Tokenizers of other kinds, which are made in tests, pass.
    """
    if base is None or base.tokenizer_sha256 is base.template_sha256 is None:
        return
    recorded = {"tokenizer_sha256": base.tokenizer_sha256, "template_sha256": base.template_sha256}
    for field, found in tokenizer_hashes(engine.tokenizer).items():
        if recorded[field] not in (None, found):
            what = field.removesuffix("_sha256")
            expected = f"{recorded[field]}, as the manifest records: pull the model again"
            raise DamagedModelError(f"{base.model}: {what}", f"SHA-256 {found}", expected)
