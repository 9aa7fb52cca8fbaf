"""Another history of the server: it came back from a backup, and versions and numbers that a device has mean something else there."""

import uuid

from clients.handheld import outbox, snapshot
from clients.handheld.rows import Shown
from tests.places import point
from tests.sync import oracle
from tests.sync.proxy import Fault
from tests.sync.test_road import catch_up, grid, one
from tests.sync.world import Gadget, World


def test_a_grid_that_is_new_brings_a_device_into_another_history(world: World) -> None:
    """Its rows are of that history, so those of the grids that the device had before must be too: else the one's would be older."""
    mine, mill = world.gadgets[1], world.drawn.places.buildings["mill"]
    world.move_worker("worker-east", "south-west")
    world.sync(mine)
    world.another_history()
    world.move_worker("worker-east", "south-west")
    meeting = world.sync(mine)
    assert meeting is not None
    assert sorted(meeting.snapshots) == sorted(world.scopes("worker-east"))
    lon, lat = point(120, 120)
    assert world.office("PATCH", f"/v1/buildings/{mill}", {"entrance": {"lon": lon, "lat": lat}}) == 200
    for _ in range(2):
        catch_up(world, mine)
        assert world.superuser.execute("SELECT count(*) FROM sync.incident").fetchone() == (0,)
    world.settle()
    oracle.judge(world)


def acknowledged(world: World) -> tuple[Gadget, str, Shown]:
    """A device whose change of a unit has come back to it, the unit, and its form before."""
    mine, home = world.gadgets[0], str(world.drawn.places.units["tower-101"])
    world.sync(mine)
    before = one(world, mine, "unit", uuid.UUID(home))
    outbox.record(mine.store, mine.clock, "update", "unit", home, values={"room": "mine"})
    world.sync(mine)
    catch_up(world, mine)
    return mine, home, before


def test_a_device_that_was_away_while_the_server_was_restored_sends_again_what_is_lost(world: World) -> None:
    """No pull tells it: it wants a snapshot, and that one is of the other history, in which versions are lower."""
    mine, home, before = acknowledged(world)
    restore(world, before)
    snapshot.begin_again(mine.store, grid(world, "south-west"))
    world.sync(mine)
    catch_up(world, mine)
    row = one(world, mine, "unit", uuid.UUID(home))
    assert (row.version, row.data["room"], row.pending) == (before.version + 1, "mine", False)
    assert oracle.one(world, "SELECT count(*) FROM sync.mutation") == 1
    assert oracle.one(world, "SELECT count(*) FROM sync.incident") == 0


def test_versions_of_a_lost_history_are_no_base(world: World) -> None:
    """After a restore the office makes a version of the very number that the device had read: of another form, so it is not overwritten."""
    mine, home, before = acknowledged(world)
    outbox.record(mine.store, mine.clock, "update", "unit", home, values={"room": "mine again"})
    restore(world, before)
    assert world.office("PATCH", f"/v1/units/{home}", {"room": "the office's"}) == 200
    meeting = world.sync(mine)
    assert meeting is not None
    assert [letter.result["status"] for letter in meeting.letters] == ["conflict", "conflict"]
    catch_up(world, mine)
    assert one(world, mine, "unit", uuid.UUID(home)).data["room"] == "the office's"
    kept = world.superuser.execute("SELECT yours->>'room' FROM sync.conflict ORDER BY client_seq").fetchall()
    assert kept == [("mine",), ("mine again",)]


def restore(world: World, row: Shown, *, numbers: bool = True) -> None:
    """What a backup does to a unit, and to devices' `numbers`: back to this form, and nothing is known of what came afterwards."""
    with world.superuser.transaction():
        world.superuser.execute("SET LOCAL session_replication_role = replica")
        world.superuser.execute("UPDATE reg.unit SET version = %s, room = %s WHERE id = %s", [row.version, row.data["room"], row.id])
        world.superuser.execute("DELETE FROM reg.unit_past WHERE id = %s AND version >= %s", [row.id, row.version])
        if numbers:
            world.superuser.execute("DELETE FROM sync.mutation")
            world.superuser.execute("UPDATE sync.device SET last_seq = 0")
    world.another_history()


def test_what_waits_is_not_sent_on_a_version_of_a_lost_history(world: World) -> None:
    """No number of this device was lost, so nothing but the bootstrap tells it before the push."""
    mine, home, before = read_in_a_lost_history(world)
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine"})
    restore(world, before, numbers=False)
    assert world.office("PATCH", f"/v1/units/{home}", {"room": "the office's"}) == 200
    meeting = world.sync(mine)
    assert meeting is not None
    assert [letter.result["status"] for letter in meeting.letters] == ["conflict"]
    assert oracle.one(world, "SELECT room FROM reg.unit WHERE id = %s", home) == "the office's"


