"""Packages that are not installed: one sentence that names the package, wherever it was missed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from agents.core.errors import MissingExtraError
from agents.support.bundle import FILE_NAME, PROJECT_ROOT


def missing_package(name: str | None, extra: str = "cpu") -> MissingExtraError:
    """The error for the package ``name``, which ``extra`` of this project brings."""
    # From the folder, since nothing of that name on a package index is ours.
    how = f"run in the project's folder: pip install -e '.[{extra}]'"
    # Looked up here: an import fails anywhere, also before an entry has read its settings.
    if (PROJECT_ROOT / FILE_NAME).is_file():
        # In a bundle there is no aiac to install.
        how = f"install it; {FILE_NAME} lists the packages that this folder needs, with versions"
    return MissingExtraError(f"{name} is not installed; {how}")


@contextmanager
def packages_named() -> Iterator[None]:
    """Raises MissingExtraError in the place of a traceback where the block imports what is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        # Of our own packages it is a file that is missing, and only the whole name says which.
        raise missing_package(error.name if package in ("agents", "puzzles") else package) from None
