"""The pool of questions that wait to be asked, and the record of all that were, each with its proof.

One SQLite file, which several processes may share. A question leaves it by one transaction that marks it as served,
before anybody sees it: so none is handed out twice, whatever is killed when.
"""

from __future__ import annotations

import json
import sqlite3
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agents.asking.pool.file import BUSY_TIMEOUT_S, PoolFile
from agents.asking.proposal import Proposal, RejectedError
from agents.asking.similarity_index import SimilarityIndex, question_id, shingle_hashes, text_digest
from agents.core.errors import AiacError
from agents.core.schema import Question, read_question

State = Literal["waiting", "served"]

UNKNOWN_HARDNESS = 0.75
"""Of a question that no stand-in has seen: that of four choices for somebody who guesses."""
_HARDEST_FIRST = f"COALESCE(hardness, {UNKNOWN_HARDNESS}) DESC, COALESCE(difficulty, 0) DESC, seq"
_EASIEST_FIRST = f"COALESCE(hardness, {UNKNOWN_HARDNESS}), COALESCE(difficulty, 0), seq DESC"
NEAR = 0.5
"""A question asked for by number differs from that number by at most this, as ``puzzles`` has it."""


@dataclass(frozen=True)
class ServedQuestion:
    """A question that was asked, and what a dispute needs to know of it."""

    id: str
    """The same for two questions of the same words and choices, in whatever order."""
    proposal: Proposal
    served_at_s: float
    """Unix time."""
    degraded: bool = False
    """Whether something is not as it should be: the pool's file was of no use, or this is not the level asked for."""

    @property
    def question(self) -> Question:
        return self.proposal.question

    def canonical(self) -> dict[str, Any]:
        """The organisers' question format."""
        return self.question.canonical(self.proposal.explanation)

    def to_json(self) -> dict[str, Any]:
        """JSON values: the canonical question, and everything else that is known of it."""
        p = self.proposal
        return {
            **self.canonical(), "id": self.id, "level": p.level, "difficulty": p.difficulty, "hardness": p.hardness,
            "proposer": p.proposer, "degraded": self.degraded, "proof": p.proof,
        }  # fmt: skip


@dataclass(frozen=True)
class PoolCount:
    """How many questions of a topic and level wait, and how many were served."""

    topic: str
    level: str
    waiting: int
    served: int


