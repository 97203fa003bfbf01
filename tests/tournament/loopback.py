"""A service on the loopback that says exactly what a test wants, well-formed or not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Respond = Callable[[str, bytes], Iterable[bytes] | None]
"""A target and a body -> pieces of a raw response; None closes the connection without a word."""


def http(value: Any, *, status: int = 200, content_type: str = "application/json") -> list[bytes]:
    """A whole response with ``value`` as JSON, or as it is when it is bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return [head.encode(), body]


class Service:
    """One that is running. ``calls`` are the requests it read: target and JSON body, or the bytes that are none;
    ``keys`` their Authorization headers."""

    def __init__(self, respond: Respond) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.keys: set[str | None] = set()
        self.connections = 0
        self._respond = respond
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        with suppress(OSError):
            # Wakes the accept that a mere close would leave waiting.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # The head and the body of a reply go out one by one: without this the second waits 40 ms for the first.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests, suppress(OSError):
            while head := requests.readline():
                length, key = 0, None
                while (line := requests.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    key = value.strip().decode() if name.lower() == b"authorization" else key
                body = requests.read(length)
                target = head.split()[1].decode()
                self.calls.append((target, _value(body)))
                self.keys.add(key)
                pieces = self._respond(target, body)
                if pieces is None:
                    return
                for piece in pieces:
                    connection.sendall(piece)


def _value(body: bytes) -> Any:
    """The JSON value of a body; the body itself where it holds none."""
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        return body


@contextmanager
def serving(respond: Respond) -> Iterator[Service]:
    service = Service(respond)
    try:
        yield service
    finally:
        service.stop()
