"""An examination on a terminal or in a pipe of 80 columns: nothing is cut. What a team wrote is shown as plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tournament.untrusted import printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from agents.core.edition import Edition
    from tournament.doctor.finding import Finding

STYLES = {"ok": "green", "warning": "yellow", "fail": "bold red", "not checked": "dim"}
VERDICT_COLUMNS, CHECK_COLUMNS = 11, 24


def progress_line(finding: Finding) -> str:
    return f"{finding.verdict:<{VERDICT_COLUMNS}}  {finding.check}"


def findings_table(target: str, edition: Edition, findings: Sequence[Finding]) -> Table:
    """A row a check; a fault also shows what is expected and the fix."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = Text(f"{printable(target)}, by the rules of {edition.title}")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Verdict", width=VERDICT_COLUMNS)
    table.add_column("Check", width=CHECK_COLUMNS, overflow="fold")
    table.add_column("Found", overflow="fold")
    for finding in findings:
        verdict = Text(finding.verdict, style=STYLES[finding.verdict])
        table.add_row(verdict, Text(finding.check), _outcome(finding))
    return table


def verdict_line(findings: Sequence[Finding]) -> Text:
    """How many of each verdict, worst first."""
    from rich.text import Text

    counts = Counter(finding.verdict for finding in findings)
    parts = [f"{counts[name]} {name}" for name in ("fail", "warning", "not checked", "ok") if counts[name]]
    return Text("; ".join(parts), style="bold red" if counts["fail"] else "bold green")


def _outcome(finding: Finding) -> Text:
    from rich.text import Text

    text = Text(printable(finding.found))
    if finding.fix:
        text.append(f"\nexpected: {finding.expected}", style="dim")
        text.append(f"\nfix: {finding.fix}", style="bold")
    return text
