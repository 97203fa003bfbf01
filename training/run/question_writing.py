"""What a member that writes questions is taught: the Q-Agent's own request, and a proved puzzle as the reply."""

from __future__ import annotations

from functools import cache
from random import Random

from agents.asking.writing_prompt import question_prompt, question_text
from agents.core.edition import DEFAULT_EDITION, edition_names, load_edition
from puzzles.generator import family_named
from training.curation.rows import CuratedRow


def written_question(row: CuratedRow) -> tuple[str, str]:
    """The message that asks for a question of the row's family and level, and the row as the text that answers it.

    Both are what ``model_proposer`` sends to a trained member and expects of it: no examples are shown. The
    topic is one of ``topic_names``, always the same for a row. Raises ValueError for a row without an explanation.
    """
    if row.explanation is None or row.subject is None:
        raise ValueError(
            f"the row {row.id} has no family or no explanation: only puzzles teach how to write a question"
        )
    topic = Random(row.id).choice(topic_names(row.subject))  # noqa: S311
    request = question_prompt(topic, row.level, [], load_edition(DEFAULT_EDITION))
    return request, question_text(row.question, row.explanation)


@cache
def topic_names(family: str) -> tuple[str, ...]:
    """What a family of puzzles may be asked for by: its topics, and each as an edition names it, category first."""
    names = family_named(family).topics
    editions = [load_edition(name) for name in edition_names()]
    named = [
        f"{category}/{name}"
        for edition in editions
        for category, listed in edition.topics.items()
        for name in listed
        if name in names
    ]
    return tuple(dict.fromkeys([*names, *named]))
