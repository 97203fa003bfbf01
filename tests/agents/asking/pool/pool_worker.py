"""Another process on a pool file, for tests that kill or race one: python pool_worker.py FILE COMMAND START.

``fill`` adds questions without end, taking every third; ``drain`` takes until there is none. Each id that was taken is
printed once it is out.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from question_fakes import unproved

from agents.asking.pool.pool import QuestionPool


def main() -> None:
    path, command, start = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    pool = QuestionPool(path, capacity=100_000, busy_timeout_s=30)
    for number in count(start):
        if command == "fill":
            pool.add(unproved(number))
            if number % 3:
                continue
        taken = pool.take("Trivia")
        if taken is None:
            break
        print(taken.id, flush=True)  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
