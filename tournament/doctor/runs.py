"""A submission folder's two command lines, run as the organisers run them, for more and more items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.core.rules import filter_answers, filter_questions
from tournament.doctor.answers import answer_findings
from tournament.doctor.finding import Examination, Finding, Say, judged, plural, unchecked
from tournament.doctor.questions import question_findings
from tournament.match.answers import shown_to_answerer
from tournament.teams.folder import ANSWERS, OUTPUTS, QUESTIONS, FolderTeam, read_regular
from tournament.teams.process import MAX_OUTPUT_BYTES
from tournament.teams.protocol import Batch
from tournament.untrusted import MAX_ROW_BYTES, parse_json, printable, reason_of

LOUD_BYTES = 1024 * 1024
"""Of stdout and stderr in one run; more slows a run down and hides what matters."""


@dataclass
class _Runs:
    """What the runs of one command line came to."""

    batch: Batch | None = None
    """Of the largest run that gave all it should."""
    times_s: dict[int, float] = field(default_factory=dict)
    """By number of items, of the runs that gave all they should in time."""
    notes: list[str] = field(default_factory=list)
    output_bytes: int = 0


def run_findings(
    folder: Path, examination: Examination, python: str | None = None, say: Say = lambda text: None
) -> Iterator[Finding]:
    """Every check that needs the command lines run. ``folder`` has the four files. Raises FileError as FolderTeam."""
    team = FolderTeam(folder, python=python)
    edition = examination.edition
    yield judged(
        "sandbox of the runs",
        not team.lacking,
        team.lacking or "no network, no other process, the machine's files read-only",
        expected="namespaces (Linux 5.12 or newer, allowed to this user)",
        fix="Examine a stranger's folder in a container; your own needs no sandbox.",
        otherwise="warning",
    )
    asked = _Runs()
    yield from _growing("question", team.ask_all, edition.question_seconds, examination, asked, say)
    if asked.batch is not None:
        rows = asked.batch.rows
        left = filter_questions(rows, examination.count_tokens, edition)
        yield _filtered_copy(folder, QUESTIONS, len(rows), len(left))
        yield from question_findings(rows, examination)
    yield from _conduct("question", asked)

    samples = [shown_to_answerer(row) for row in examination.samples]
    answered = _Runs()

    def answer(number: int, limit_s: float) -> Batch:
        return team.answer_all(samples[:number], limit_s)

    yield from _growing("answer", answer, edition.answer_seconds, examination, answered, say)
    if answered.batch is not None:
        rows = answered.batch.rows
        passed = sum(row is not None for row in filter_answers(rows, examination.count_tokens, edition))
        yield _filtered_copy(folder, ANSWERS, len(rows), passed)
        yield from answer_findings(examination.samples, rows, examination)
    yield from _conduct("answer", answered)


def _growing(
    thing: str,
    run: Callable[[int, float], Batch],
    item_s: float,
    examination: Examination,
    runs: _Runs,
    say: Say,
) -> Iterator[Finding]:
    """A run for every size, until one fails; ``runs`` takes what they came to."""
    failed = ""
    for number in examination.sizes:
        check = plural(number, thing)
        if failed:
            yield unchecked(check, f"the run for {failed} failed")
            continue
        say(f"running agents.{thing}_agent for {check}")
        limit_s = item_s * number
        started = examination.clock()
        batch = run(number, limit_s + examination.run_patience_s)
        elapsed_s = examination.clock() - started
        runs.notes += [note for note in batch.notes if note not in runs.notes]
        runs.output_bytes = max(runs.output_bytes, batch.output_bytes)
        finding = _run_finding(check, batch, number, elapsed_s, limit_s, thing)
        yield finding
        if finding.verdict == "fail":
            failed = check
        else:
            runs.batch = batch
            runs.times_s[number] = elapsed_s
    if len(runs.times_s) > 1:
        yield _pace(thing, runs.times_s, item_s)


def _pace(thing: str, times_s: Mapping[int, float], item_s: float) -> Finding:
    """How long the start takes and how long each item, if all items take equally long."""
    (few, few_s), (many, many_s) = min(times_s.items()), max(times_s.items())
    each_s = max(0.0, (many_s - few_s) / (many - few))
    start_s = max(0.0, few_s - few * each_s)
    found = f"{start_s:.1f} s to start, then {each_s:.2f} s each"
    return Finding(f"{thing} pace", "ok", found, f"together within {item_s:g} s for a run of one")


def _run_finding(check: str, batch: Batch, number: int, elapsed_s: float, limit_s: float, thing: str) -> Finding:
    expected = f"{check} within {limit_s:g} s, the start included"
    took = f"{elapsed_s:.1f} s of {limit_s:g}"
    if batch.fault is not None:
        fix = f"Run python -m agents.{thing}_agent in the folder by hand with --verbose and fix what it says."
        if batch.fault.kind == "killed":
            fix = "Make the run end by itself and in time; the organisers do not wait."
        return Finding(check, "fail", f"{printable(batch.fault.detail)}; after {took}", expected, fix)
    given = len(batch.rows) + batch.surplus
    if given != number:
        fix = f"Write one row for every {thing} that is wanted, in order; null where there is none."
        if number == 1:
            fix = "Answer a list of one with a list of one; a bare string is spread into its characters."
        return Finding(check, "fail", f"{plural(given, 'row')} ({took})", f"{plural(number, 'row')}", fix)
    return judged(
        check,
        elapsed_s <= limit_s,
        took,
        expected=expected,
        fix="Load less or faster, or do less an item; what is late is ignored.",
    )


def _filtered_copy(folder: Path, name: str, rows: int, passed: int) -> Finding:
    filtered = f"filtered_{name}"
    path, check = f"{OUTPUTS}/{filtered}", filtered.removesuffix(".json").replace("_", " ")
    what = "the rows that pass the filter" if name == QUESTIONS else "every row, null where it fails the filter"
    fix = f"Write {path} beside {OUTPUTS}/{name}, with {what}."
    try:
        value = parse_json(read_regular(folder / OUTPUTS, filtered, MAX_ROW_BYTES * (rows + 1)))
    except FileNotFoundError:
        return Finding(check, "fail", f"no {path}", what, fix)
    except (OSError, ValueError, OverflowError) as error:
        return Finding(check, "fail", f"{path} cannot be read: {reason_of(error)}", what, fix)
    if not isinstance(value, list):
        return Finding(check, "fail", f"{path} is no list", what, fix)
    kept = sum(row is not None for row in value)
    return judged(
        check,
        kept == passed,
        f"{plural(kept, 'row')} that pass",
        expected=f"{passed} of {rows}, by the filter here",
        fix=fix,
        otherwise="warning",
    )


def _conduct(thing: str, runs: _Runs) -> Iterator[Finding]:
    """What the runs did beside their work."""
    yield judged(
        f"what {thing} runs leave",
        not runs.notes,
        "; ".join(map(printable, runs.notes)) or f"nothing outside {OUTPUTS}/, exit code 0",
        expected=f"files in {OUTPUTS}/ only, exit code 0, as many rows as wanted",
        fix=f"Write to {OUTPUTS}/ only, and end with exit code 0.",
        otherwise="warning",
    )
    yield judged(
        f"what {thing} runs print",
        runs.output_bytes <= LOUD_BYTES,
        f"at most {runs.output_bytes:,} bytes in a run",
        expected=f"at most {LOUD_BYTES:,} bytes; over {MAX_OUTPUT_BYTES:,} a run is ended",
        fix="Print less: a pipe that nobody reads fast enough holds the agent up.",
        otherwise="warning",
    )
