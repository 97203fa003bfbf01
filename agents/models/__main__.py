"""`python -m agents.models NAME`: `aiac models pull` where there is no aiac, as in a bundle without its model."""

from __future__ import annotations

import argparse
import sys

from agents.support.command_line import run_reported


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 and the folder on stdout, or that of ``agents.core.errors`` with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m agents.models", description="Download and convert a model.")
    parser.add_argument("name", help="a name of the catalogue, or its hub id")
    options = parser.parse_args(arguments)

    def work() -> None:
        from agents.models.store import ModelStore
        from agents.support.bundle import PROJECT_ROOT, read_bundle

        bundle = read_bundle(PROJECT_ROOT)
        store = ModelStore(None if bundle is None else bundle.cache)
        sys.stdout.write(f"{store.pull(options.name)}\n")

    return run_reported("agents.models", work, "the next pull goes on from here")


if __name__ == "__main__":
    sys.exit(main())
