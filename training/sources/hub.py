"""Rows of a data set on the Hugging Face hub, streamed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from agents.core.errors import DownloadError, FileError, first_line
from agents.support.missing_package import missing_package
from training.sources.source import RawRow, Source

_EXPORT_REVISION = "refs/convert/parquet"
"""The branch on which the hub keeps its own conversion of a data set to Parquet: ``CONFIG/SPLIT/0000.parquet``."""


def hub_rows(source: Source, upstream_split: str) -> Iterator[RawRow]:
    """The rows of a split, one after the other, as published.

    Raises DownloadError when the hub cannot be reached or does not have the data set, FileError when what it has cannot
    be read, and MissingExtraError without the library ``datasets``.
    """
    if importlib.util.find_spec("datasets") is None:
        raise missing_package("datasets", "train")
    import httpx
    from datasets import load_dataset
    from datasets.exceptions import DataFilesNotFoundError, DatasetNotFoundError

    arguments: dict[str, Any] = {"name": source.hub_config}
    if source.parquet_export:
        files = {upstream_split: f"{source.hub_config}/{upstream_split}/*.parquet"}
        arguments = {"revision": _EXPORT_REVISION, "data_files": files}
    try:
        yield from load_dataset(source.hub_id, **arguments, split=upstream_split, streaming=True)
    except (DatasetNotFoundError, DataFilesNotFoundError, httpx.HTTPError, OSError) as error:
        raise DownloadError(_unreachable(source, error)) from None
    except (ValueError, RuntimeError) as error:
        found = f"what cannot be read ({first_line(error).rstrip('.')})"
        raise FileError(source.hub_id, found, f"a data set with the split {upstream_split}") from None


def _unreachable(source: Source, error: Exception) -> str:
    reason = first_line(error).rstrip(".")
    return (
        f"The source {source.name} could not be loaded from the hub as {source.hub_id} ({reason}): set "
        f"AIAC_DATA_DIR to a folder with {source.name}.SPLIT.jsonl.gz, or HF_ENDPOINT to a mirror that can be reached."
    )
