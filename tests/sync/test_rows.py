"""Rows on the device: any order of the news, and any repetition of it, ends in what the server has."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.handheld import rows
from clients.handheld.store import Store

A, B = 1, 2
"""Two grids that the device holds."""
OUTSIDE = 9
ROW = "0190000a-0000-7000-8000-000000000001"


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store(Path(":memory:"))
    hold(opened)
    yield opened
    opened.close()


def hold(store: Store) -> None:
    store.many("INSERT INTO scope (scope_id, state) VALUES (?, 'live')", [(A,), (B,)])


def upsert(version: int, **data: object) -> dict[str, Any]:
    return {"op": "upsert", "kind": "unit", "id": ROW, "version": version, "data": data}


def removal(version: int, reason: str) -> dict[str, Any]:
    return {"op": "remove", "kind": "unit", "id": ROW, "version": version, "reason": reason}


def test_older_news_changes_nothing(store: Store) -> None:
    rows.apply_item(store, A, upsert(3, room="new"), era=0)
    rows.apply_item(store, A, upsert(2, room="old"), era=0)
    assert seen(store) == (3, "new")


def test_a_deleted_row_is_not_revived_by_older_news_and_is_by_newer(store: Store) -> None:
    rows.apply_item(store, A, upsert(1, room="1"), era=0)
    rows.apply_item(store, A, removal(2, "deleted"), era=0)
    rows.apply_item(store, A, upsert(1, room="1"), era=0)
    assert rows.shown(store, "unit", ROW) is None
    rows.apply_item(store, A, upsert(3, room="back"), era=0)
    assert seen(store) == (3, "back")


@pytest.mark.parametrize("gained_first", [True, False])
def test_a_row_that_moves_between_two_grids_of_the_device_stays(store: Store, gained_first: bool) -> None:
    rows.apply_item(store, A, upsert(1, room="1"), era=0)
    news = [(B, upsert(2, room="1")), (A, removal(2, "moved"))]
    for scope, item in news if gained_first else reversed(news):
        rows.apply_item(store, scope, item, era=0)
    assert seen(store) == (2, "1")
    assert (rows.checksum(store, A)[0], rows.checksum(store, B)[0]) == (0, 1)


def test_a_row_that_moves_away_leaves_nothing_but_its_number(store: Store) -> None:
    rows.apply_item(store, A, upsert(1, room="confidential"), era=0)
    rows.apply_item(store, A, removal(2, "moved"), era=0)
    assert rows.shown(store, "unit", ROW) is None
    assert store.all("SELECT data FROM entity") == [(None,)]


def test_a_row_that_moves_away_takes_along_what_answers_told_of_it(store: Store) -> None:
    """Also where it leaves before it was pulled in the form that the answer told."""
    told = json.dumps({"status": "conflict", "fields": ["use"], "current": {"use": "confidential"}})
    other = "0190000a-0000-7000-8000-000000000002"
    for seq, identity in enumerate((ROW, other), 1):
        rows.apply_item(store, A, upsert(1, use="other") | {"id": identity}, era=0)
        store.run("INSERT INTO inbox (seq, kind, id, result) VALUES (?, 'unit', ?, ?)", seq, identity, told)
        store.run("INSERT INTO mutation VALUES (?, 'unit', ?, '{}', 'done', 'conflict', ?, 0)", seq, identity, told)
    rows.apply_item(store, A, removal(2, "moved"), era=0)
    for table in ("inbox", "mutation"):
        kept = store.all(f"SELECT json_extract(result, '$.status'), json_extract(result, '$.current.use') FROM {table} ORDER BY seq")
        assert kept == [("conflict", None), ("conflict", "confidential")]


def test_a_snapshot_replaces_what_it_tells_in_the_same_version_and_nothing_newer(store: Store) -> None:
    """The server speaks a newer schema than the one by which the device got the row."""
    newer, deleted = (f"0190000a-0000-7000-8000-00000000000{n}" for n in (2, 3))
    rows.apply_item(store, A, upsert(3, room="1"), era=0)
    rows.apply_item(store, A, upsert(4, room="newer") | {"id": newer}, era=0)
    rows.apply_item(store, A, removal(3, "deleted") | {"id": deleted}, era=0)
    for identity in (ROW, newer, deleted):
        store.run("INSERT INTO arriving VALUES (?, 'unit', ?, 3, ?)", A, identity, json.dumps({"room": "1", "floor": 7}))
    rows.replace_scope(store, A, era=0, kinds=None)
    assert {row.id: row.data for row in rows.listed(store, "unit")} == {ROW: {"room": "1", "floor": 7}, newer: {"room": "newer"}}
    rows.apply_item(store, A, upsert(3, room="by a pull"), era=0)
    assert seen(store) == (3, "1")


def test_a_server_that_came_back_from_a_backup_begins_another_era_in_which_lower_versions_are_newer(store: Store) -> None:
    rows.apply_item(store, A, upsert(7, room="lost"), era=0)
    rows.apply_item(store, A, upsert(5, room="restored"), era=1)
    rows.apply_item(store, A, upsert(7, room="lost"), era=0)
    assert seen(store) == (5, "restored")


def test_checksum_is_the_exclusive_or_of_the_first_eight_bytes_of_the_hashes(store: Store) -> None:
    assert rows.checksum(store, A) == (0, "0000000000000000")
    rows.apply_item(store, A, upsert(12, room="1"), era=0)
    # printf '%s' unit0190000a-0000-7000-8000-00000000000112 | sha256sum | cut -c 1-16
    assert rows.checksum(store, A) == (1, "c77a79ed4361308b")


def seen(store: Store) -> tuple[int, object]:
    row = rows.shown(store, "unit", ROW)
    assert row is not None
    return row.version, row.data["room"]


@dataclass(frozen=True)
class Place:
    """Where a row is in one of its versions."""

    grid: int
    deleted: bool


@st.composite
def lives(draw: st.DrawFn) -> list[Place]:
    """The versions of a row: it is written, moved, deleted and restored."""
    return draw(st.lists(st.builds(Place, st.sampled_from([A, B, OUTSIDE]), st.booleans()), min_size=1, max_size=6))


def told(life: list[Place], grid: int, pointer: int, now: int) -> dict[str, Any]:
    """What a pull at the time `now` says of a pointer: the row as it is then, not as it was when the pointer was written."""
    place = life[now - 1]
    if place.grid == grid and not place.deleted:
        return upsert(now, room=str(now))
    return removal(now, "deleted") if place.grid == grid else removal(pointer, "moved")


@given(st.data())
def test_any_order_and_any_repetition_of_the_news_ends_in_the_same_rows(data: st.DataObject) -> None:
    life = data.draw(lives())
    last = len(life)
    news: list[tuple[int, dict[str, Any]]] = []
    for version, place in enumerate(life, 1):
        before = life[version - 2].grid if version > 1 else place.grid
        for grid in {place.grid, before} & {A, B}:
            moments = (*data.draw(st.lists(st.integers(version, last), max_size=2)), last)  # each pointer is told at least once, late
            news += [(grid, told(life, grid, version, now)) for now in moments]
    store = Store(Path(":memory:"))
    hold(store)
    for grid, item in data.draw(st.permutations(news)):
        rows.apply_item(store, grid, item, era=0)
    end = life[-1]
    row = rows.shown(store, "unit", ROW)
    here = end.grid in {A, B} and not end.deleted
    assert (None if row is None else (row.version, row.data["room"])) == ((last, str(last)) if here else None)
    assert [grid for grid in (A, B) if rows.checksum(store, grid)[0]] == ([end.grid] if here else [])
    assert here or store.all("SELECT 1 FROM entity WHERE data IS NOT NULL") == []
    store.close()


def test_a_snapshot_takes_away_what_it_does_not_name_and_leaves_the_other_grid(store: Store) -> None:
    other = "0190000a-0000-7000-8000-000000000002"
    rows.apply_item(store, A, upsert(1, room="gone meanwhile"), era=0)
    rows.apply_item(store, B, upsert(4, room="in B") | {"id": other}, era=0)
    fresh = "0190000a-0000-7000-8000-000000000003"
    store.run("INSERT INTO arriving VALUES (?, 'unit', ?, 2, ?)", A, fresh, json.dumps({"room": "fresh"}))
    rows.replace_scope(store, A, era=0, kinds=None)
    assert [row.id for row in rows.listed(store, "unit")] == [other, fresh]


def test_a_lost_grid_leaves_no_byte_in_the_file(tmp_path: Path) -> None:
    opened = Store(tmp_path / "device.sqlite")
    hold(opened)
    rows.apply_item(opened, A, upsert(1, room="confidential-room"), era=0)
    rows.apply_item(opened, B, upsert(1, room="another-room") | {"id": "0190000a-0000-7000-8000-000000000002"}, era=0)
    rows.forget_scope(opened, A)
    opened.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"confidential-room" not in content
    assert b"another-room" in content
