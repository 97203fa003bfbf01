"""How a remote engine asks its servers: the names it needs, and bounds on what a server may cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RemoteLimits:
    """Bounds on what a server may cost us. All times in seconds."""

    request_timeout_s: float = 30.0
    """A request with its whole answer. Longer than any deadline: it is for servers that hang."""
    connect_timeout_s: float = 2.0
    probe_timeout_s: float = 5.0
    probe_interval_s: float = 5.0
    """Between two looks at a server that is up."""
    first_backoff_s: float = 0.5
    """Before the first look at a server that has just failed; doubled each time it fails again."""
    max_backoff_s: float = 10.0
    stall_s: float = 2.0
    """A request cancelled after so long counts as the server's failure, if the server answered nobody meanwhile."""
    concurrency: int = 256
    """Connections to a server, and so its requests in flight. More wait here."""
    max_response_bytes: int = 16 << 20
    """A prompt of 32,000 tokens with all its log-probs is 3 MB."""


@dataclass(frozen=True)
class RemoteConfig:
    """Everything about the servers of an engine but their addresses and models."""

    dtype: str
    """The precision that they compute in, which they do not tell."""
    api_key: str | None = field(default=None, repr=False)
    hedge: bool = False
    """Send a slow request to a second server."""
    startup_timeout_s: float = 0.0
    """How long to wait for servers that still start."""
    limits: RemoteLimits = RemoteLimits()


@dataclass(frozen=True)
class ServedNames:
    """The models that an engine asks its servers for, by name."""

    base: str | None
    """The bare model; None when nobody asks for it. See ``replica.served_models`` where no server lists this name."""
    members: Collection[str] = ()
    """The ids of adapters or merged checkpoints; all servers that list a member share its requests."""
    others: Collection[str] = ()
    """Members asked through other engines; servers admit the bare model while those that are adapters are busy."""

    @property
    def needed(self) -> tuple[str | None, ...]:
        """The keys of ``Replica.serves`` that the engine cannot do without, None for the bare model."""
        return (*([] if self.base is None else [None]), *self.members)
