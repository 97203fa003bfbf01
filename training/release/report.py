"""The report of a released ensemble, in Markdown: who was weighed, who was let in, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.support.atomic_file import write_whole
from training.release.admission import MemberResult
from training.release.export import Export
from training.release.fit import CandidatePool
from training.release.validate import sample_note
from training.run.member_run import MemberRun
from training.support.statistics import wilson_interval

REPORT_FILE = "report.md"


def write_release_report(done: Export, runs: Sequence[MemberRun], folder: Path) -> Path:
    """Writes ``report.md`` into the ensemble's folder and returns it. Raises FileError."""
    path = folder / REPORT_FILE
    write_whole(path, release_report(done, runs))
    return path


def release_report(done: Export, runs: Sequence[MemberRun]) -> str:
    rows = done.members[0].rows
    decided = done.fit.pools[0].rows
    weights = {member.name: member.weight for member in done.manifest.members}
    by_name = {run.member.name: run for run in runs}
    files = ", ".join(f"{name} {file['rows']}" for name, file in done.manifest.provenance["data"].items())
    few = sample_note(done.fit.chosen.pool.correct, decided)
    lines = [
        f"# {done.manifest.name}",
        "",
        f"Base: {done.manifest.base.model}. Rows that decide: {rows} ({files}); members are judged on all of them, "
        f"pools are fitted on {rows - decided} and compared on the other {decided}.",
        *(["", few] if few else []),
        "",
        "## Members",
        "",
        "| member | accuracy | gain over the best untrained one | McNemar p | minutes of training | weight |",
        "|---|---|---|---|---|---|",
        *(_member_row(result, weights, by_name.get(result.name)) for result in done.members),
        "",
        "Brackets are 95% intervals: Wilson's for an accuracy, a paired bootstrap's for a gain.",
        "",
        "## Pools, likeliest first",
        "",
        "| pool | weights | −ln p(key), nats | right |",
        "|---|---|---|---|",
    ]
    lines += [
        *map(_pool_row, done.fit.pools),
        "",
        f"Taken: {done.fit.chosen.reason}.",
        "",
        "## What the guards did",
        "",
    ]
    for run in runs:
        reasons = [decision.reason for decision in run.decisions] or ["nothing: every chunk was good"]
        lines += [f"- {run.member.name}: {' '.join(reasons)}"]
    rejected = [result for result in done.members if result.rejected]
    if rejected:
        lines += ["", "## Left out", "", *(f"- {result.name}: {result.rejected}" for result in rejected)]
    return "\n".join(lines) + "\n"


def _pool_row(pool: CandidatePool) -> str:
    used = ", ".join(f"{name} {weight:g}" for name, weight in pool.weights.items() if weight)
    return f"| {pool.name} | {used} | {pool.nll_nats:.4f} | {pool.correct / pool.rows:.1%} |"


def _member_row(result: MemberResult, weights: dict[str, float], run: MemberRun | None) -> str:
    low, high = wilson_interval(result.correct, result.rows)
    gain = "" if result.gain is None else f"[{result.gain[0] * 100:+.1f}, {result.gain[1] * 100:+.1f}] points"
    p = "" if result.p_equal_to_base is None else f"{result.p_equal_to_base:.2g}"
    minutes = "untrained" if run is None else f"{run.seconds / 60:.1f}"
    weight = weights.get(result.name, 0.0)
    accuracy = f"{result.accuracy:.1%} [{low * 100:.1f}, {high * 100:.1f}]"
    return f"| {result.name} | {accuracy} | {gain} | {p} | {minutes} | {weight:g} |"
