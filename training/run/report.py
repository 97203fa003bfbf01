"""A run's metrics as one self-contained page: no network, no script, readable on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from agents.core.errors import InputError
from agents.support.atomic_file import write_whole
from training.run.history import History, sort_history
from training.run.log import METRICS_FILE, StepRecord, read_run_log
from training.run.plots import PLOTS, draw_figure

REPORT_FILE = "report.html"

STYLE = """
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { margin: 0 auto; max-width: 72rem; padding: 1rem }
h1 { font-size: 1.4rem; overflow-wrap: anywhere }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)) }
figure { margin: 0 }
figcaption { font-weight: 600 }
svg { display: block; width: 100%; height: auto }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .95rem }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd }
"""


def write_run_report(run_folder: Path) -> Path:
    """Writes ``report.html`` beside ``metrics.jsonl`` and returns its path; the same metrics give the same bytes.

    Raises FileError when the metrics cannot be read or the report not be written, InputError when no step was done.
    """
    metrics = run_folder / METRICS_FILE
    records = read_run_log(metrics)
    if not any(isinstance(record, StepRecord) for record in records):
        raise InputError(str(metrics), "no training step", "the metrics of a run of at least one step")
    path = run_folder / REPORT_FILE
    write_whole(path, _page(run_folder.resolve().name, sort_history(records)))
    return path


def _page(name: str, history: History) -> str:
    title = f"Training run {escape(name)}"
    shown = [plot for plot in PLOTS if not plot.of_probes or history.probes or history.undone_probes]
    figures = "\n".join(draw_figure(plot, history) for plot in shown)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
{_table(("", ""), _facts(history))}
<h2>Decisions of the guards</h2>
{_decisions(history)}
<h2>Measurements by step</h2>
<p>Upright lines are the ends of chunks, whose numbers stand above.{_legend(history)}</p>
<div class="plots">
{figures}
</div>
</body>
</html>
"""


def _facts(history: History) -> list[tuple[str, str]]:
    """What the run came to, as (name, value)."""
    steps, undone = history.steps, [step for run in history.undone_steps for step in run]
    seconds = math.fsum(step.seconds for step in (*steps, *undone))
    tokens = sum(step.tokens for step in (*steps, *undone))
    facts = []
    if rows := history.rows:
        left_out = f"; {rows.too_long:,} left out, longer than {rows.max_tokens:,} tokens" if rows.too_long else ""
        facts.append(("Rows", f"{rows.rows:,} trained on{left_out}"))
    facts += [
        ("Steps kept", f"{len(steps):,} in {len({step.chunk for step in steps})} chunks"),
        ("Steps undone", f"{len(undone):,}"),
        ("Time in steps", f"{seconds / 60:,.1f} minutes, {tokens / max(seconds, 1e-9):,.0f} tokens a second"),
    ]
    if steps:
        first, last = (_mean_loss(steps, chunk) for chunk in (steps[0].chunk, steps[-1].chunk))
        facts.append(("Mean loss", f"{first:.3f} nats in the first chunk, {last:.3f} in the last"))
    if history.probes:
        first_probe, last_probe = history.probes[0], history.probes[-1]
        facts.append(
            (
                "Probe accuracy",
                f"{first_probe.accuracy:.1%} at step {first_probe.step}, "
                f"{last_probe.accuracy:.1%} at step {last_probe.step}, on {last_probe.rows} rows",
            )
        )
    return facts


def _mean_loss(steps: Sequence[StepRecord], chunk: int) -> float:
    losses = [step.loss for step in steps if step.chunk == chunk]
    return math.fsum(losses) / len(losses)


def _decisions(history: History) -> str:
    if not history.decisions:
        return "<p>None: no guard had to act.</p>"
    rows = [(f"{d.step:,}", d.action.replace("_", " "), d.reason) for d in history.decisions]
    return _table(("Step", "Action", "Reason"), rows)


def _legend(history: History) -> str:
    decided = " A dashed orange line is a decision of a guard." if history.decisions else ""
    return decided + (" Grey is what was undone." if history.undone_steps or history.undone_probes else "")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads) if any(heads) else ""
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in rows
    )
    return f'<div class="scroll"><table>\n{f"<tr>{head}</tr>" if head else ""}{body}</table></div>'
