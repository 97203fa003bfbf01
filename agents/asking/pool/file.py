"""The SQLite file behind the pool: opened and checked, its transactions, and its errors as sentences."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agents.core.errors import FileError, file_errors
from agents.support.atomic_file import PRIVATE

SCHEMA_VERSION = 1
APPLICATION_ID = 0x61696163
"""``aiac``, in the header of the file: what tells a pool from another program's database."""
BUSY_TIMEOUT_S = 1.0
"""How long a transaction waits for another process's. Theirs take milliseconds; longer means that something hangs."""

_SCHEMA = """
CREATE TABLE questions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'served')),
    topic TEXT NOT NULL,
    level TEXT NOT NULL,
    difficulty REAL,
    hardness REAL,
    proposer TEXT NOT NULL,
    fingerprint TEXT UNIQUE,
    question TEXT NOT NULL,
    proof TEXT,
    text_digest TEXT NOT NULL,
    shingles BLOB NOT NULL,
    added_at REAL NOT NULL,
    served_at REAL
);
CREATE INDEX waiting ON questions (topic, level) WHERE state = 'waiting';
CREATE INDEX counted ON questions (topic, level, state);
CREATE INDEX by_text ON questions (text_digest);
"""

_FOUND = {
    sqlite3.SQLITE_BUSY: "a file that another process has locked",
    sqlite3.SQLITE_LOCKED: "a file that another process has locked",
    sqlite3.SQLITE_NOTADB: "a file that is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "a damaged SQLite database",
    sqlite3.SQLITE_FULL: "a full disk",
    sqlite3.SQLITE_READONLY: "a file that cannot be written",
    sqlite3.SQLITE_CANTOPEN: "a path that cannot be opened",
    sqlite3.SQLITE_IOERR: "a disk that does not read or write",
}


class PoolFile:
    """A connection to a pool's database, made if it is not there; ``path`` None is one in memory.

    For one thread at a time. Raises FileError, as its methods do: for a file that is locked, damaged, no database, of
    another program or schema, or that cannot be written.
    """

    def __init__(self, path: Path | None, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._name = "question pool" if path is None else str(path)
        self._timeout_s = busy_timeout_s
        if path is not None:
            with file_errors(path.parent, "a folder for the pool"):
                path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives the files beside it the same mode. A file that is there is not opened: closing it again would
            # release the locks that SQLite holds on it in this process. SQLite says what is wrong with a path.
            with suppress(OSError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
        with self._errors():
            self.db = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=busy_timeout_s, isolation_level=None, check_same_thread=False,
            )  # fmt: skip
        try:
            self._prepare()
        except BaseException:
            self.db.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside or nothing, with no other process's write in between. Raises FileError."""
        with self._errors():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                # A full disk has rolled back by itself.
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For reads that need no transaction. Raises FileError."""
        with self._errors():
            yield self.db

    def damaged(self, what: str) -> FileError:
        """The error for contents that this program did not write."""
        return FileError(self._name, what, "a pool of questions that this program wrote")

    def close(self) -> None:
        self.db.close()

    def _prepare(self) -> None:
        with self._errors():
            # In this order: another process may be making the tables now, and it sets both numbers together with them.
            tables = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            version, program = self._pragma("user_version"), self._pragma("application_id")
        if tables and program != APPLICATION_ID:
            raise self.damaged("the database of another program")
        if tables and version != SCHEMA_VERSION:
            raise FileError(self._name, f"schema version {version}", f"version {SCHEMA_VERSION}; move the file away")
        with self._errors():
            # WAL: readers never wait. FULL: what was handed out stays so after a power cut.
            self._pragma("journal_mode = WAL")
            self._pragma("synchronous = FULL")
            problem = self._pragma("quick_check(1)")
        if problem != "ok":
            raise self.damaged("a damaged SQLite database")
        if not tables:
            with self.transaction() as db:
                if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _SCHEMA.split(";"):
                        db.execute(statement)
                    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _pragma(self, text: str) -> object:
        row = self.db.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # The low byte is the kind, the rest says more of it.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            found = _FOUND.get(code, f"an SQLite error ({error})")
            if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise self.damaged(found) from None
            raise FileError(self._name, found, "a pool of questions that can be read and written") from None
