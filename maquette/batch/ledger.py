"""The ledger: what was asked, what happened, what is done. One SQLite file beside the output, safe at any instant.

Each state change is one transaction (WAL, synchronous FULL), written before the driver acts on it: the prompt id is in
the ledger before the prompt goes to a server, so that after a crash the driver can look for it there.

States: pending -> submitted -> done | failed (will be tried again) | dead (given up). One driver per ledger: the first
holds a lock with a heartbeat of the operating system (a locked file), a second refuses politely.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import BadInputError

STATES = ("pending", "submitted", "done", "failed", "dead")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, place INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
    attempts INTEGER NOT NULL DEFAULT 0, rung INTEGER NOT NULL DEFAULT 0, server TEXT, prompt_id TEXT,
    submitted REAL, finished REAL, seconds REAL, not_before REAL NOT NULL DEFAULT 0,
    failure TEXT, error TEXT, outputs TEXT NOT NULL DEFAULT '[]', notes TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX IF NOT EXISTS by_state ON items (state, not_before, place);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_VERSION = "1"


@dataclass(frozen=True)
class Row:
    """One item as the ledger knows it. ``outputs``: [{"path", "sha256", "bytes"}], paths relative to the output."""

    key: str
    name: str
    state: str
    attempts: int
    rung: int
    server: str | None
    prompt_id: str | None
    submitted: float | None
    finished: float | None
    seconds: float | None
    not_before: float
    failure: str | None
    error: str | None
    outputs: list[dict[str, Any]]
    notes: list[str]


class Ledger:
    """Open with ``Ledger(path)``; close it, or use it as a context manager. Threads may share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._turn = threading.RLock()  # one connection, one statement at a time
        self._lock = _hold(path.with_suffix(path.suffix + ".lock"))
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            self._check_version()
        except sqlite3.DatabaseError as error:
            _release(self._lock)
            raise BadInputError(f"the ledger '{path}' cannot be used ({error}); move it away to start anew") from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let another driver in."""
        self._db.close()
        _release(self._lock)

    def add(self, items: Iterable[tuple[str, str]]) -> int:
        """Note (key, name) pairs that are not known yet, in order; returns how many were new."""
        with self._transaction():
            place = self._db.execute("SELECT COALESCE(MAX(place), 0) FROM items").fetchone()[0]
            before = self._db.total_changes
            rows = ((key, name, place + number) for number, (key, name) in enumerate(items, 1))
            self._db.executemany("INSERT OR IGNORE INTO items (key, name, place) VALUES (?, ?, ?)", rows)
            return self._db.total_changes - before

    def get(self, key: str) -> Row | None:
        """The row of one item."""
        rows = self._ask("SELECT * FROM items WHERE key = ?", key)
        return _row(rows[0]) if rows else None

    def rows(self, *states: str) -> Iterator[Row]:
        """All rows in the given states (all when none is given), in the order they were added."""
        wanted = states or STATES
        marks = ",".join("?" * len(wanted))
        for row in self._ask(f"SELECT * FROM items WHERE state IN ({marks}) ORDER BY place", *wanted):
            yield _row(row)

    def counts(self) -> dict[str, int]:
        """Number of items per state."""
        found = {row[0]: row[1] for row in self._ask("SELECT state, COUNT(*) FROM items GROUP BY state")}
        return {state: found.get(state, 0) for state in STATES}

    def ready(self, now: float) -> list[Row]:
        """The items that may start, in order: pending, or failed and past their back-off."""
        query = "SELECT * FROM items WHERE state IN ('pending', 'failed') AND not_before <= ? ORDER BY place"
        return [_row(row) for row in self._ask(query, now)]

    def submitting(self, key: str, server: str, prompt_id: str, now: float) -> None:
        """Say, before it happens, that ``prompt_id`` goes to ``server``."""
        self._change(
            "UPDATE items SET state='submitted', server=?, prompt_id=?, submitted=?, attempts=attempts+1, failure=NULL,"
            " error=NULL WHERE key=?",
            (server, prompt_id, now, key),
        )

    def accepted_as(self, key: str, prompt_id: str) -> None:
        """The server chose another id for the prompt."""
        self._set(key, prompt_id=prompt_id)

    def done(self, key: str, outputs: list[dict[str, Any]], seconds: float, now: float) -> None:
        """The files are in place under their final names."""
        self._set(key, state="done", finished=now, seconds=seconds, outputs=json.dumps(outputs), error=None)

    def failed(self, key: str, failure: str, error: str, not_before: float, rung: int) -> None:
        """Try again from ``not_before`` on, at ``rung`` of the ladder."""
        self._set(key, state="failed", failure=failure, error=error, not_before=not_before, rung=rung)

    def returned(self, key: str, note: str) -> None:
        """A prompt that its server lost through no fault of the item: back to pending, the attempt does not count."""
        row = self.get(key)
        assert row is not None
        attempts = max(row.attempts - 1, 0)
        self._set(key, state="pending", prompt_id=None, attempts=attempts, notes=json.dumps([*row.notes, note]))

    def dead(self, key: str, failure: str, error: str, now: float) -> None:
        """Given up; the reason stays."""
        self._set(key, state="dead", failure=failure, error=error, finished=now)

    def revive(self) -> int:
        """Dead items become pending again (``--retry-failed``); returns how many."""
        query = "UPDATE items SET state='pending', attempts=0, rung=0, not_before=0, error=NULL WHERE state='dead'"
        with self._turn:
            return self._db.execute(query).rowcount

    def typical_seconds(self, default: float = 60.0) -> float:
        """Median duration of what was done so far, for the estimate of the end."""
        found = [row[0] for row in self._ask("SELECT seconds FROM items WHERE state='done' ORDER BY seconds")]
        return float(found[len(found) // 2]) if found else default

    def _set(self, key: str, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._change(f"UPDATE items SET {names} WHERE key = ?", (*values.values(), key))

    def _change(self, query: str, values: tuple[Any, ...]) -> None:
        with self._turn:
            if self._db.execute(query, values).rowcount != 1:
                raise KeyError(values[-1])

    def _ask(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._turn:
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _check_version(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (_VERSION,))
        version = self._db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0]
        if version != _VERSION:
            raise BadInputError(f"the ledger '{self.path}' is of version {version}, this driver writes {_VERSION}")


def _row(row: sqlite3.Row) -> Row:
    values = {name: row[name] for name in Row.__dataclass_fields__}
    values["outputs"], values["notes"] = json.loads(values["outputs"]), json.loads(values["notes"])
    return Row(**values)


def _hold(path: Path) -> IO[str]:
    """Lock a file for the life of this process; the system lets go when the process dies, however it dies."""
    stream = path.open("a+", encoding="utf-8")
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.close()
        raise BadInputError(
            f"another driver is at work on '{path.with_suffix('')}'; wait for it, or give another output folder"
        ) from error
    stream.seek(0)
    stream.truncate()
    stream.write(f"{os.getpid()} {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
    stream.flush()
    return stream


def _release(stream: IO[str]) -> None:
    if not stream.closed:
        stream.close()  # closing lets go of the lock on every system
