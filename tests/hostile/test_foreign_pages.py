"""Pages of other sites in the user's browser: they get nothing of a service on the loopback."""

from __future__ import annotations

import json

import pytest
from real_server import RealServer, real_server
from service_fakes import QUESTION

pytestmark = pytest.mark.anyio
ROUTES = [("GET", "/pool"), ("GET", "/"), ("GET", "/matches"), ("POST", "/question"), ("POST", "/answer")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(server: RealServer, method: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and wrong field of a request with these headers."""
    content = json.dumps(QUESTION if path == "/answer" else {}) if method == "POST" else None
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await server.client.request(method, path, content=content, headers=sent)
    return response.status_code, response.json()["field"] if response.status_code >= 400 else ""


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"]
)
async def test_a_name_that_leads_here_but_is_not_ours_is_refused(host: str) -> None:
    async with real_server() as server:
        for method, path in ROUTES:
            assert await ask(server, method, path, Host=host) == (421, "Host")
        assert (await server.client.get("/pool")).json()["served"] == {}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1", "null", "http://localhost:3000", "file://"]
)
async def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    async with real_server() as server:
        for method, path in ROUTES:
            found = await ask(server, method, path, Origin=origin, Content_Type="text/plain")
            assert found == (403, "Origin")
        assert (await server.client.get("/pool")).json()["served"] == {}


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "192.168.1.5"])
async def test_our_own_page_and_clients_without_a_page_are_served(name: str) -> None:
    async with real_server() as server:
        host = f"{name}:{server.port}"
        for method, path in ROUTES:
            assert (await ask(server, method, path, Host=host))[0] == 200
            page = {"Host": host, "Origin": f"http://{host}", "Content_Type": "application/json; charset=utf-8"}
            assert (await ask(server, method, path, **page))[0] == 200
        # What curl calls its body without being told.
        form = "application/x-www-form-urlencoded"
        assert (await ask(server, "POST", "/answer", Host=host, Content_Type=form))[0] == 200
        wrong = await ask(server, "POST", "/answer", Host=host, Origin=f"http://{host}", Content_Type="text/plain")
        assert wrong == (415, "Content-Type")


async def test_the_setting_lets_more_names_and_their_pages_in() -> None:
    async with real_server(allowed_hosts="aiac.example, other.example:8443") as server:
        assert (await ask(server, "GET", "/pool", Host="aiac.example"))[0] == 200
        assert (await ask(server, "GET", "/pool", Host="other.example", Origin="https://aiac.example"))[0] == 200
        assert (await ask(server, "GET", "/pool", Host="evil.example"))[0] == 421
        assert (await ask(server, "GET", "/pool", Host="aiac.example", Origin="http://evil.example"))[0] == 403
    async with real_server(allowed_hosts="*") as server:
        assert (await ask(server, "GET", "/pool", Host="evil.example"))[0] == 200
        assert (await ask(server, "GET", "/pool", Origin="http://evil.example"))[0] == 403


async def test_with_a_key_any_name_is_served_since_a_page_does_not_know_it() -> None:
    async with real_server(api_key="s3cret") as server:
        key = {"Authorization": "Bearer s3cret"}
        assert (await ask(server, "GET", "/pool", Host="team-7.cluster.local", **key))[0] == 200
        assert (await ask(server, "GET", "/pool", Host="team-7.cluster.local"))[0] == 401
        assert (await ask(server, "GET", "/pool", Origin="http://evil.example", **key))[0] == 403
