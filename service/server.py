"""Uvicorn around the app: a port taken early, signals that end in a clean stop, and a failed load that ends it too."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI

from agents.core.errors import InputError, system_reason
from service.connections import MAX_HEAD_BYTES, BoundedProtocol, ConnectionLimits
from service.settings import Settings
from service.state import ServiceState

MOST_OPEN_FILES = 65_536
OTHER_FILES = 128
"""Open files that are kept for what is no connection: the pool, logs, weights, and the engine's own."""
CANCELLED_SECONDS = 2
"""Bounds the time in which requests that the stop has cancelled send their 503."""


def allow_open_files() -> None:
    """Raises this process's own limit on open files as far as the system allows, at most to ``MOST_OPEN_FILES``.

    Every connection is one. Shells commonly allow 1024, and beyond that not only connections fail but whatever else
    opens a file.
    """
    try:
        import resource
    except ImportError:  # Not on Windows, which has no such limit.
        return
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if most == resource.RLIM_INFINITY else min(most, MOST_OPEN_FILES)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def connection_limit(wanted: int) -> int:
    """``wanted``, or as many connections as this process may have open files for."""
    try:
        import resource
    except ImportError:  # Not on Windows, which has no such limit.
        return wanted
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if allowed == resource.RLIM_INFINITY else max(1, min(wanted, allowed - OTHER_FILES))


def reserve_port(host: str, port: int) -> socket.socket:
    """A TCP socket bound to ``host`` and ``port``; nothing listens on it yet. Port 0 takes any free one.

    Raises InputError for a port that is in use or may not be opened, and for a host that is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise InputError("host", f"{host!r} ({system_reason(error)})", "an address of this machine (--host)") from None
    reserved = socket.socket(family, kind, protocol)
    try:
        # Without it the port stays taken for a minute after a stop. Listeners are not shared: the second one fails.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
    except OSError as error:
        reserved.close()
        raise _bind_error(error, host, port) from None
    return reserved


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a service that listens on ``host``."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(host: str, port: int) -> str:
    """An address to open in a browser on this machine; where the service listens on all addresses, loopback."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


async def run_server(
    app: FastAPI,
    settings: Settings,
    reserved: socket.socket,
    on_ready: Callable[[], None],
    limits: ConnectionLimits | None = None,
) -> ServiceState:
    """Serves until SIGINT, SIGTERM or a failed load; returns the app's state once all is closed.

    Requests in flight get ``settings.grace_seconds``, and 503 after them. ``limits`` go before the settings'.
    ``on_ready`` is called once, when requests can be answered.
    Raises the error of a failed load, and InputError when something else listens on the port by now.
    """
    state: ServiceState = app.state.service
    port = reserved.getsockname()[1]
    try:
        # Two sockets may be bound to a port, one may listen: here, before anything is loaded, the second one fails.
        reserved.listen()
    except OSError as error:
        raise _bind_error(error, settings.host, port) from None
    limits = limits or ConnectionLimits(connection_limit(settings.max_connections))
    server = _Server(
        uvicorn.Config(
            app,
            # uvicorn asks for a class, and only calls it.
            http=cast("type[BoundedProtocol]", partial(BoundedProtocol, limits=limits)),
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            lifespan="on",
            ws="none",
            access_log=False,
            log_config=None,
            log_level=settings.log_level,
            server_header=False,
            timeout_graceful_shutdown=settings.grace_seconds + CANCELLED_SECONDS,
        ),
        state,
        settings.grace_seconds,
    )
    watch = asyncio.create_task(_watch(server, state, on_ready))
    try:
        await server.serve(sockets=[reserved])
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    if state.error is not None:
        raise state.error
    return state


async def _watch(server: _Server, state: ServiceState, on_ready: Callable[[], None]) -> None:
    await state.settled.wait()
    await server.listening.wait()
    if state.error is not None:
        server.should_exit = True
    else:
        on_ready()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, state: ServiceState, grace_s: float) -> None:
        super().__init__(config)
        self._state = state
        self._grace_s = grace_s
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The first thing: it waits for every response to end, and a live match's would not.
        self._state.stopping.set()
        cancelling = asyncio.get_running_loop().call_later(self._grace_s, self._cancel_requests)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            cancelling.cancel()

    def _cancel_requests(self) -> None:
        """Before uvicorn does, which waits for nothing afterwards: ``StopMiddleware`` answers what is cancelled."""
        for task in self.server_state.tasks:
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own raises the signals again once it has stopped, which ends the process with an error code.

        On a thread that is not the main one there is nothing to capture.
        """
        loop = asyncio.get_running_loop()
        handled = (signal.SIGINT, signal.SIGTERM)
        try:
            for number in handled:
                loop.add_signal_handler(number, self.handle_exit, number, None)
        except (NotImplementedError, RuntimeError, ValueError):
            with super().capture_signals():
                yield
            return
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)


def _bind_error(error: OSError, host: str, port: int) -> InputError:
    if error.errno == errno.EADDRINUSE:
        return InputError("port", f"{port} in use", "a free port (--port)")
    if error.errno in (errno.EACCES, errno.EPERM):
        return InputError("port", f"{port}, which this user may not open", "a port above 1023 (--port)")
    return InputError("host", f"{host!r} ({system_reason(error)})", "an address of this machine (--host)")
