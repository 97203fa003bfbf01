"""The members of an ensemble on remote vLLM servers: which server has which of them, the servers say themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from agents.core.errors import EngineError, InputError
from agents.core.manifest import Member
from agents.engines.protocol import Engine
from agents.engines.remote.options import RemoteOptions
from agents.ensemble.golden_probes import check_member
from agents.ensemble.placement import EngineSpec, EnsembleWeights, Place


def place_on_servers(options: RemoteOptions, dtype: str | None = None) -> Place:
    """The ``Place`` of remote vLLM servers. A server has a member under its name, and the base under the base's.

    Each name has a remote engine of its own over all servers, so that one that is lost does not cost the others.
    ``dtype`` is what the servers compute in, bfloat16 if not given: it sets the tolerance of the golden probes, which
    are replayed on every server for every member.
    """

    def place(weights: EnsembleWeights) -> list[EngineSpec]:
        if not options.addresses:
            raise InputError("AIAC_REMOTE_URLS", "no address", "those of the vLLM servers, separated by commas")
        by_name: dict[str | None, list[Member]] = {}
        for member in weights.members:
            by_name.setdefault(None if member.kind == "base" else member.name, []).append(member)
        return [
            EngineSpec(
                name or weights.base_model,
                members,
                {member.name: name for member in members},
                [partial(_open, weights, name, members, options, dtype or "bfloat16", others=by_name.keys() - {name})],
            )
            for name, members in by_name.items()
        ]

    return place


async def _open(
    weights: EnsembleWeights,
    name: str | None,
    members: Sequence[Member],
    options: RemoteOptions,
    dtype: str,
    *,
    others: Collection[str | None],
) -> Engine:
    from agents.engines.remote.config import RemoteConfig, RemoteLimits, ServedNames
    from agents.engines.remote.engine import RemoteEngine

    async def admit(server: RemoteEngine, asked: str | None) -> str | None:
        failed = [s for s in [await check_member(member, server, asked) for member in members] if not s.ready]
        reasons = "; ".join(f"{status.name}: {status.reason}" for status in failed)
        if any(status.difference_nats is None for status in failed):
            # Not another number but none: the server is tried again.
            raise EngineError(reasons)
        return reasons or None

    names = ServedNames(
        weights.base_model if name is None else None,
        [] if name is None else [name],
        [other for other in others if other is not None],
    )
    config = RemoteConfig(
        dtype,
        options.api_key.get_secret_value() if options.api_key else None,
        options.hedge,
        options.startup_timeout_seconds,
        RemoteLimits(request_timeout_s=options.request_timeout_seconds, concurrency=options.concurrency),
    )
    return await RemoteEngine.open(options.addresses, weights.base, names, config, admit)
