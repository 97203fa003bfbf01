"""The voter of an ensemble that stands in for an opponent."""

from __future__ import annotations

from agents.answering.voter import Voter
from agents.ensemble.loading import LoadedEnsemble


def stand_in(loaded: LoadedEnsemble) -> Voter | None:
    """The voter of an ensemble that is likest an opponent, of those that serve now; None when none does.

    A base member where there is one, asked as it was fitted, also one that is only measured (weight 0). An ensemble
    without one, of adapters alone, is represented by its member of least weight: the one that helps the A-Agent least.
    A letter member is averaged over all cyclic orders, so that no question counts as hard for where its key stands.
    """
    serving = [*loaded.answerer.voters, *loaded.measured]
    base = [voter for voter in serving if voter.member.kind == "base"]
    if base:
        chosen = max(base, key=lambda voter: voter.member.weight)
    elif serving:
        chosen = min(serving, key=lambda voter: voter.member.weight)
    else:
        return None
    return chosen.in_all_orders()
