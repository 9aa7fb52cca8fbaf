"""What a worker records stays until it is answered, and is shown until it has come back."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.handheld import identity, outbox, rows
from clients.handheld.store import Store

GRID = 1
ROW = "0190000a-0000-7000-8000-000000000001"


@dataclass
class SetClock:
    """A clock that stands where the test puts it."""

    boot_id: str = "boot-1"
    wall: dt.datetime = dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)
    mono: int = 1000

    def now(self) -> dt.datetime:
        return self.wall

    def mono_ms(self) -> int:
        return self.mono


CLOCK = SetClock()
ANSWERED = "2026-11-23T08:00:00.512Z"


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store(Path(":memory:"))
    opened.run("INSERT INTO scope (scope_id, state) VALUES (?, 'live')", GRID)
    yield opened
    opened.close()


def pulled(store: Store, version: int, **data: object) -> None:
    rows.apply_item(store, GRID, {"op": "upsert", "kind": "unit", "id": ROW, "version": version, "data": data}, era=0)


def body(store: Store, seq: int) -> dict[str, Any]:
    found = store.one("SELECT body FROM mutation WHERE seq = ?", seq)
    assert found is not None
    return json.loads(found[0])


def answered(store: Store, *results: dict[str, Any]) -> list[outbox.Letter]:
    return outbox.settle(store, {"server_time": ANSWERED, "results": list(results)})


def later(*, days: int) -> float:
    """So long after the answers, by the server's clock."""
    return dt.datetime.fromisoformat(ANSWERED).timestamp() + days * 86_400


def room(store: Store) -> object:
    row = rows.shown(store, "unit", ROW)
    return None if row is None else row.data.get("room")


def test_nobody_changes_a_row_that_is_not_on_the_device(store: Store) -> None:
    with pytest.raises(outbox.RecordError):
        outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "1"})
    assert store.number("last_seq") == 0


def test_what_is_too_large_to_be_sent_is_refused_where_it_is_written(store: Store) -> None:
    with pytest.raises(outbox.RecordError):
        outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": "x" * 70_000})
    assert outbox.waiting(store) == 0


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), "\ud800", b"bytes"], ids=["infinite", "no number", "half a character", "bytes"]
)
def test_what_is_no_json_is_refused_where_it_is_written(store: Store, value: object) -> None:
    with pytest.raises(outbox.RecordError):
        outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": value})
    assert outbox.waiting(store) == 0


@pytest.mark.parametrize("levels", [outbox.DEEPEST, 100, 5_000])
def test_what_is_nested_deeper_than_the_server_reads_is_refused_where_it_is_written(store: Store, levels: int) -> None:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    with pytest.raises(outbox.RecordError):
        outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": value})
    assert outbox.waiting(store) == 0


def test_a_change_names_the_version_that_the_worker_saw(store: Store) -> None:
    pulled(store, 7, room="1", use="other")
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "2"})
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "3"})
    assert [body(store, seq)["base"] for seq in (1, 2)] == [{"version": 7}] * 2
    assert [body(store, seq)["was"] for seq in (1, 2)] == [{"room": "1"}, {"room": "2"}]


def test_a_change_of_a_row_that_only_this_device_knows_names_the_number_that_makes_it(store: Store) -> None:
    outbox.record(store, CLOCK, "create", "unit", ROW, scope_id=GRID, values={"room": "1"})
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "2"})
    outbox.record(store, CLOCK, "delete", "unit", ROW)
    assert [body(store, seq).get("base") for seq in (1, 2, 3)] == [None, {"seq": 1}, {"seq": 1}]
    assert room(store) is None


def test_a_refused_change_of_an_own_row_is_nothing_that_others_build_on(store: Store) -> None:
    outbox.record(store, CLOCK, "create", "unit", ROW, scope_id=GRID, values={"room": "1"})
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "2"})
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "bad"})
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "3"})
    assert body(store, 4)["base"] == {"seq": 1}  # of the two between nobody knows yet
    answered(store, {"seq": 1, "status": "applied"}, {"seq": 2, "status": "applied"}, {"seq": 3, "status": "rejected", "problem": {}})
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "4"})
    assert body(store, 5)["base"] == {"seq": 2}


