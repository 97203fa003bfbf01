"""Exit status 0 when the service in this container can answer: its GET /ready says 200."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 8.0
"""Below the time-out of HEALTHCHECK, so that the reason gets into the container's health log."""


def reason_not_ready(port: int) -> str | None:
    """Why the service on this port of this container cannot answer now; None when it can."""
    url = f"http://127.0.0.1:{port}/ready"
    # A proxy in the environment is for the way out; it could not reach this container's loopback.
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
