"""`aiac check`: whether an engine reproduces the numbers that every member of an ensemble was released with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from agents.ensemble.loading import DEFAULT_ENSEMBLE

if TYPE_CHECKING:
    from rich.table import Table

    from agents.core.manifest import Manifest
    from agents.ensemble.golden_probes import MemberStatus

app = typer.Typer()


@app.command()
def check(
    ensemble: Annotated[str, typer.Option(help="An ensemble's folder, or its name in ensembles/.")] = DEFAULT_ENSEMBLE,
    engine: Annotated[str, typer.Option(help="transformers, vllm or remote.")] = "transformers",
    dtype: Annotated[str | None, typer.Option(help="float32 or bfloat16; by default what suits the device.")] = None,
) -> None:
    """Replay every member's golden probes on an engine; exit code 1 when a member is out of tolerance."""
    from rich.console import Console

    from agents.ensemble.engine_kinds import placement
    from agents.ensemble.loading import check_ensemble, find_ensemble
    from agents.ensemble.manifest_file import read_manifest
    from aiac.commands.models import find_or_pull_with_progress

    console = Console(stderr=True, markup=False, highlight=False)
    place = placement(engine, dtype=dtype)
    folder = find_ensemble(ensemble)
    statuses = asyncio.run(check_ensemble(folder, find_or_pull_with_progress, place, console.print))
    if missing := unrecorded(read_manifest(folder)):
        line = f"not checked, since the manifest has no hash of them: {', '.join(missing)}; export it again"
        console.print(line, soft_wrap=True)
    # A file or a pipe has no width of its own, and a reason that is cut off is no reason.
    Console(width=None if Console().is_terminal else 160).print(status_table(ensemble, engine, statuses))
    if not all(status.ready for status in statuses):
        raise typer.Exit(1)


def unrecorded(manifest: Manifest) -> list[str]:
    """Name what golden probes do not cover and this manifest, which is of an older version, has no hash of."""
    found = {"the tokenizer": manifest.base.tokenizer_sha256, "the chat template": manifest.base.template_sha256}
    for member in manifest.members:
        if member.kind == "adapter":
            found[f"the settings of {member.name}"] = member.config_sha256
    return [what for what, sha256 in found.items() if sha256 is None]


def status_table(ensemble: str, engine: str, statuses: Sequence[MemberStatus]) -> Table:
    """One line a member: whether it would serve, its largest deviation, and why not."""
    from rich.table import Table

    table = Table("Member", "Serves", "Off by, nats", "Reason", title=f"{ensemble} on {engine}")
    for status in statuses:
        off = "-" if status.difference_nats is None else f"{status.difference_nats:.2g}"
        table.add_row(status.name, "yes" if status.ready else "no", off, status.reason or "")
    return table