def test_batches_are_consecutive_and_end_before_they_are_too_large(store: Store) -> None:
    for number in range(5):
        outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": str(number)})
    whole = outbox.batch(store, most=200, most_bytes=1 << 20)
    assert whole is not None
    assert (whole.first, whole.last) == (1, 5)
    size = len(whole.bodies[0].encode())
    halved = outbox.batch(store, most=200, most_bytes=size * 2 + 10)
    tiny = outbox.batch(store, most=200, most_bytes=1)
    assert halved is not None
    assert tiny is not None
    assert (halved.last, tiny.last) == (2, 1)
    assert [one["seq"] for one in json.loads(whole.text("d", CLOCK))["mutations"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("status", ["applied", "merged", "noop", "duplicate_of", "conflict", "rejected", "a-status-of-the-future"])
def test_every_status_takes_the_item_off_the_queue(store: Store, status: str) -> None:
    outbox.record(store, CLOCK, "create", "unit", ROW, scope_id=GRID, values={"room": "1"})
    told = answered(store, {"seq": 1, "status": status})
    assert outbox.waiting(store) == 0
    assert [letter.seq for letter in told] == ([1] if status in {"conflict", "rejected"} else [])
    assert outbox.inbox(store) == told


def test_an_own_change_is_shown_until_it_has_come_back(store: Store) -> None:
    pulled(store, 1, room="1")
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "2"})
    assert room(store) == "2"
    answered(store, {"seq": 1, "status": "applied", "version": 2})
    assert room(store) == "2"
    pulled(store, 2, room="2")
    store.put(acked_seq=1)
    row = rows.shown(store, "unit", ROW)
    assert row is not None
    assert (row.data, row.version, row.pending) == ({"room": "2"}, 2, False)


def test_after_a_conflict_the_servers_value_is_shown_and_the_other_fields_stay(store: Store) -> None:
    pulled(store, 1, room="1", use="shop")
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "2", "use": "office"})
    answered(store, {"seq": 1, "status": "conflict", "version": 3, "fields": ["use"], "merged": ["room"]})
    row = rows.shown(store, "unit", ROW)
    assert row is not None
    assert row.data == {"room": "2", "use": "shop"}


def test_what_was_refused_is_not_shown_as_if_it_were_so(store: Store) -> None:
    pulled(store, 1, room="1")
    outbox.record(store, CLOCK, "update", "unit", ROW, values={"room": "bad"})
    answered(store, {"seq": 1, "status": "rejected", "problem": {}})
    assert room(store) == "1"


def test_somebody_who_was_there_already_is_shown_once(store: Store) -> None:
    known, chosen = ROW, "0190000a-0000-7000-8000-00000000000f"
    outbox.record(store, CLOCK, "create", "resident", chosen, scope_id=GRID, values={"name": "张三"})
    outbox.record(store, CLOCK, "update", "resident", chosen, values={"name": "张三丰"})
    rows.apply_item(store, GRID, {"op": "upsert", "kind": "resident", "id": known, "version": 4, "data": {"name": "张三"}}, era=0)
    answered(store, {"seq": 1, "status": "duplicate_of", "canonical_id": known})
    assert [(row.id, row.data["name"]) for row in rows.listed(store, "resident")] == [(known, "张三丰")]
    assert rows.shown(store, "resident", chosen) == rows.shown(store, "resident", known)


def test_somebody_who_was_there_already_is_shown_as_written_down_until_the_record_comes(store: Store) -> None:
    known, chosen = ROW, "0190000a-0000-7000-8000-00000000000f"
    outbox.record(store, CLOCK, "create", "resident", chosen, scope_id=GRID, values={"name": "张三"})
    answered(store, {"seq": 1, "status": "duplicate_of", "canonical_id": known})
    for either in (known, chosen):
        row = rows.shown(store, "resident", either)
        assert row is not None
        assert (row.id, row.version, row.data) == (known, 0, {"name": "张三"})
    assert [row.id for row in rows.listed(store, "resident")] == [known]
    outbox.record(store, CLOCK, "update", "resident", chosen, values={"name": "张三丰"})
    assert body(store, 2)["base"] == {"seq": 1}
    rows.apply_item(store, GRID, {"op": "upsert", "kind": "resident", "id": known, "version": 4, "data": {"name": "张"}}, era=0)
    assert [(row.id, row.version, row.data["name"]) for row in rows.listed(store, "resident")] == [(known, 4, "张三丰")]


