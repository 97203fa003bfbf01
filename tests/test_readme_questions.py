"""The README's example questions are what its commands give, word for word."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from agents.asking.pool.pool import ServedQuestion
from agents.asking.pool.store import QuestionStore
from agents.asking.questioner import Questioner
from agents.core.edition import load_edition

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
LISTED = re.compile(
    r'^- \*\*.*\(`aiac ask --edition (\w+) --topic "(.*)" --difficulty (\w+) --seed (\d+)`\): .*$', re.MULTILINE
)


def ask(edition: str, topic: str, difficulty: str, seed: str) -> ServedQuestion:
    async def run() -> ServedQuestion:
        questioner = Questioner(load_edition(edition), QuestionStore(None))
        try:
            return await questioner.ask(topic, difficulty, int(seed))
        finally:
            await questioner.close()

    return asyncio.run(run())


def written(served: ServedQuestion) -> str:
    """As the README writes a question behind its command. A choice that is a sentence has its own full stop."""
    proposal, row = served.proposal, served.canonical()
    ended = [choice if choice.endswith(".") else f"{choice};" for choice in row["choices"]]
    choices = " ".join(ended).removesuffix(";").removesuffix(".")
    return f"{row['question']} {choices}. *Key {row['answer']}:* {proposal.explanation}"


def test_the_readme_lists_ten_questions_with_their_commands():
    assert len(LISTED.findall(README)) == 10


@pytest.mark.parametrize("listed", list(LISTED.finditer(README)), ids=lambda listed: listed[2])
def test_a_question_in_the_readme_is_what_its_command_gives(listed):
    _, topic, difficulty, _ = listed.groups()
    served = ask(*listed.groups())
    assert listed[0].startswith(f"- **{topic}, {difficulty} {served.proposal.difficulty:g}** ")
    assert listed[0].endswith(f"`): {written(served)}")
