"""GET /: a page to ask by hand."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import HTMLResponse

HEADERS = {
    # The page is one file: nothing in it, and nothing in an answer it shows, can make it load anything else.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PAGE = Path(__file__).parent.parent / "console.html"


def console_router() -> APIRouter:
    """The console page; it is read once, when the app is made."""
    router = APIRouter(tags=["console"])
    html = PAGE.read_text(encoding="utf-8")

    @router.get("/", summary="The console page", response_class=HTMLResponse)
    async def console() -> HTMLResponse:
        return HTMLResponse(html, headers=HEADERS)

    return router
