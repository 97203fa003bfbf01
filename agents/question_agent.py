"""The organisers' Q-Agent command line, flag for flag:

python -m agents.question_agent --output_file outputs/questions.json --num_questions 20 --batch_size 5 --verbose

writes questions.json and filtered_questions.json beside it. Topics come from ``assets/topics.json`` of the working
folder when there is one, else from the edition. With AIAC_QUESTION_MODEL the ensemble's model writes on those that no
puzzle covers; it is opened only where there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agents.support.command_line import run_reported

if TYPE_CHECKING:
    from agents.core.edition import Edition
    from agents.core.topics import Topic

TOPICS_FILE = Path("assets/topics.json")


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, or that of ``agents.core.errors`` with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m agents.question_agent", description="Write a file of questions.")
    parser.add_argument("--output_file", type=Path, default=Path("outputs/questions.json"))
    parser.add_argument("--num_questions", type=int, help="questions to ask; the edition's number when not given")
    parser.add_argument("--batch_size", type=int, default=5, help="questions at a time")
    parser.add_argument("--verbose", action="store_true", help="print every question")
    options = parser.parse_args(arguments)
    for name in ("num_questions", "batch_size"):
        if (value := getattr(options, name)) is not None and value < 1:
            parser.error(f"--{name}: found {value}; expected 1 or more")

    def work() -> None:
        asyncio.run(_ask(options.output_file, options.num_questions, options.batch_size, options.verbose))

    return run_reported("question_agent", work, "nothing was written")


async def _ask(target: Path, number: int | None, batch_size: int, verbose: bool) -> None:
    # Imported here, so that a package that is not installed is an error like any other.
    from agents.answering.question_file import filtered_path
    from agents.asking.draft_sources import DraftSources
    from agents.asking.pool.store import QuestionStore, default_pool_path
    from agents.asking.progress import ask_to_file
    from agents.asking.questioner import Questioner
    from agents.core.edition import load_edition
    from agents.ensemble.entry import read_entry_settings
    from agents.ensemble.question_source import requested_model
    from agents.support.atomic_file import require_writable

    settings = read_entry_settings()
    edition = load_edition(settings.edition)
    topics = _topics(edition)
    require_writable(target, filtered_path(target), inputs=[TOPICS_FILE])
    model = requested_model(settings, edition)
    source = None if model is None else model.source
    store = QuestionStore(default_pool_path(settings.cache))
    questioner = Questioner(edition, store, DraftSources(model=source), topics=topics)
    try:
        for topic in topics:
            if topic not in questioner.topics:
                sys.stderr.write(f"question_agent: {topic.path}: no puzzle covers this topic; it is left out\n")
        if model is not None and questioner.needs_model(None):
            await model.open()
        await ask_to_file(questioner, number or edition.default_questions, target, edition, batch_size, verbose)
    finally:
        await questioner.close()
        if model is not None:
            await model.close()


def _topics(edition: Edition) -> list[Topic]:
    from agents.core.topics import edition_topics, read_topics_file

    return read_topics_file(TOPICS_FILE) if TOPICS_FILE.exists() else edition_topics(edition)


if __name__ == "__main__":
    sys.exit(main())
