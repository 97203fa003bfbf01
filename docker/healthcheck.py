"""Exit with status 0 when the service in this container can answer: its GET /ready returns 200."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 8.0
"""Shorter than the timeout of HEALTHCHECK, so that the reason gets into the container's health log."""


def reason_not_ready(port: int) -> str | None:
    """Return the reason why the service on this port cannot answer now; None when it can."""
    url = f"http://127.0.0.1:{port}/ready"
    # A proxy in the environment is for outgoing requests; it cannot reach this container's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        return f"{url}: {error.code}: {error.read(2000).decode(errors='replace')}"
    except OSError as error:
        return f"{url}: {error}"


if __name__ == "__main__":
    sys.exit(reason_not_ready(int(os.environ.get("AIAC_PORT") or 8000)))
