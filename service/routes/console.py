"""GET / and /console/…: the console page, its style, scripts and icon, all read once, when the app is made."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from agents.core.edition import Edition
from agents.core.topics import edition_topics, known_topics

HEADERS = {
    # Files of this service and no others: nothing in the page, and nothing in an answer it shows, can load or run more.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Asked again each time, or a page would run beside scripts of another version.
    "Cache-Control": "no-cache",
}
FOLDER = Path(__file__).parent.parent / "console"
PAGE = "page.html"
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def console_router(edition: Edition) -> APIRouter:
    """The console page of a service that plays ``edition``."""
    router = APIRouter(tags=["console"])
    html = render_page(edition)
    files = {path.name: path for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES}
    contents = {name: path.read_bytes() for name, path in files.items()}

    @router.get("/", summary="The console page", response_class=HTMLResponse)
    async def console() -> HTMLResponse:
        return HTMLResponse(html, headers=HEADERS)

    @router.get("/console/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in contents:
            raise HTTPException(404)
        return Response(contents[name], media_type=MEDIA_TYPES[files[name].suffix], headers=HEADERS)

    return router


def render_page(edition: Edition) -> str:
    """The page as HTML, with what this service knows of topics and limits."""
    names = dict.fromkeys([*(topic.name for topic in edition_topics(edition)), *known_topics()])
    return Template((FOLDER / PAGE).read_text(encoding="utf-8")).substitute(
        topics="".join(f"<option>{escape(name)}</option>" for name in names),
        edition=escape(edition.id),
        answer_seconds=f"{edition.answer_seconds:g}",
    )