def test_a_meeting_that_was_cut_when_it_knew_the_history_goes_on_by_its_rules(world: World) -> None:
    mine, home, before = read_in_a_lost_history(world)
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine"})
    restore(world, before, numbers=False)
    assert world.office("PATCH", f"/v1/units/{home}", {"room": "the office's"}) == 200
    assert world.sync(mine, [Fault.NONE] + [Fault.DROP_REQUEST] * 4) is None  # bootstrap, then nothing
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine again"})
    meeting = world.sync(mine)
    assert meeting is not None
    assert [letter.result["status"] for letter in meeting.letters] == ["conflict", "conflict"]
    assert oracle.one(world, "SELECT room FROM reg.unit WHERE id = %s", home) == "the office's"


def test_what_is_recorded_on_a_row_of_a_lost_history_names_the_first_form(world: World) -> None:
    """Between the push and the snapshots the rows are still those of the old history."""
    mine, home, before = read_in_a_lost_history(world)
    restore(world, before, numbers=False)
    mine.handheld.bootstrap()
    mine.handheld.push()
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine"})
    assert mine.store.all("SELECT json_extract(body, '$.base.version') FROM mutation") == [(1,)]


def test_what_the_server_has_taken_is_sent_again_as_it_was(world: World) -> None:
    """It keeps a hash by number: another body would be refused as another mutation."""
    mine, home = world.gadgets[0], world.drawn.places.units["tower-101"]
    world.sync(mine)
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine"})
    assert world.sync(mine, [Fault.NONE] + [Fault.DROP_ANSWER] * 4) is None
    world.another_history()  # a failover: nothing is lost
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine again"})
    world.sync(mine)
    assert mine.store.all("SELECT status FROM mutation ORDER BY seq") == [("applied",), ("applied",)]
    world.settle()
    oracle.judge(world)


def test_what_was_staged_of_a_lost_history_is_not_shown(world: World) -> None:
    mine, scope = world.gadgets[0], grid(world, "south-west")
    world.sync(mine)
    snapshot.begin_again(mine.store, scope)
    mine.store.run("INSERT INTO arriving VALUES (?, 'unit', 'u', 9, '{}')", scope)
    mine.store.run("UPDATE scope SET start = cursor, after = 'unit:u'")
    world.another_history()
    mine.handheld.bootstrap()
    assert mine.store.all("SELECT 1 FROM arriving") == []
    assert mine.store.all("SELECT state, start, after FROM scope") == [("new", None, None)]


def test_a_clock_that_stands_ahead_drops_nothing_that_a_restored_server_asks_for(world: World) -> None:
    mine, home = world.gadgets[0], world.drawn.places.units["tower-101"]
    world.sync(mine)
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine"})
    world.sync(mine)
    catch_up(world, mine)
    mine.turn(days=30)
    world.sync(mine)
    assert mine.store.all("SELECT seq, state FROM mutation") == [(1, "done")]


def test_numbers_that_are_lost_for_good_keep_no_news_from_the_worker(world: World) -> None:
    mine, home = world.gadgets[0], world.drawn.places.units["tower-101"]
    world.sync(mine)
    before = one(world, mine, "unit", home)
    for room in ("mine", "mine again"):
        outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": room})
    world.sync(mine)
    catch_up(world, mine)
    mine.store.run("DELETE FROM mutation WHERE seq = 1")  # more than a week ago
    restore(world, before)
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"area_m2": 50})
    lost, got = (grid(world, name) for name in ("south-west", "south-east"))
    world.move_worker("worker", "south-east")
    for _ in range(2):
        meeting = world.sync(mine)
        assert meeting is not None
        assert "number 1" in (meeting.lost or "")
        assert mine.store.all("SELECT seq, state FROM mutation") == [(2, "queued"), (3, "queued")]
    assert mine.store.all("SELECT scope_id, state FROM scope ORDER BY 1") == sorted([(lost, "live"), (got, "live")])
    world.move_worker("worker", "south-west")
    meeting = world.sync(mine)
    assert meeting is not None
    assert meeting.left == [lost]
    assert outbox.waiting(mine.store) == 2


def read_in_a_lost_history(world: World) -> tuple[Gadget, uuid.UUID, Shown]:
    """A device that has read a version of a unit which a restore will lose; the unit; and the form before that version."""
    mine, home = world.gadgets[0], world.drawn.places.units["tower-101"]
    world.sync(mine)
    before = one(world, mine, "unit", home)
    assert world.office("PATCH", f"/v1/units/{home}", {"room": "lost"}) == 200
    catch_up(world, mine)
    return mine, home, before
