"""What was written is on the disk, or whoever wrote it is told; what was deleted is nowhere."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clients.handheld.store import Row, Store, StoreError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "device.sqlite")
    opened.run("PRAGMA busy_timeout = 50")
    yield opened
    opened.close()


def on_disk(store: Store) -> list[Row]:
    """What another program, or the next start, finds."""
    with closing(Store(store.path)) as other:
        return other.all("SELECT key FROM meta ORDER BY key")


def keep(store: Store, key: str) -> None:
    with store.transaction(), store.transaction():
        store.put(**{key: 1})


def test_what_could_not_be_committed_is_undone_and_what_comes_after_it_is_kept(store: Store) -> None:
    keep(store, "a")
    with closing(Store(store.path)) as reader:
        reader.run("BEGIN")
        reader.all("SELECT key FROM meta")  # who goes on reading does not let the commit through
        with pytest.raises(StoreError, match="locked"):
            keep(store, "b")
    keep(store, "c")
    assert on_disk(store) == [("a",), ("c",)]


def test_the_failure_is_told_where_sqlite_has_undone_the_transaction_itself(store: Store) -> None:
    """A full disk ends the transaction; an order to undo it would be a second failure before which nobody saw the first."""
    [(pages,)] = store.all("PRAGMA page_count")
    store.run(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="full"), store.transaction():
        store.put(large="x" * 100_000)
    keep(store, "small")
    assert on_disk(store) == [("small",)]


def test_a_disk_without_room_for_a_journal_keeps_no_device_from_its_wipe(tmp_path: Path) -> None:
    rows = [(str(n), json.dumps({"name": "confidential" * 30})) for n in range(2000)]
    with closing(Store(tmp_path / "device.sqlite")) as store, store.transaction():
        store.many("INSERT INTO entity VALUES ('unit', ?, 0, 1, ?, 0)", rows)
        store.put(device_id="d", device_key="k", access_token="t")
    size = store.path.stat().st_size
    path = store.path.rename(tmp_path / ("d" * 250))  # a journal beside it would have a longer name than any file
    with closing(Store(path)) as store:
        with pytest.raises(StoreError), store.transaction():
            store.run("DELETE FROM entity")
        assert store.wipe()
        store.finish_wipe()
        assert store.all("SELECT key FROM meta ORDER BY key") == [("device_id",), ("device_key",), ("state",)]
    assert path.stat().st_size < size / 4
    assert b"confidential" not in path.read_bytes()