class QuestionPool:
    """For one thread at a time. Every method raises FileError when the file cannot be used; nothing is lost by that.

    ``path`` None keeps it in memory. ``capacity`` is for each topic and level. ``elsewhere`` knows questions that are
    in another pool and count as duplicates here.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        capacity: int = 50,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        elsewhere: SimilarityIndex | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.capacity = capacity
        self.index = SimilarityIndex()
        self._elsewhere = elsewhere or SimilarityIndex()
        self._clock = clock
        self._seen = 0
        self._file = PoolFile(path, busy_timeout_s)
        try:
            self._learn()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def duplicate(self, proposal: Proposal, *, served_only: bool = False) -> str | None:
        """Why ``proposal`` counts as one that is here or was served: "same structure", "similar text"; else None."""
        with self._file.reading() as db:
            return self._duplicate(db, proposal, served_only)[0]

    def add(self, proposal: Proposal) -> None:
        """Lets ``proposal`` wait to be asked; in a full topic and level the easiest makes room for a harder one.

        Raises RejectedError for a duplicate, and for one no harder than what a full pool has.
        """
        with self._file.transaction() as db:
            if reason := self._duplicate(db, proposal, served_only=False)[0]:
                raise RejectedError(reason)
            easiest = db.execute(
                "SELECT id, hardness, difficulty, count(*) OVER () FROM questions"  # noqa: S608 - no input in it
                f" WHERE state = 'waiting' AND topic = ? AND level = ? ORDER BY {_EASIEST_FIRST} LIMIT 1",
                (proposal.question.topic, proposal.level),
            ).fetchone()
            dropped = None
            if easiest is not None and easiest[3] >= self.capacity:
                if _rank(proposal.hardness, proposal.difficulty) <= _rank(easiest[1], easiest[2]):
                    raise RejectedError("a full pool of harder ones")
                dropped = easiest[0]
                db.execute("DELETE FROM questions WHERE id = ?", (dropped,))
            self._insert(db, proposal, "waiting")
        self._committed(proposal, [] if dropped is None else [dropped])

    def take(self, topic: str, level: str | None = None, near: float | None = None) -> ServedQuestion | None:
        """The hardest question that waits, from now on served; of a ``level``, or of a difficulty ``near`` a number.

        None when there is none.
        """
        with self._file.transaction() as db:
            row = db.execute(
                "UPDATE questions SET state = 'served', served_at = :now WHERE seq = (SELECT seq FROM questions"  # noqa: S608
                " WHERE state = 'waiting' AND topic = :topic AND (:level IS NULL OR level = :level)"
                " AND (:near IS NULL OR abs(difficulty - :near) <= :width)"
                f" ORDER BY {_HARDEST_FIRST} LIMIT 1) RETURNING {_COLUMNS}",
                {"now": self._clock(), "topic": topic, "level": level, "near": near, "width": NEAR},
            ).fetchone()
            # Inside: a row that cannot be read stays where it is.
            return None if row is None else self._read(row)

    def serve(self, proposal: Proposal) -> ServedQuestion:
        """Records ``proposal`` as served, though it never waited. What waits and is like it is dropped.

        Raises RejectedError when it, or one like it, was served before.
        """
        with self._file.transaction() as db:
            reason, alike = self._duplicate(db, proposal, served_only=True)
            if reason:
                raise RejectedError(reason)
            self._drop(db, alike)
            served_at = self._insert(db, proposal, "served")
        self._committed(proposal, alike)
        return ServedQuestion(question_id(proposal.question), proposal, served_at)

    def served(self, id_or_text: str) -> ServedQuestion | None:
        """The question that was served under an id, or the last one with a question text of these words."""
        with self._file.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM questions WHERE state = 'served' AND (id = ? OR text_digest = ?)"  # noqa: S608
                " ORDER BY id = ? DESC, seq DESC LIMIT 1",
                (id_or_text.strip(), text_digest(id_or_text), id_or_text.strip()),
            ).fetchone()
        return None if row is None else self._read(row)

    def counts(self) -> list[PoolCount]:
        """By topic and level, those of which there is or was any."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT topic, level, sum(state = 'waiting'), sum(state = 'served') FROM questions"
                " GROUP BY topic, level ORDER BY topic, level"
            ).fetchall()
        return [PoolCount(*row) for row in rows]

    def absorb(self, other: QuestionPool) -> None:
        """Takes over what ``other`` served, then what waits there; ``other`` stays as it is.

        A record of something served is kept even if it is like another one.
        """
        with other._file.reading() as db:
            rows = db.execute(f"SELECT state, {_COLUMNS} FROM questions ORDER BY state, seq").fetchall()  # noqa: S608
        for state, *row in rows:
            question = self._read(tuple(row))
            if state == "served":
                self._record(question)
                continue
            try:
                self.add(question.proposal)
            except RejectedError:
                continue

    def _record(self, served: ServedQuestion) -> None:
        with self._file.transaction() as db:
            _, alike = self._duplicate(db, served.proposal, served_only=True)
            self._drop(db, alike)
            self._insert(db, served.proposal, "served", served.served_at_s)
        self._committed(served.proposal, alike)

    def _duplicate(self, db: sqlite3.Connection, proposal: Proposal, served_only: bool) -> tuple[str | None, list[str]]:
        """The reason, and the ids of those that wait and are like ``proposal``."""
        self._learn()
        elements = shingle_hashes(proposal.question)
        for index in (self._elsewhere, self.index):
            same = index.same_structure(proposal.fingerprint)
            alike = dict.fromkeys([*([same] if same else []), *index.similar(elements)])
            # What another process dropped is still in the index.
            states = dict(
                db.execute(
                    f"SELECT id, state FROM questions WHERE id IN ({','.join('?' * len(alike))})",  # noqa: S608
                    list(alike),
                )
                if index is self.index
                else ((key, "served") for key in alike)
            )
            against = [key for key in alike if states.get(key) == "served" or (key in states and not served_only)]
            if against:
                return ("same structure" if same in against else "similar text"), []
        return None, [key for key in alike if states.get(key) == "waiting"]

    def _learn(self) -> None:
        """What any process has put into the file since the last time."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT seq, id, fingerprint, shingles FROM questions WHERE seq > ? ORDER BY seq", (self._seen,)
            )
            for seq, key, fingerprint, blob in rows:
                elements = array("Q")
                try:
                    elements.frombytes(blob)
                except (TypeError, ValueError):
                    raise self._file.damaged(f"row {seq} with shingles that cannot be read") from None
                self.index.add(key, elements, fingerprint)
                self._seen = seq

    def _committed(self, proposal: Proposal, dropped: list[str]) -> None:
        """What the index knows must not wait for the next look at the file: that may be of no use by then."""
        for key in dropped:
            self.index.discard(key)
        self.index.add(question_id(proposal.question), shingle_hashes(proposal.question), proposal.fingerprint)

    def _drop(self, db: sqlite3.Connection, keys: list[str]) -> None:
        db.executemany("DELETE FROM questions WHERE id = ? AND state = 'waiting'", [(key,) for key in keys])

    def _insert(
        self, db: sqlite3.Connection, proposal: Proposal, state: State, served_at_s: float | None = None
    ) -> float:
        """Returns the time that was noted, in seconds."""
        question, now = proposal.question, self._clock()
        proof = None if proposal.proof is None else json.dumps(proposal.proof, ensure_ascii=False)
        row = json.dumps(question.canonical(proposal.explanation), ensure_ascii=False)
        taken = db.execute("SELECT 1 FROM questions WHERE fingerprint = ?", (proposal.fingerprint,)).fetchone()
        served = (served_at_s if served_at_s is not None else now) if state == "served" else None
        db.execute(
            "INSERT OR IGNORE INTO questions (id, state, topic, level, difficulty, hardness, proposer, fingerprint,"
            " question, proof, text_digest, shingles, added_at, served_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                question_id(question), state, question.topic, proposal.level, proposal.difficulty, proposal.hardness,
                proposal.proposer, None if taken else proposal.fingerprint, row, proof, text_digest(question.text),
                shingle_hashes(question).tobytes(), now, served,
            ),
        )  # fmt: skip
        return now

    def _read(self, row: tuple[Any, ...]) -> ServedQuestion:
        key, level, difficulty, hardness, proposer, fingerprint, text, proof, served_at = row
        try:
            canonical: Mapping[str, Any] = json.loads(text)
            question, explanation = read_question(canonical), str(canonical["explanation"])
            loaded = None if proof is None else json.loads(proof)
        except (AiacError, ValueError, TypeError, KeyError, RecursionError):
            raise self._file.damaged(f"question {key} that cannot be read") from None
        proposal = Proposal(question, explanation, proposer, level, difficulty, fingerprint, loaded, hardness)
        return ServedQuestion(key, proposal, served_at or 0.0)


_COLUMNS = "id, level, difficulty, hardness, proposer, fingerprint, question, proof, served_at"


def _rank(hardness: float | None, difficulty: float | None) -> tuple[float, float]:
    return (UNKNOWN_HARDNESS if hardness is None else hardness, difficulty or 0.0)
