"""The ledger: what was asked, what happened, what is done. One SQLite file beside the output, safe at any instant.

Each state change is one transaction, written before the driver acts on it: the prompt id is in the ledger before the
prompt goes to a server, so that after a crash the driver can look for it there. A killed process loses nothing. What a
cut of the power could lose is never more than the last ``done``, which goes to the disk together with the next
submission (one wait for the disk per item in place of two): that item's prompt is then found again on its server.

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
CREATE INDEX IF NOT EXISTS by_place ON items (state, place);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_VERSION = "1"
_PAGE = 64
_NOTES = 20
LONGEST_WAIT = 3600.0
"""No back-off is longer (seconds): a row that is to wait longer was written before the clock was set back."""


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
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        try:
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")  # the disk has it before the statement returns
            self._db.executescript(_SCHEMA)
            self._check_version()
        except BadInputError:
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
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
        """Note (key, name) pairs that are not known yet, in order; returns how many were new. What is not done
        yet takes the new name."""
        items = list(items)
        with self._transaction():
            place = self._db.execute("SELECT COALESCE(MAX(place), 0) FROM items").fetchone()[0]
            before = self._db.total_changes
            rows = ((key, name, place + number) for number, (key, name) in enumerate(items, 1))
            self._db.executemany("INSERT OR IGNORE INTO items (key, name, place) VALUES (?, ?, ?)", rows)
            new = self._db.total_changes - before
            renamed = "UPDATE items SET name=?1 WHERE key=?2 AND name<>?1 AND state IN ('pending', 'failed')"
            self._db.executemany(renamed, ((name, key) for key, name in items))
            return new

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

    def ready(self, now: float) -> Iterator[Row]:
        """The items that may start: failed ones past their back-off, then pending ones in order, read page by page."""
        due = "SELECT * FROM items WHERE state='failed' AND (not_before <= ? OR not_before > ?) ORDER BY place"
        for row in self._ask(due, now, now + LONGEST_WAIT):
            yield _row(row)
        last = -1
        while page := self._ask(
            f"SELECT * FROM items WHERE state='pending' AND place > ? ORDER BY place LIMIT {_PAGE}", last
        ):
            for row in page:
                yield _row(row)
            last = page[-1]["place"]

    def open_keys(self) -> set[str]:
        """Keys of all that is neither done nor given up."""
        return {row[0] for row in self._ask("SELECT key FROM items WHERE state IN ('pending', 'failed', 'submitted')")}

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
        """The files are in place under their final names. The next submission brings this to the disk as well."""
        with self._turn:
            self._db.execute("PRAGMA synchronous=NORMAL")
            try:
                self._set(key, state="done", finished=now, seconds=seconds, outputs=json.dumps(outputs), error=None)
            finally:
                self._db.execute("PRAGMA synchronous=FULL")

    def failed(self, key: str, failure: str, error: str, not_before: float, rung: int) -> None:
        """Try again from ``not_before`` on, at ``rung`` of the ladder."""
        self._set(key, state="failed", failure=failure, error=error, not_before=not_before, rung=rung)

    def returned(self, key: str, note: str, *, counts: bool = False) -> None:
        """Back to pending through no fault of the item: an attempt under way does not count, unless ``counts``."""
        row = self.get(key)
        assert row is not None
        attempts = max(row.attempts - 1, 0) if row.state == "submitted" and not counts else row.attempts
        notes = json.dumps([*row.notes, note][-_NOTES:])
        self._set(key, state="pending", prompt_id=None, attempts=attempts, not_before=0, notes=notes)

    def replaced(self, key: str, name: str) -> None:
        """The result folder ``name`` is ``key``'s from now on; whoever had it before is to be made again."""
        query = (
            "UPDATE items SET state='pending', attempts=0, outputs='[]' WHERE key<>? AND state='done' AND outputs<>'[]'"
        )
        with self._turn:
            self._db.execute(query + " AND json_extract(outputs, '$[0].path') LIKE ? ESCAPE '!'", (key, _like(name)))

    def dead(self, key: str, failure: str, error: str, now: float) -> None:
        """Given up; the reason stays."""
        self._set(key, state="dead", failure=failure, error=error, finished=now)

    def revive(self) -> int:
        """Dead items become pending again (``--retry-failed``); returns how many."""
        query = "UPDATE items SET state='pending', attempts=0, rung=0, not_before=0, error=NULL WHERE state='dead'"
        with self._turn:
            return self._db.execute(query).rowcount

    def typical_seconds(self) -> float:
        """Median duration of what was done last, for the estimate of the end; 0 when nothing was."""
        query = "SELECT seconds FROM items WHERE state='done' AND seconds > 0 ORDER BY finished DESC LIMIT 51"
        found = sorted(float(row[0]) for row in self._ask(query))
        return found[len(found) // 2] if found else 0.0

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
            except BaseException:  # Ctrl-C too must not leave the transaction open; raised again
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _check_version(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (_VERSION,))
        version = self._db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0]
        if version != _VERSION:
            raise BadInputError(f"the ledger '{self.path}' is of version {version}, this driver writes {_VERSION}")


def _like(name: str) -> str:
    """A LIKE pattern (escape character ``!``) of every path in the folder ``name``."""
    for sign in "!%_":
        name = name.replace(sign, f"!{sign}")
    return f"{name}/%"


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
