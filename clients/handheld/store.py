"""Everything that a device keeps, in one SQLite file: rows of its grids, what was recorded, what arrives, and who it is.

On a real terminal the file is SQLCipher's and its key lies in the keystore behind the worker's PIN; the statements are the same.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

StoreError: Final = sqlite3.OperationalError
"""What could not be written: the file is locked, or the disk full. Nothing of that transaction is kept."""
T = TypeVar("T")
Row = tuple[Any, ...]

TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- A grid that this device holds. new: a snapshot is wanted; live; leaving: lost, hidden, and deleted after the next push.
CREATE TABLE scope (
  scope_id INTEGER PRIMARY KEY,
  state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'live', 'leaving')),
  code TEXT, name TEXT,
  cursor TEXT,                 -- up to here everything is applied
  ahead TEXT,                  -- up to here pages are staged
  start TEXT, after TEXT,      -- of a snapshot under way: the cursor it began with, and the last row that is staged
  kinds TEXT                   -- kinds that a snapshot under way is limited to
);

-- The newest version that was seen of a row. data is NULL where it is gone: deleted, or moved out of all grids that the device holds.
-- The version stays, so that nothing older revives it. Versions count within an era: a server that was restored begins another.
CREATE TABLE entity (
  kind TEXT NOT NULL, id TEXT NOT NULL, era INTEGER NOT NULL, version INTEGER NOT NULL, data TEXT,
  deleted INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- In which grids a row lies, as far as this device was told: kept apart from the row, because a row that moves between two of the
-- device's grids is told twice, in any order.
CREATE TABLE member (
  kind TEXT NOT NULL, id TEXT NOT NULL, scope_id INTEGER NOT NULL, era INTEGER NOT NULL, version INTEGER NOT NULL, held INTEGER NOT NULL,
  PRIMARY KEY (kind, id, scope_id)
) WITHOUT ROWID;
CREATE INDEX member_scope ON member (scope_id, held);

-- What the worker recorded, in order, each as the very text that is sent. queued, or done: answered, and kept for a week in case the
-- server comes back from a backup. id is the one of the row, also where the body names one that this device chose in vain (alias).
CREATE TABLE mutation (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL, id TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done')),
  status TEXT, result TEXT, done_at REAL
);
CREATE INDEX mutation_entity ON mutation (kind, id, seq);
CREATE INDEX mutation_state ON mutation (state, seq);

-- What the worker should look at: conflicts and refusals. They are on the server as well.
CREATE TABLE inbox (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, result TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0);

-- Ids that this device chose for somebody who was in the register already.
CREATE TABLE alias (alias TEXT PRIMARY KEY, canonical TEXT NOT NULL) WITHOUT ROWID;

-- Pages of a pull that is not complete.
CREATE TABLE staged (place INTEGER PRIMARY KEY, scope_id INTEGER NOT NULL, item TEXT NOT NULL);

-- Rows of a snapshot that is not complete.
CREATE TABLE arriving (
  scope_id INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (scope_id, kind, id)
) WITHOUT ROWID;

-- Photos that are to be sent; refused says why one never will be.
CREATE TABLE photo (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, entity TEXT NOT NULL, content BLOB NOT NULL, filetype TEXT NOT NULL, refused TEXT
) WITHOUT ROWID;
"""
PRAGMAS: Final = ("PRAGMA secure_delete = ON", "PRAGMA foreign_keys = ON", "PRAGMA busy_timeout = 10000", "PRAGMA temp_store = MEMORY")
"""Deleted rows are overwritten with zeros, and no copy of them lies in a temporary file.

The journal is SQLite's own, which is gone after each commit: a write-ahead log would keep the old pages, and deleted rows on them, until it
begins anew.
"""
VERSION: Final = 1


class Store:
    """One device's file. One program at a time writes; `transaction` is the only way."""

    def __init__(self, path: Path) -> None:
        """Opens the file, and makes it where it is missing."""
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in PRAGMAS:
            self._connection.execute(pragma)
        self._within = False
        [(version,)] = self._connection.execute("PRAGMA user_version")
        if version == 0:
            self._connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing, on the disk when the block ends. Blocks may stand in one another; the outermost commits.

        Raises StoreError where that failed, at the end too: then nothing of it was written.
        """
        if self._within:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._within = True
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # of a full disk SQLite has undone it already
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._within = False

    def all(self, statement: str, *values: object) -> list[Row]:
        """Every row of the answer."""
        return self._connection.execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> Row | None:
        """The first row of the answer, if any."""
        return self._connection.execute(statement, values).fetchone()

    def run(self, statement: str, *values: object) -> int:
        """How many rows were written."""
        return self._connection.execute(statement, values).rowcount

    def many(self, statement: str, rows: Iterable[Row]) -> None:
        """Once for each row."""
        self._connection.executemany(statement, rows)

    def get(self, key: str) -> str | None:
        """One of the small things that have no table."""
        found = self.one("SELECT value FROM meta WHERE key = ?", key)
        return None if found is None else found[0]

    def put(self, **values: object) -> None:
        """Keep small things; None forgets one."""
        for key, value in values.items():
            if value is None:
                self.run("DELETE FROM meta WHERE key = ?", key)
            else:
                self.run("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, str(value))

    def number(self, key: str) -> int:
        """A small number; 0 where nothing is kept."""
        return int(self.get(key) or 0)

    def shrink(self) -> None:
        """Rewrite the file without what was deleted."""
        self._connection.execute("VACUUM")

    def wipe(self, *, unless: str | None = None) -> bool:
        """Delete everything but what signs the last word, and note that this was done (state `wiping`); then shrink.

        False, and nothing was deleted, where the statement `unless` finds a row: it is asked in the very transaction.
        """
        return self._in_any_room(lambda: self._empty(unless))

    def finish_wipe(self) -> None:
        """Shrink what was wiped."""
        self._in_any_room(self.shrink)

    def _in_any_room(self, deed: Callable[[], T]) -> T:
        """Wipe though the disk is full. The journal takes as much room as what is deleted, so it is kept in memory where the disk has none:
        whoever is killed then may find a damaged file, which is better than one that cannot be emptied. Nothing else is done so.
        """
        try:
            return deed()
        except StoreError:
            self._connection.execute("PRAGMA journal_mode = MEMORY")
            return deed()

    def _empty(self, unless: str | None) -> bool:
        with self.transaction():
            if unless is not None and self.one(unless) is not None:
                return False
            for (name,) in self.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meta'"):
                self.run(f"DELETE FROM {name}")  # names of our own tables
            self.run("DELETE FROM meta WHERE key NOT IN ('state', 'device_id', 'device_key', 'site')")
            self.put(state="wiping")
            return True

    @property
    def ended(self) -> bool:
        """Whether it was wiped: nothing may be written down here until the device is let in again."""
        return self.get("state") in {"wiping", "wiped"}
