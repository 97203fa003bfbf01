"""`aiac merge`: adapters into a checkpoint or into one adapter, checked on predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.merging.merge import MergeReport

app = typer.Typer()


@app.command()
def merge(
    base: Annotated[str, typer.Option(help="The base model: a name of the catalogue, or a checkpoint folder.")],
    adapter: Annotated[list[Path], typer.Option(help="An adapter folder of PEFT; give it again for each one more.")],
    how: Annotated[str, typer.Option(help="checkpoint, lora, linear, svd, ties or dare_ties.")],
    output: Annotated[Path, typer.Option(help="The folder to write; it must not exist yet.")],
    weight: Annotated[
        list[float] | None, typer.Option(help="One for each adapter, in their order; equal shares by default.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(help="Rank of an approximate adapter; by default the adapters' largest.")
    ] = None,
    density: Annotated[float, typer.Option(help="ties, dare_ties: the share of a delta's entries that is kept.")] = 0.5,
    seed: Annotated[int, typer.Option(help="dare_ties: the seed of what is dropped.")] = 0,
    dtype: Annotated[str, typer.Option(help="float32, or bfloat16, which is half the size and not exact.")] = "float32",
    allow_approximate: Annotated[
        bool, typer.Option("--allow-approximate", help="Keep a result that agrees with its target on under 98%.")
    ] = False,
) -> None:
    """Merge adapters into the base (checkpoint), into a plain LoRA (lora), or several into one (the others).

    The result is compared with what it should equal on rendered questions; merge.json in the output says how it fared.
    """
    from aiac.commands.models import find_or_pull_with_progress
    from aiac.commands.shared import staged_progress
    from training.merging.merge import merge as merge_adapters
    from training.merging.options import MergeOptions

    weights = tuple(weight) if weight else None
    options = MergeOptions(how, weights, rank, density, seed, dtype, allow_approximate)  # type: ignore[arg-type]
    checkpoint = find_or_pull_with_progress(base)
    with staged_progress() as advance:
        report = merge_adapters(checkpoint, adapter, output, options, advance)
    typer.echo(summary(report), err=True)
    typer.echo(output)


def summary(report: MergeReport) -> str:
    """The check's outcome in one line."""
    check = report.check
    return (
        f"compared with {report.target}, over {check.positions} positions: largest difference "
        f"{check.max_difference_nats:.2g} nats, mean KL {check.mean_kl_nats:.2g} nats, "
        f"same most likely token {check.top1_agreement:.1%}"
    )
