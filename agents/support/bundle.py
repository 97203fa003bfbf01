"""The folder that is handed in, as the code inside it finds it.

``aiac bundle`` puts what the agents import, an ensemble and its models into a folder, and bundle.json beside them.
Where the organisers run it nobody sets a variable, and there may be neither a network nor a home to write to. So inside
a bundle that file stands for the settings, whatever the environment says: what was examined is what runs. What is kept
between runs goes below outputs/, where their own files go.
"""

from __future__ import annotations

import json
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from agents.core.errors import ManifestError, file_errors
from agents.core.text_file import decode_text

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The folder that this package is in: a bundle, a checkout, or where packages are installed."""
FILE_NAME = "bundle.json"
SCHEMA_VERSION = 1
ENSEMBLES, MODELS, OUTPUTS = "ensembles", "models", "outputs"
CACHE = f"{OUTPUTS}/cache"


@dataclass(frozen=True)
class Bundle:
    """What bundle.json says to the code beside it."""

    folder: Path
    edition: str
    ensemble: str
    """The name of its folder in ensembles/."""
    engine: str
    cpu_dtype: str | None
    """The precision that served it on a CPU when it was made; None where that is not known."""
    model: str
    """The base model, as the ensemble's manifest names it."""
    model_path: str | None
    """Its checkpoint inside the folder; None where it has to be pulled."""
    pull: str | None
    """The command that pulls it, to be run in the folder; None where it is inside."""

    @property
    def cache(self) -> Path:
        """Where everything goes that is kept between runs."""
        return self.folder / CACHE

    def keep_inside(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Points the caches of libraries below outputs/ and keeps them off the network; what is set already stays.

        To be called before they are imported: some look at the environment then.
        """
        cache = self.cache
        defaults = {
            "XDG_CACHE_HOME": cache,
            "XDG_CONFIG_HOME": cache / "config",
            "HF_HOME": cache / "huggingface",
            "HF_HUB_OFFLINE": 1,
            "MIOPEN_CUSTOM_CACHE_DIR": cache / "miopen",
            "MIOPEN_USER_DB_PATH": cache / "miopen",
            "TORCHINDUCTOR_CACHE_DIR": cache / "torchinductor",
            "TRITON_CACHE_DIR": cache / "triton",
        }
        for name, value in defaults.items():
            environment.setdefault(name, str(value))


def read_bundle(folder: Path) -> Bundle | None:
    """The bundle that ``folder`` is; None where it is none. Raises FileError and ManifestError."""
    file = folder / FILE_NAME
    with file_errors(file, "a readable file"):
        if not file.exists():
            return None
        data = file.read_bytes()
    try:
        payload = json.loads(decode_text(data))
        if payload["schema_version"] != SCHEMA_VERSION:
            raise ValueError("another version")
        base = payload["base"]
        return Bundle(
            folder,
            edition=str(payload["edition"]),
            ensemble=str(payload["ensemble"]),
            engine=str(payload["engine"]),
            cpu_dtype=payload["cpu_dtype"],
            model=str(base["model"]),
            model_path=base["path"],
            pull=base["pull"],
        )
    except (ValueError, LookupError, TypeError, RecursionError):
        expected = f"what `aiac bundle` wrote there, schema version {SCHEMA_VERSION}"
        raise ManifestError(str(file), "something else", expected) from None
