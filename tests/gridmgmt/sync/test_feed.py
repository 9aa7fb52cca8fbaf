"""The feed: who gets nothing, cursors of another time, and what a device holds after it pulled."""

import hashlib
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest

from gridmgmt.database import Database
from gridmgmt.errors import InvalidError
from gridmgmt.reads import Query
from gridmgmt.sync.cursors import END, Cursor
from gridmgmt.sync.feed import PAGES, PLANNED_ONCE, Asked, Page, Resync, open_reading, pull
from tests import horizon
from tests.drawn import Drawn
from tests.gridmgmt.sync.handling import CURSORS, Hand, live, resyncs, run
from tests.handhelds import Device, enrolled
from tests.places import Places

Run = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def device(drawn: Drawn) -> Device:
    horizon.settle(drawn.address)
    return enrolled(drawn)


@pytest.fixture
def as_superuser(drawn: Drawn) -> Run:
    """Runs statements as the superuser, each committed."""
    return lambda statement: horizon.as_superuser(drawn.address, statement)


def moved(places: Places) -> str:
    """The tower goes to the grid in the south-east, with its units, its residences and whoever lives there."""
    shop, tower = places.buildings["shop"], places.buildings["tower"]
    return f"UPDATE reg.building SET entrance = (SELECT entrance FROM reg.building WHERE id = '{shop}') WHERE id = '{tower}'"


def place_of(cursor: str | None) -> Cursor:
    """What a cursor says."""
    body = orjson.loads(urlsafe_b64decode((cursor or "").partition(".")[0] + "=="))
    return Cursor(body["e"], body["s"], int(body["x"]), body["q"], body["k"])


def test_scope_of_another_is_named_as_removed_and_nothing_of_it_is_told(drawn: Drawn, device: Device) -> None:
    east = drawn.places.grids["east-inner"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        hand.held.cursors[east] = CURSORS.seal(Cursor("e", east, 3, 0, 1))
        return await hand.ask(east)

    pulled = run(drawn.address, work)
    assert (pulled.parts, pulled.removed) == ([], [east])


def test_cursor_made_up_for_this_epoch_is_refused(drawn: Drawn, device: Device) -> None:
    home = drawn.places.grids["south-west"]

    async def work(database: Database) -> None:
        hand = Hand(database, device.actor)
        await hand.read(home)
        known = hand.held.cursors[home]
        assert known is not None
        hand.held.cursors[home] = known[:-1] + ("0" if known[-1] != "0" else "1")
        with pytest.raises(InvalidError) as refusal:
            await hand.ask(home)
        assert refusal.value.slug == "malformed-request"

    run(drawn.address, work)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": "1:1:another"}, "epoch"),
        ({"xid": 2**62}, "epoch"),
        ({"schema": 0}, "schema"),
        ({"schema": 99}, "schema"),
        ({"xid": 7}, "cursor-expired"),
    ],
)
def test_cursor_of_another_time_is_answered_by_a_resync(
    drawn: Drawn, device: Device, as_superuser: Run, change: dict[str, Any], reason: str
) -> None:
    home = drawn.places.grids["south-west"]
    as_superuser("UPDATE sync.feed_meta SET pruned_below = '9'")

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        known = place_of(hand.held.cursors[home])
        hand.held.cursors[home] = CURSORS.seal(replace(known, **change))
        return await hand.ask(home)

    assert resyncs(run(drawn.address, work)) == {home: reason}