def test_an_alias_that_the_server_has_lost_hides_nobody(store: Store) -> None:
    """Who was there first may now be the one whom this device enters."""
    known, chosen = ROW, "0190000a-0000-7000-8000-00000000000f"
    outbox.record(store, CLOCK, "create", "resident", chosen, scope_id=GRID, values={"name": "张三"})
    answered(store, {"seq": 1, "status": "duplicate_of", "canonical_id": known})
    outbox.record(store, CLOCK, "update", "resident", known, values={"name": "张三丰"})
    outbox.resend_from(store, 1)
    assert [(row.id, row.data["name"]) for row in rows.listed(store, "resident")] == [(chosen, "张三")]
    answered(store, {"seq": 1, "status": "applied", "id": chosen, "version": 1})
    assert store.all("SELECT * FROM alias") == []
    assert [(row.id, row.data["name"]) for row in rows.listed(store, "resident")] == [(chosen, "张三")]


def test_an_id_that_is_applied_after_all_stands_for_itself(store: Store) -> None:
    store.run("INSERT INTO alias VALUES (?, 'somebody')", ROW)
    outbox.record(store, CLOCK, "create", "unit", ROW, scope_id=GRID, values={"room": "1"})
    answered(store, {"seq": 1, "status": "applied", "version": 1})
    assert [row.id for row in rows.listed(store, "unit")] == [ROW]


def test_a_server_that_knows_less_is_sent_what_it_lost(store: Store) -> None:
    for number in range(4):
        outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": str(number)})
    answered(store, *({"seq": seq, "status": "applied"} for seq in (1, 2, 3)))
    before = [body(store, seq) for seq in (2, 3, 4)]
    outbox.resend_from(store, 2)
    batch = outbox.batch(store, most=200, most_bytes=1 << 20)
    assert batch is not None
    assert [json.loads(text) for text in batch.bodies] == before


def test_a_server_that_wants_what_is_not_kept_any_more_is_told_to_somebody(store: Store) -> None:
    for number in range(3):
        outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": str(number)})
    answered(store, {"seq": 1, "status": "applied"}, {"seq": 2, "status": "applied"})
    store.put(acked_seq=2)
    outbox.prune(store, now=later(days=8))
    with pytest.raises(outbox.SequenceLostError):
        outbox.resend_from(store, 2)
    assert outbox.waiting(store) == 1


def test_it_is_told_too_when_nothing_is_kept(store: Store) -> None:
    outbox.record(store, CLOCK, "create", "unit", scope_id=GRID, values={"room": "1"})
    answered(store, {"seq": 1, "status": "applied"})
    store.put(acked_seq=1)
    outbox.prune(store, now=later(days=8))
    with pytest.raises(outbox.SequenceLostError):
        outbox.resend_from(store, 1)
    outbox.resend_from(store, 2)  # the server lacks nothing


def test_answered_mutations_are_kept_for_a_week_and_longer_when_they_have_not_come_back(store: Store) -> None:
    outbox.record(store, CLOCK, "create", "unit", ROW, scope_id=GRID, values={"room": "1"})
    answered(store, {"seq": 1, "status": "applied"})
    assert outbox.prune(store, now=later(days=8)) == 0
    store.put(acked_seq=1)
    assert outbox.prune(store, now=later(days=6)) == 0
    assert outbox.prune(store, now=later(days=8)) == 1


@pytest.mark.parametrize(
    ("clock", "locked"),
    [
        (SetClock(wall=CLOCK.wall + dt.timedelta(days=6)), False),
        (SetClock(wall=CLOCK.wall + dt.timedelta(days=8)), True),
        (SetClock(wall=CLOCK.wall - dt.timedelta(days=2)), True),
        (SetClock(mono=1000 + 8 * 86_400_000), True),
    ],
    ids=["within the lease", "after it", "clock turned back", "clock stood still"],
)
def test_a_device_that_was_away_for_too_long_shows_nothing(store: Store, clock: SetClock, locked: bool) -> None:
    identity.in_touch(store, CLOCK)
    if locked:
        with pytest.raises(identity.LockedError):
            identity.check_lease(store, clock)
    else:
        identity.check_lease(store, clock)
