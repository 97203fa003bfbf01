"""Speed and memory of `aiac data build` at full scale, on synthetic rows.

python -m benchmarks.curation prints JSON. The rows are four-choice questions of made-up words with the frequencies of
words (Zipf). No two are the same, so every row is compared with all others and with the evaluation rows to the end.
Rows a second count from the start of the process to its end, Python's own start included.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import accumulate, product
from pathlib import Path
from typing import Any

from benchmarks.command_line import argument_parser, at_least, note, print_report
from benchmarks.reporting import Aims, check_aims, machine
from training.curation.report import BuildReport, read_report

AIMS: Aims = {"peak_rss_gb": ("below", 2.0)}
ROOT = Path(__file__).resolve().parents[1]
EVALUATION_SHARE = 0.02
"""Evaluation rows for each row of the source."""
WORDS = ["".join(parts) for parts in product(("ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "ve", "zo"), repeat=4)]
ZIPF = list(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))

# The memory of a process at its fork counts as its child's peak, so a process with little memory starts the build.
WATCH = """
import json, os, subprocess, sys, time
started = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
cpu_s = usage.ru_utime + usage.ru_stime
print(json.dumps([child.returncode, time.perf_counter() - started, cpu_s, usage.ru_maxrss]))
"""


def made_rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield questions of 8 to 40 words and four choices of 1 to 4 words, in the form of a question file's lines."""
    draw = random.Random(seed)
    for number in range(count):
        words = draw.choices(WORDS, cum_weights=ZIPF, k=draw.randint(8, 40))
        firsts = draw.sample(WORDS, 4)
        rests = [draw.choices(WORDS, cum_weights=ZIPF, k=draw.randint(0, 3)) for _ in firsts]
        yield {
            "id": f"{seed}-{number}",
            "question": f"Case {seed}.{number}: {' '.join(words)}?",
            "choices": [" ".join([first, *rest]) for first, rest in zip(firsts, rests, strict=True)],
            "answer_index": draw.randrange(4),
        }


def write_rows(path: Path, count: int, seed: int) -> str:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in made_rows(count, seed))
    return str(path)


def build(recipe: Path) -> dict[str, float]:
    """Run `aiac data build` in a child; return its wall and CPU seconds, and its peak memory in GB."""
    command = [sys.executable, "-c", WATCH, sys.executable, "-m", "aiac", "data", "build", str(recipe)]
    watched = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    code, wall_s, cpu_s, peak = json.loads(watched.stdout)
    if code != 0:
        raise SystemExit(f"aiac data build ended with {code}")
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return {"wall_s": wall_s, "cpu_s": cpu_s, "peak_rss_gb": peak * unit_bytes / 1e9}


def counts(report: BuildReport) -> dict[str, Any]:
    [source] = report.sources
    return {
        "read": source.read,
        "dropped": source.dropped,
        "train": source.train,
        "validation": source.validation,
        "evaluation": sum(file.rows for file in report.evaluation),
        "largest_group": max(file.largest_group for file in report.files),
    }


def measure(rows: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        note(f"making {rows:,} rows")
        data = {
            "output": str(folder / "built"),
            "sources": [{"name": write_rows(folder / "made.jsonl", rows, seed)}],
            "evaluation": [write_rows(folder / "held_out.jsonl", max(round(rows * EVALUATION_SHARE), 1), seed + 1)],
            "seed": seed,
        }
        recipe = folder / "recipe.yaml"
        # JSON is YAML.
        recipe.write_text(json.dumps({"data": data}), encoding="utf-8")
        used = build(recipe)
        report = read_report(folder / "built")
    return {
        "rows": rows,
        "seed": seed,
        "machine": machine(),
        "versions": report.versions,
        **used,
        "rows_per_s": rows / used["wall_s"],
        "rows_per_cpu_s": rows / used["cpu_s"],
        "counts": counts(report),
        "aims": check_aims(used, AIMS),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argument_parser("curation", __doc__)
    parser.add_argument("--rows", type=at_least(int, 10), default=150_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print_report(measure(options.rows, options.seed))


if __name__ == "__main__":
    main()
