"""The organisers' A-Agent command line, flag for flag:

python -m agents.answer_agent --input_file QUESTIONS.json --output_file ANSWERS.json --batch_size 5 --verbose

writes ANSWERS.json and filtered_ANSWERS.json beside it. A broken row becomes null, with its reason on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

from agents.support.command_line import run_reported


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, or that of ``agents.core.errors`` with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m agents.answer_agent", description="Answer a file of questions.")
    parser.add_argument("--input_file", type=Path, default=Path("outputs/filtered_questions.json"))
    parser.add_argument("--output_file", type=Path, default=Path("outputs/answers.json"))
    parser.add_argument("--batch_size", type=int, default=5, help="questions at a time")
    parser.add_argument("--verbose", action="store_true", help="print every answer")
    options = parser.parse_args(arguments)
    if options.batch_size < 1:
        parser.error(f"--batch_size: found {options.batch_size}; expected 1 or more")

    def work() -> None:
        asyncio.run(_answer(options.input_file, options.output_file, options.batch_size, options.verbose))

    return run_reported("answer_agent", work, "nothing was written")


async def _answer(source: Path, target: Path, batch_size: int, verbose: bool) -> None:
    # Imported here, so that a package that is not installed is an error like any other.
    from agents.answering.progress import answer_to_file
    from agents.answering.question_file import filtered_path, read_question_file
    from agents.core.edition import load_edition
    from agents.ensemble.entry import open_entry_ensemble, read_entry_settings
    from agents.support.atomic_file import require_writable

    settings = read_entry_settings()
    edition = load_edition(settings.edition)
    rows = read_question_file(source)
    require_writable(target, filtered_path(target), inputs=[source])
    loaded = await open_entry_ensemble(settings)
    try:
        await answer_to_file(loaded.answerer, loaded.engine.tokenizer, rows, target, edition, batch_size, verbose)
    finally:
        await loaded.close()


def leave(code: int) -> NoReturn:
    """Ends the process at once. To give a model's memory back first takes a second, which counts against the limit."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
