"""Which sandbox can be had here, tried out once, and the line that says what is missing from it."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

from tournament.teams.process import run_bounded
from tournament.teams.sandbox import CONFINEMENTS, Confinement, given_to, order_for

TRIAL_S = 20.0
"""Bounds one trial: starting an interpreter that does nothing takes 0.1 s, longer on a busy machine."""
TRIAL = (sys.executable, "-I", "-S", "-c", "import os; os.stat(os.getcwd())")
"""Fails where another user cannot reach the interpreter, or the folder by its whole path."""

LACKING: dict[Confinement, str] = {
    "apart": "",
    "user": "half a sandbox only: {name} runs as another user, but with the network and this machine's files to read. "
    "Play strangers in a container of their own.",
    "none": "no sandbox can be had here: {name} runs as this user, with the network and this user's files. "
    "Play strangers in a container of their own.",
}
"""One line by confinement; empty where nothing is missing."""


def best_confinement(folder: Path) -> Confinement:
    """The most that holds here for a command in ``folder``. Never tried with the folder's own interpreter."""
    if _apart():
        return "apart"
    return next((one for one in CONFINEMENTS[1:] if _holds(one, folder)), "none")


@cache
def _apart() -> bool:
    with tempfile.TemporaryDirectory(prefix="arena-") as folder:
        return _holds("apart", Path(folder))


def _holds(confinement: Confinement, folder: Path) -> bool:
    if confinement == "user" and os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix="arena-") as home:
        order = order_for(confinement, TRIAL, folder, home, {})
        try:
            with given_to(order.user, Path(home)):
                return run_bounded(order, TRIAL_S).exit_code == 0
        except OSError:
            return False
