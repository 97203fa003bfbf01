"""The console page as files: everything comes from this service, and nothing that is shown can become markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from service_fakes import running

from agents.core.edition import load_edition
from service.routes.console import FOLDER, render_page

pytestmark = pytest.mark.anyio
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".html")


async def test_the_page_may_load_and_run_what_this_service_has_and_nothing_else() -> None:
    async with running() as service:
        page = await service.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert set(re.findall(r'(?:src|href)="console/([^"]+)"', page.text)) <= set(FILES)
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", page.text)


@pytest.mark.parametrize("name", FILES)
async def test_a_file_of_the_page_is_served_as_what_it_is(name: str) -> None:
    types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    async with running() as service:
        response = await service.client.get(f"/console/{name}")
    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == types[Path(name).suffix]
    assert response.headers["x-content-type-options"] == "nosniff"
    # An SVG names its format by an address; nothing is loaded from there.
    text = response.text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\burl\(|@import", text)


@pytest.mark.parametrize("name", ["nothing.js", "page.html", "..%2fapp.py", "%2e%2e%2fapp.py"])
async def test_no_other_file_is_served(name: str) -> None:
    async with running() as service:
        assert (await service.client.get(f"/console/{name}")).status_code == 404


@pytest.mark.parametrize("edition", ["oct2025_aiac", "feb2026_iitd"])
def test_the_page_offers_the_topics_of_its_edition(edition: str) -> None:
    page = render_page(load_edition(edition))
    rules = load_edition(edition)
    for names in rules.topics.values():
        assert all(f"<option>{name}</option>" in page for name in names)
    assert f"edition: {rules.answer_seconds:g} s" in page


def test_every_field_has_a_label() -> None:
    page = render_page(load_edition("oct2025_aiac"))
    labelled = set(re.findall(r'<label for="([\w-]+)"', page))
    assert labelled == set(re.findall(r'<(?:input|textarea|select) id="([\w-]+)"', page))
