"""What was written is on the disk, or whoever wrote it is told; what was deleted is nowhere."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.handheld.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "device.sqlite")
    opened.run("PRAGMA busy_timeout = 50")
    yield opened
    opened.close()


def on_disk(store: Store) -> list[tuple[str]]:
    """What another program, or the next start, finds."""
    other = sqlite3.connect(store.path)
    found = other.execute("SELECT key FROM meta ORDER BY key").fetchall()
    other.close()
    return found


def keep(store: Store, key: str) -> None:
    with store.transaction(), store.transaction():
        store.put(**{key: 1})


def test_what_could_not_be_committed_is_undone_and_what_comes_after_it_is_kept(store: Store) -> None:
    keep(store, "a")
    reader = sqlite3.connect(store.path, isolation_level=None)
    reading = reader.execute("SELECT name FROM sqlite_master")
    reading.fetchone()  # who reads does not let the commit through
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        keep(store, "b")
    reading.close()
    reader.close()
    keep(store, "c")
    assert on_disk(store) == [("a",), ("c",)]


def test_the_failure_is_told_where_sqlite_has_undone_the_transaction_itself(store: Store) -> None:
    """A full disk ends the transaction; an order to undo it would be a second failure before which nobody saw the first."""
    [(pages,)] = store.all("PRAGMA page_count")
    store.run(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction():
        store.put(large="x" * 100_000)
    keep(store, "small")
    assert on_disk(store) == [("small",)]
