"""What the organisers' files start from: settings that are read once, and the ensemble that they name.

In a bundle bundle.json fixes the settings; elsewhere they are the variables AIAC_*.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents.core.edition import DEFAULT_EDITION
from agents.ensemble.base_model import find_here, find_or_pull
from agents.ensemble.engine_kinds import placement
from agents.ensemble.loading import DEFAULT_ENSEMBLE, LoadedEnsemble, find_ensemble, load_ensemble
from agents.support.bundle import PROJECT_ROOT, Bundle, read_bundle
from agents.support.gc_pause import gc_paused

DEFAULT_ENGINE = "transformers"


@dataclass(frozen=True)
class EntrySettings:
    """Everything that a bundle fixes, for the code that runs inside it or beside a checkout."""

    edition: str
    ensemble: str
    """A folder, or a name in ensembles/."""
    engine: str
    question_model: str | None
    """The text of AIAC_QUESTION_MODEL, not checked yet. None where it is not set, and in a bundle."""
    bundle: Bundle | None
    """None outside a bundle."""

    @property
    def cache(self) -> Path | None:
        """The folder of everything kept between runs; None stands for ``agents.models.store.cache_dir()``."""
        return None if self.bundle is None else self.bundle.cache

    def prepare_libraries(self) -> None:
        """Keep the caches of libraries inside a bundle. Call it before they are imported."""
        if self.bundle is not None:
            self.bundle.keep_inside()


def read_entry_settings(
    edition: str | None = None, ensemble: str | None = None, engine: str | None = None, *, folder: Path = PROJECT_ROOT
) -> EntrySettings:
    """Read what is not given here from the bundle that ``folder`` is, or else from the environment.

    A variable that is empty counts as not set. Raises as ``read_bundle`` does; names are not checked yet.
    """
    bundle = read_bundle(folder)

    def found(name: str) -> str | None:
        return os.environ.get(f"AIAC_{name}") or None

    if bundle is not None:
        return EntrySettings(
            edition or bundle.edition, ensemble or bundle.ensemble, engine or bundle.engine, None, bundle
        )
    return EntrySettings(
        edition or found("EDITION") or DEFAULT_EDITION,
        ensemble or found("ENSEMBLE") or DEFAULT_ENSEMBLE,
        engine or found("ENGINE") or DEFAULT_ENGINE,
        found("QUESTION_MODEL"),
        None,
    )


async def open_entry_ensemble(settings: EntrySettings) -> LoadedEnsemble:
    """Open the ensemble and engine that ``settings`` name.

    A model that is missing is pulled, except in a bundle. Raises as ``find_ensemble``, ``placement`` and
    ``load_ensemble`` do.
    """
    settings.prepare_libraries()
    bundle = settings.bundle
    place = placement(settings.engine, cpu_dtype=None if bundle is None else bundle.cpu_dtype, cache=settings.cache)
    find_model = find_or_pull if bundle is None else partial(find_here, bundle=bundle)
    with gc_paused():
        return await load_ensemble(find_ensemble(settings.ensemble), find_model, place)
