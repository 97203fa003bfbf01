"""One connection to a service that may be hostile: every read is bounded in bytes and by one deadline.

Why not httpx: its time limits start again with every read, so headers that drip in a byte at a time never end. Only
its asynchronous client under asyncio.timeout has one deadline over connect, send, headers and body. That client takes
0.8 ms of processor time a request, the blocking one 0.45 ms, this 0.05 ms (400 requests over the loopback). Refereeing
may take 1% of a match whose services answer in 50 ms, which is 0.5 ms a request (benchmarks/arena.py).
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from agents.core.deadline import Deadline
from agents.core.errors import InputError, describe, first_line, system_reason
from agents.support.missing_package import missing_package
from tournament.teams.protocol import Fault, TeamFaultError
from tournament.untrusted import MAX_ROW_BYTES, printable

READ_BYTES = 65_536
MAX_HEADER_BYTES = 65_536
MAX_REASON_CHARS = 120


@dataclass(frozen=True)
class Reply:
    """A whole response within bounds."""

    status: int
    content_type: str
    body: bytes


class Wire:
    """Requests to one address, one at a time, over a connection that is kept while the other side keeps it."""

    def __init__(self, url: str, key: str | None = None) -> None:
        """``url`` is http or https, a path in front of every target included; ``key`` is sent as a bearer key.

        Raises InputError for any other address or a key that no header can hold, and MissingExtraError.
        """
        try:
            import httptools
        except ImportError as error:
            raise missing_package(error.name, "arena") from None
        self._parse = httptools
        try:
            # Besides a wrong port: an open bracket, and a name that no server can have.
            parts = urlsplit(url)
            port, host = parts.port, (parts.hostname or "").encode("idna").decode()
        except ValueError:
            expected = "an address such as http://127.0.0.1:8000, whose port is a number up to 65535"
            raise InputError("team", describe(url), expected) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError("team", repr(url), "an address such as http://127.0.0.1:8000")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise InputError("team's key", "characters that no header can hold", "printable ASCII")
        self._host = parts.hostname
        self._port = port or (443 if parts.scheme == "https" else 80)
        self._prefix = quote(parts.path.rstrip("/"), safe="/%")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        shown = f"[{self._host}]" if ":" in self._host else host
        self._headers = f"Host: {shown}:{self._port}\r\nAccept: application/json\r\n"
        self._headers += f"Authorization: Bearer {key}\r\n" if key else ""
        self._socket: socket.socket | None = None

    def request(self, method: str, target: str, body: bytes | None, timeout_s: float) -> Reply:
        """One response. Raises TeamFaultError, after ``timeout_s`` or ``MAX_ROW_BYTES`` at the latest.

        ``target`` begins with a slash and is ASCII.
        """
        deadline = Deadline.after(timeout_s)
        response: _Response | None = None
        try:
            response = self._request(self._message(method, target, body), deadline)
        except TimeoutError:
            raise TeamFaultError(Fault(kind="silent", detail=f"no whole reply within {timeout_s:.1f} s")) from None
        except OSError as error:
            detail = f"the connection failed: {system_reason(error)}"
            raise TeamFaultError(Fault(kind="connection", detail=detail)) from None
        except self._parse.HttpParserError as error:
            reason = printable(first_line(error, limit=MAX_REASON_CHARS))
            raise TeamFaultError(Fault(kind="connection", detail=f"what it says is not HTTP: {reason}")) from None
        finally:
            if response is None or not response.keeps_connection:
                self.close()
        return Reply(response.status, response.content_type, bytes(response.body))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _message(self, method: str, target: str, body: bytes | None) -> bytes:
        head = f"{method} {self._prefix}{target} HTTP/1.1\r\n{self._headers}"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode("ascii") + (body or b"")

    def _request(self, message: bytes, deadline: Deadline) -> _Response:
        if self._socket is not None:
            try:
                return self._exchange(message, deadline)
            except (ConnectionError, _HangupError):
                # A service may close a kept connection between two requests: no fault, and this one is not answered.
                self.close()
        address = (self._host, self._port)
        connection = socket.create_connection(address, timeout=max(deadline.remaining_s(), 0.001))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = self._tls.wrap_socket(connection, server_hostname=self._host) if self._tls else connection
        return self._exchange(message, deadline)

    def _exchange(self, message: bytes, deadline: Deadline) -> _Response:
        self._within(deadline).sendall(message)
        response = _Response(self._parse)
        while not response.complete:
            data = self._within(deadline).recv(READ_BYTES)
            if data:
                response.feed(data)
            else:
                response.end()
        return response

    def _within(self, deadline: Deadline) -> socket.socket:
        """The socket, whose next call may take what is left. Raises TimeoutError when nothing is."""
        remaining_s = deadline.remaining_s()
        if self._socket is None or not remaining_s:
            raise TimeoutError
        self._socket.settimeout(remaining_s)
        return self._socket


class _Response:
    """A response on its way in. Its ``on_…`` methods are what the parser calls."""

    def __init__(self, parse: Any) -> None:
        self.complete = False
        self.keeps_connection = False
        self.status = 0
        self.content_type = ""
        self.body = bytearray()
        self._parse = parse
        self._parser = parse.HttpResponseParser(self)
        self._header_bytes = 0
        self._in_body = False
        self._has_length = False

    def feed(self, data: bytes) -> None:
        """Takes more of it in. Raises HttpParserError, and TeamFaultError for more than is read."""
        if not self._in_body:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except self._parse.HttpParserUpgrade:
            raise self._parse.HttpParserError("a switch to another protocol") from None
        if not self._in_body and self._header_bytes > MAX_HEADER_BYTES:
            raise TeamFaultError(Fault(kind="too large", detail=f"more than {MAX_HEADER_BYTES:,} bytes of headers"))
        if len(self.body) > MAX_ROW_BYTES:
            raise TeamFaultError(Fault(kind="too large", detail=f"a reply of more than {MAX_ROW_BYTES:,} bytes"))

    def end(self) -> None:
        """The other side closed. Raises _HangupError, unless that is how this response says that it is whole."""
        if not self._in_body:
            raise _HangupError(0, "closed before a reply")
        if self._has_length:
            raise _HangupError(0, "closed in the middle of a reply")
        self.complete = True

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-type":
                self.content_type = value.decode("ascii", "replace").partition(";")[0].strip()
            case b"content-length" | b"transfer-encoding":
                self._has_length = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        # A status below 200 announces the response and is none.
        self._in_body = self.status >= 200

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body += data

    def on_message_complete(self) -> None:
        if self._in_body and not self.complete:
            self.complete = True
            self.keeps_connection = self._parser.should_keep_alive()


class _HangupError(OSError):
    """The other side closed the connection too early."""
