"""The model hub as a source of GGUF files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx

from agents.core.errors import DownloadError
from agents.models.catalogue import HubFile, ModelSpec
from agents.models.download import Progress

CHECK_TIMEOUT_S = 3.0


class HubSource:
    """Fetches with huggingface_hub, which goes on by itself after a dropped connection.

    Whether a download that was stopped goes on in the next call is up to its version: some 2.x releases start the file
    anew.

    ``endpoint`` defaults to huggingface_hub's own (``HF_ENDPOINT``), ``offline`` to its ``HF_HUB_OFFLINE``.
    ``transport`` is httpx's, for the check whether the hub can be reached at all.
    """

    name = "the model hub"

    def __init__(
        self,
        endpoint: str | None = None,
        offline: bool | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._offline = offline
        self._transport = transport

    def fetch(self, spec: ModelSpec, staging: Path, progress: Progress) -> Path:
        """See ``GgufSource.fetch``. An unreachable hub is given up after ``CHECK_TIMEOUT_S`` seconds."""
        from huggingface_hub import constants, hf_hub_download

        endpoint = self._endpoint or constants.ENDPOINT
        if constants.HF_HUB_OFFLINE if self._offline is None else self._offline:
            raise DownloadError("the model hub is switched off by HF_HUB_OFFLINE")
        self._check(endpoint, spec.hub)
        try:
            path = hf_hub_download(
                spec.hub.repo,
                spec.hub.filename,
                revision=spec.hub.revision,
                local_dir=staging,
                endpoint=endpoint,
                tqdm_class=_reporting_bar(spec, progress),
            )
        # The client raises its own errors, httpx's, OSError and its Rust downloader's RuntimeError; whichever it is, it
        # only means that the next source is tried.
        except Exception as error:
            raise DownloadError(f"the model hub failed with {type(error).__name__}") from error
        # The client reports no step when its bars were switched off in this process, as loading a model does.
        progress("download", spec.gguf_bytes, spec.gguf_bytes)
        return Path(path)

    def _check(self, endpoint: str, file: HubFile) -> None:
        """Ask for the file's headers. The client itself retries for more than 20 seconds where there is no network."""
        from huggingface_hub import get_token

        token = get_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{endpoint}/{file.repo}/resolve/{file.revision}/{file.filename}"
        try:
            with httpx.Client(transport=self._transport, timeout=CHECK_TIMEOUT_S) as client:
                status = client.head(url, headers=headers).status_code
        except httpx.HTTPError as error:
            raise DownloadError("the model hub cannot be reached") from error
        if status >= 400:
            raise DownloadError(f"the model hub answered with status {status}")


def _reporting_bar(spec: ModelSpec, progress: Progress) -> type[Any]:
    """A tqdm class that draws nothing and hands every step to ``progress``."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg,misc,unused-ignore]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # A disabled tqdm does not count, so it draws into a buffer instead.
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})  # type: ignore[no-untyped-call,unused-ignore]

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            progress("download", min(int(self.n), spec.gguf_bytes), spec.gguf_bytes)
            return shown

    return Bar
