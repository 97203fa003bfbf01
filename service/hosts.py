"""Checks of Host and Origin: a web page in the user's browser must not use the service.

A page of another site can send requests to a loopback address. It cannot read the responses, unless its own name
leads to that address (DNS rebinding); the Host header tells that name. The Origin header tells whose page it is.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.core.errors import AiacError, ForeignOriginError, MediaTypeError, UnknownHostError, describe
from service.middleware import announces_body
from service.problems import problem_response
from service.settings import Settings

ANY = "*"
SETTING = "AIAC_ALLOWED_HOSTS"


@dataclass(frozen=True)
class AllowedHosts:
    """The names that requests may be for, and those whose pages may send them; ``ANY`` among the first allows all."""

    hosts: frozenset[str]
    pages: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> AllowedHosts:
        """Read the settings. With a key any name is allowed: a page that does not know it gets nothing."""
        named = frozenset(_name(place) for place in (settings.allowed_hosts or "").replace(",", " ").split())
        if settings.allowed_hosts is None and settings.api_key is not None:
            return cls(frozenset({ANY}), named)
        return cls(named | {"localhost", _name(settings.host), _name(socket.gethostname())}, named)

    def host(self, host: str) -> bool:
        """Whether a request may name ``host``. No page can make an IP address lead elsewhere, so any is allowed."""
        return ANY in self.hosts or (name := _name(host)) in self.hosts or _is_address(name)

    def origin(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` may send requests to ``host``: its own pages, and those of named hosts."""
        scheme, _, place = origin.lower().partition("://")
        return scheme in ("http", "https") and (place == host.lower() or _name(place) in self.pages)


class HostMiddleware:
    """Turn away requests for names that are not ``allowed``, and requests of pages of another origin.

    A page's body must be called JSON: a browser asks first before it sends that across sites. Clients that are no
    browser send no Origin, and are asked for nothing.
    """

    def __init__(self, app: ASGIApp, allowed: AllowedHosts) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._fault(scope) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(error, scope)(scope, receive, send)

    def _fault(self, scope: Scope) -> AiacError | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if host is not None and not self._allowed.host(host):
            return UnknownHostError("Host", describe(host), f"this service's own name, or one in {SETTING}")
        if origin is None:
            return None
        if not self._allowed.origin(origin, host or ""):
            return ForeignOriginError("Origin", describe(origin), f"a page of this service, or of a host in {SETTING}")
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if announces_body(headers) and media_type != "application/json":
            return MediaTypeError("Content-Type", describe(media_type), "application/json, as a page sent this")
        return None


def _name(place: str) -> str:
    """The host of "host:port", without the brackets of an IPv6 address."""
    if place.startswith("["):
        return place[1:].partition("]")[0].lower()
    return place.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    """Whether ``name`` is an IP address: no page can make such a name lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