def test_cursor_just_below_what_was_pruned_goes_on(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    home = drawn.places.grids["south-west"]
    as_superuser("UPDATE sync.feed_meta SET pruned_below = '9'")

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        epoch = place_of(hand.held.cursors[home]).epoch
        answers: list[Any] = []
        for seq in (END, END - 1):
            hand.held.cursors[home] = CURSORS.seal(Cursor(epoch, home, 8, seq, 1))
            answers.append(resyncs(await hand.ask(home)))
        return answers

    assert run(drawn.address, work) == [{}, {home: "cursor-expired"}]


def test_scope_without_a_cursor_is_sent_to_its_snapshot(drawn: Drawn, device: Device) -> None:
    home = drawn.places.grids["south-west"]
    pulled = run(drawn.address, lambda database: Hand(database, device.actor).ask(home))
    assert pulled.parts == [Resync(home, f"/v1/sync/snapshot/{home}")]


def test_newer_schema_reads_its_kinds_anew_from_where_it_stands(drawn: Drawn, device: Device) -> None:
    home = drawn.places.grids["south-west"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        return hand.held.cursors[home], await hand.ask(home, changed=("unit", "lease"))

    cursor, pulled = run(drawn.address, work)
    assert pulled.parts == [Resync(home, f"/v1/sync/snapshot/{home}?kinds=unit,lease&start={cursor}", "schema")]


def test_snapshot_holds_what_lives_in_the_scope_and_nothing_else(drawn: Drawn, device: Device) -> None:
    home = drawn.places.grids["south-west"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        lines = await hand.read(home)
        return hand.held, lines

    held, lines = run(drawn.address, work)
    assert held.rows == live(drawn.address, home)
    kinds = [line["kind"] for line in lines if line["type"] == "row"]
    assert kinds == ["building"] * 2 + ["unit"] * 3 + ["resident"] * 2 + ["residence"] * 3 + ["lease"] * 2 + [
        *["manager", "inspection", "inspection", "duty_report", "duty_report"]
    ]
    cursor = lines[-1]["cursor"]
    assert lines[0] == {"type": "begin", "scope": home, "start_cursor": cursor, "epoch": place_of(cursor).epoch, "estimate": 17}
    assert (lines[-1]["type"], lines[-1]["count"]) == ("end", 17)


def test_change_deletion_and_move_reach_the_device(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    home, places = drawn.places.grids["south-west"], drawn.places
    zhang, lease = str(places.people["zhang"]), str(places.leases["village-sublet"])

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        quiet = await hand.pull(home)
        as_superuser(f"UPDATE reg.person SET name = '张小山' WHERE id = '{zhang}'")
        as_superuser(f"UPDATE reg.lease SET deleted_at = now() WHERE id = '{lease}'")
        as_superuser(moved(places))
        return quiet, await hand.pull(home), hand.held

    quiet, items, held = run(drawn.address, work)
    assert quiet == []
    assert held.rows == live(drawn.address, home)
    told = {(item["kind"], item["id"]): item for item in items}
    assert len(told) == len(items)  # one item for an entity, however often it changed
    assert told["lease", lease] == {"op": "remove", "kind": "lease", "id": lease, "version": 2, "reason": "deleted"}
    tower = str(places.buildings["tower"])
    assert told["building", tower] == {"op": "remove", "kind": "building", "id": tower, "version": 2, "reason": "moved"}
    assert told["resident", zhang]["reason"] == "moved"  # who lived there went along: the name that was changed before is not told


def test_who_has_both_grids_gets_the_row_from_one_and_the_removal_from_the_other(drawn: Drawn, as_superuser: Run) -> None:
    device, places = enrolled(drawn), drawn.places
    home, east = places.grids["south-west"], places.grids["south-east"]
    as_superuser(
        "INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from)"
        f" VALUES ({device.actor.account_id}, {east}, 1, '2020-01-01')"
    )
    tower = str(places.buildings["tower"])

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        for scope in (home, east):
            await hand.read(scope)
        as_superuser(moved(places))
        await hand.pull(home, east)
        return hand.held

    held = run(drawn.address, work)
    assert held.of(home) == live(drawn.address, home)
    assert held.of(east) == live(drawn.address, east)
    assert held.members["building", tower] == {east}


@pytest.mark.parametrize(("limit", "size"), [(1, 4_194_304), (3, 4_194_304), (500, 700), (500, 65_536)])
def test_pages_of_any_size_give_the_same(drawn: Drawn, device: Device, as_superuser: Run, limit: int, size: int) -> None:
    home = drawn.places.grids["south-west"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor, limit=limit, size=size)
        await hand.read(home)
        for noun in ("unit", "person", "unit", "building"):
            as_superuser(f"UPDATE reg.{noun} SET conflict_open = NOT conflict_open WHERE grid_id = {home}")
        await hand.pull(home)
        return hand.held

    assert run(drawn.address, work).rows == live(drawn.address, home)


def test_quiet_scope_moves_to_the_horizon_so_that_it_never_expires(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    home = drawn.places.grids["south-west"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        for _ in range(3):
            as_superuser(f"UPDATE reg.unit SET room = room WHERE grid_id = {drawn.places.grids['east-inner']}")
        before = place_of(hand.held.cursors[home]).xid
        pulled = await hand.ask(home)
        return before, pulled

    before, pulled = run(drawn.address, work)
    [page] = pulled.parts
    assert pulled.is_silent
    assert (page.cursor.xid, page.cursor.seq) == (pulled.state.horizon - 1, END)
    assert page.cursor.xid > before


def test_checksum_is_told_when_the_device_holds_everything(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    home = drawn.places.grids["south-west"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        as_superuser(f"UPDATE reg.unit SET room = 'x' WHERE id = '{drawn.places.units['tower-101']}'")
        [page] = (await hand.ask(home)).parts
        await hand.pull(home)
        return page, hand.held

    page, held = run(drawn.address, work)
    assert isinstance(page, Page)
    assert page.checksum == word_of(held.rows)


def word_of(rows: dict[tuple[str, str], int]) -> str:
    """The checksum as the handheld's guide tells it."""
    word = 0
    for (kind, number), version in rows.items():
        word ^= int.from_bytes(hashlib.sha256(f"{kind}{number}{version}".encode()).digest()[:8])
    return f"{word:016x}"


def test_own_acknowledgement_is_that_of_the_horizon(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    home = drawn.places.grids["south-west"]
    row = (
        "INSERT INTO sync.mutation (device_id, client_seq, mutation_id, req_hash, kind, status)"
        " VALUES ('{}', {}, '{}', sha256(''), 'unit', 'noop')"
    )
    as_superuser(row.format(device.id, 1, uuid.uuid4()))
    stranger = enrolled(drawn, "worker-east")
    as_superuser(row.format(stranger.id, 9, uuid.uuid4()))

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        with psycopg.connect(drawn.address.conninfo("postgres")) as writer:
            writer.execute("SELECT pg_current_xact_id()")
            with psycopg.connect(drawn.address.conninfo("postgres")) as other:
                other.execute(row.format(device.id, 2, uuid.uuid4()).encode())
            held_back = (await hand.ask(home)).state.acked
        horizon.settle(drawn.address)
        return held_back, (await hand.ask(home)).state.acked

    assert run(drawn.address, work) == (1, 2)


def test_reading_is_written_down_first(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    run(drawn.address, lambda database: open_reading(database, device.actor, "pull", [3, 1]))
    trail = "SELECT action, object_type, object_id, outcome, detail, actor_id FROM reg.audit ORDER BY id DESC LIMIT 1"
    assert as_superuser(trail) == [("pull", "sync", str(device.id), "ok", {"scopes": [1, 3]}, device.actor.account_id)]
    assert as_superuser(f"SELECT last_pull_at IS NOT NULL FROM sync.device WHERE id = '{device.id}'") == [(True,)]


def test_nobody_reads_without_a_device(drawn: Drawn) -> None:
    with pytest.raises(InvalidError) as refusal:
        run(drawn.address, lambda database: open_reading(database, drawn.places.accounts["worker"], "pull", [1]))
    assert refusal.value.slug == "outside-scope"


def test_pull_needs_one_round_trip_after_its_opening(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    """Everything comes from one snapshot: a change between two queries of a pull could be lost."""
    home = drawn.places.grids["south-west"]
    ran: list[int] = []

    async def work(database: Database) -> None:
        reading = database.read

        async def counted(actor: Any, *queries: Any) -> Any:
            ran.append(len(queries))
            return await reading(actor, *queries)

        database.read = counted  # pyright: ignore[reportAttributeAccessIssue] -- counts, and changes nothing
        await pull(database, device.actor, CURSORS, [Asked(home, None)], limit=500, size=10_000, schema=1)

    run(drawn.address, work)
    assert ran == [4]


def test_pointers_are_read_by_the_primary_key_under_row_level_security(drawn: Drawn, device: Device, as_superuser: Run) -> None:
    home = drawn.places.grids["south-west"]
    as_superuser(
        "INSERT INTO sync.change_log (scope_id, kind, entity_id, xid) SELECT s, 'unit', gen_random_uuid(), (300 + n / 20)::text::xid8"
        " FROM generate_series(1, 6) s, generate_series(1, 5000) n"
    )
    as_superuser("ANALYZE sync.change_log")
    prepare = Query(b"PREPARE pages (int[], text[], bigint[], int) AS " + PAGES)
    execute = Query(f"EXPLAIN (COSTS off) EXECUTE pages ('{{{home}}}', '{{310}}', '{{0}}', 500)".encode())
    rows = run(drawn.address, lambda database: database.read(device.actor, PLANNED_ONCE, prepare, execute))
    plan = [row[0].decode().strip() for row in rows[2]]
    scans = [number for number, line in enumerate(plan) if "on change_log g" in line]
    assert len(scans) == 3
    for number in scans:
        assert plan[number].startswith(("->  Index Scan using pk_change_log", "->  Index Only Scan using pk_change_log")), "\n".join(plan)
        assert plan[number + 1].startswith("Index Cond: ((scope_id = "), "\n".join(plan)
    first = plan[scans[0] + 1]
    assert "ROW(xid, seq) > ROW(a.xid, a.seq)" in first
    assert "xid < a.horizon" in first
    limit = max(number for number, line in enumerate(plan[: scans[0]]) if line.startswith("->  Limit"))
    assert not any("Sort" in line for line in plan[limit : scans[0]]), "\n".join(plan)
