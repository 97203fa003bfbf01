"""Merging adapters into a checkpoint or into one adapter, each result checked on predictions before it gets its name.

| how        | result                                            | from                 | equal to its target  |
|------------|---------------------------------------------------|----------------------|----------------------|
| checkpoint | base + Σ weight · delta                           | any                  | exactly              |
| lora       | one adapter as a plain LoRA                       | one of any kind      | exactly, DoRA nearly |
| linear     | Σ weight · delta, the ranks added up              | LoRA, rsLoRA, OPLoRA | exactly              |
| svd        | Σ weight · delta at a lower rank                  | any                  | nearly               |
| ties       | the TIES merge of the deltas at a lower rank      | any                  | nearly               |
| dare_ties  | the DARE-TIES merge of the deltas at a lower rank | any                  | nearly               |

Exactly: to ``EXACT_NATS`` in every log-prob, in float32. What is nearly equal, and everything in bfloat16, is measured
and refused under ``MIN_AGREEMENT`` of the most likely tokens. An OPLoRA adapter that was exported is a LoRA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents.core.errors import EngineError, FileError, InputError
from agents.models.checkpoint import verified_base_sha256
from agents.support.atomic_folder import staged_folder
from agents.support.missing_package import missing_package
from training.adapters.storage import Dtype, portable_name
from training.merging.check import (
    EXACT_NATS,
    MIN_AGREEMENT,
    Comparison,
    check_prompts,
    compare,
    logprob_tables,
    target_model,
)
from training.merging.deltas import MergedDeltas
from training.merging.factors import Adapter, read_adapter, require_base
from training.merging.options import How, MergeOptions
from training.merging.results import concatenate, write_checkpoint, write_lora
from training.support.json_file import write_json
from training.support.plain_model import plain_model
from training.support.progress import StageProgress, no_progress

REPORT_FILE = "merge.json"


@dataclass(frozen=True)
class MergeReport:
    """What was merged, what it was compared with, and how close it came; ``merge.json`` in the output holds it."""

    how: How
    base: dict[str, str]
    adapters: list[dict[str, Any]]
    rank: int | None
    density: float | None
    seed: int | None
    dtype: Dtype
    exact: bool
    target: str
    check: Comparison
    versions: dict[str, str]


def merge(
    base: Path,
    adapters: Sequence[Path],
    output: Path,
    options: MergeOptions,
    advance: StageProgress = no_progress,
) -> MergeReport:
    """Merges adapters of the checkpoint folder ``base`` and writes the folder ``output``, which must not exist.

    The result is loaded back from disk and compared with its target before it gets that name. Memory: four copies of
    the base in float32.

    Raises InputError for options that do not suit the adapters, adapters of another base, and a result too far from
    its target; DamagedModelError for files that do not load; FileError and DiskSpaceError when the output cannot be
    written; MissingExtraError without PyTorch or PEFT; EngineError when an exact merge is not exact.
    """
    _require_libraries()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise FileError(str(output), "something of that name", "the name of a folder that does not exist yet")
    loaded = [read_adapter(folder) for folder in adapters]
    # Both raise before any work where the options do not suit the adapters.
    weights, rank = options.weights_of(loaded), options.result_rank(loaded)
    sha256 = verified_base_sha256(base)
    with staged_folder(output) as staging:
        target, check = _write_checked(staging, base, loaded, rank, options, advance)
        report = MergeReport(
            how=options.how,
            base={"model": portable_name(str(base.resolve())), "sha256": sha256},
            adapters=[_described(adapter, weight) for adapter, weight in zip(loaded, weights, strict=True)],
            rank=rank,
            density=options.density if options.by_sign else None,
            seed=options.seed if options.how == "dare_ties" else None,
            dtype=options.dtype,
            exact=options.is_exact(loaded),
            target=target,
            check=check,
            versions={name: version(name) for name in ("torch", "transformers", "peft")},
        )
        write_json(staging / REPORT_FILE, asdict(report))
    return report


def _write_checked(
    folder: Path,
    base: Path,
    adapters: Sequence[Adapter],
    rank: int | None,
    options: MergeOptions,
    advance: StageProgress,
) -> tuple[str, Comparison]:
    """Writes the result into ``folder``; returns what it was compared with, and the comparison."""
    from agents.engines.tokenizer import ChatTokenizer

    model = plain_model(base)
    for adapter in adapters:
        require_base(adapter, base, model)
    prompts = check_prompts(ChatTokenizer(base))
    deltas = MergedDeltas(model, adapters, options, advance)
    target, reference = target_model(base, adapters, options, deltas)
    wanted = logprob_tables(reference, prompts)
    del reference
    if rank is None:
        deltas.add_to(model)
        write_checkpoint(folder, model, base, options.dtype)
        result = plain_model(folder)
    else:
        if options.how == "linear":
            factors = concatenate(adapters, options.weights_of(adapters))
        elif options.restates(adapters):
            factors = dict(adapters[0].factors)
        else:
            factors = deltas.truncated(rank)
        write_lora(folder, factors, rank, base, model, options.dtype)
        result = plain_model(base, folder)
    check = compare(wanted, logprob_tables(result, prompts))
    _require_close(check, target, options, exact=options.is_exact(adapters))
    return target, check


def _require_close(check: Comparison, target: str, options: MergeOptions, *, exact: bool) -> None:
    if exact and not check.max_difference_nats <= EXACT_NATS:
        raise EngineError(
            f"the {options.how} merge differs by {check.max_difference_nats:.2g} nats from {target}, "
            f"and should by at most {EXACT_NATS:g}"
        )
    if not exact and not options.allow_approximate and not check.top1_agreement >= MIN_AGREEMENT:
        raise InputError(
            f"the {options.how} merge",
            f"{check.top1_agreement:.1%} agreement and a mean KL of {check.mean_kl_nats:.3g} nats with {target}",
            f"at least {MIN_AGREEMENT:.0%}, a higher rank, a checkpoint instead, or --allow-approximate",
        )


def _described(adapter: Adapter, weight: float) -> dict[str, Any]:
    name = adapter.folder.resolve().name
    return {"name": name, "sha256": adapter.sha256, "kind": adapter.kind, "rank": adapter.rank, "weight": weight}


def _require_libraries() -> None:
    try:
        import peft  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise missing_package(error.name) from None
