"""What is let in: a question that can be answered in time, by a part of the ensemble at least."""

from __future__ import annotations

import math

from agents.answering.answerer import Answerer
from agents.core.deadline import Deadline
from agents.core.errors import BusyError
from agents.core.schema import Question


def admit(answerer: Answerer, question: Question, deadline: Deadline) -> None:
    """Raises BusyError when not even the cheapest rung of any engine is predicted to be done before ``deadline``.

    Its ``retry_after_s`` is the whole seconds until that rung would fit, at least 1. This also bounds how many
    questions are in flight: each of them has at least one step queued, and no more are let in than the engines get
    through in the time that one question has. Nothing may be awaited between this and ``Answerer.answer``, or others
    would be let in on the same prediction.

    Not refused is what waiting would not help: a deadline that is over already, or an engine that has nothing to do
    and is too slow for it. Nor are the questions of a batch: the later ones have later deadlines, so each takes the
    rung that fits when its turn comes, and those for which none does get the prior's answer at once.
    """
    shortfall_s = answerer.shortfall_s(question, deadline)
    if shortfall_s > 0:
        retry_after_s = max(1, math.ceil(shortfall_s))
        raise BusyError(
            f"{answerer.wait_s():.1f} s of work is queued, too much to answer in the {deadline.remaining_s():.1f} s "
            f"that are left; try again in {retry_after_s} s",
            retry_after_s,
        )
