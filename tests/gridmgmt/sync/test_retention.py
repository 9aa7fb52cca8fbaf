"""What is let go after its time, and that every device is right afterwards."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gridmgmt.database import Actor, Database
from gridmgmt.errors import InvalidError
from gridmgmt.security import accounts
from gridmgmt.settings import Uploads
from gridmgmt.sync import files, retention
from gridmgmt.sync.files import Belongs, Kind
from gridmgmt.sync.retention import RETENTION, sweep
from gridmgmt.sync.stored import Stored
from tests import horizon
from tests.api.uploads import photo
from tests.drawn import Drawn
from tests.gridmgmt.sync.handling import Hand, live, resyncs, run
from tests.handhelds import Device, enrolled
from tests.pushing import Pusher


@pytest.fixture
def device(drawn: Drawn) -> Device:
    horizon.settle(drawn.address)
    return enrolled(drawn)


@pytest.fixture
def home(drawn: Drawn) -> int:
    return drawn.places.grids["south-west"]


@pytest.fixture
def operator(drawn: Drawn) -> Actor:
    return replace(accounts.known_as(drawn.database, "local-operator"), scope="loader")


def sql(drawn: Drawn, statement: str) -> list[tuple[Any, ...]]:
    return horizon.as_superuser(drawn.address, statement)


def test_nobody_but_the_loader_sweeps(drawn: Drawn) -> None:
    for name in ("district", "worker", "admin"):
        for one in RETENTION.values():
            with pytest.raises(InvalidError) as refusal, drawn.database.transaction(drawn.places.accounts[name]) as session:
                one(session)
            assert refusal.value.slug == "outside-scope"


def test_nothing_is_let_go_before_its_time(drawn: Drawn, operator: Actor, device: Device) -> None:
    sql(drawn, "UPDATE reg.lease SET deleted_at = now() - interval '170 days' WHERE number = 'ZL-2024-0002'")
    sql(drawn, "UPDATE sync.change_log SET at = now() - interval '179 days'")
    assert {name: sweep(drawn.database, operator, one) for name, one in RETENTION.items() if name != "compact-feed"} == dict.fromkeys(
        [name for name in RETENTION if name != "compact-feed"], 0
    )


def test_compaction_keeps_the_newest_pointer_and_the_highest_version(drawn: Drawn, operator: Actor, home: int) -> None:
    horizon.settle(drawn.address)
    # an older transaction made the newer version: it waited for the row
    sql(
        drawn,
        "INSERT INTO sync.change_log (scope_id, kind, entity_id, xid, version) SELECT s, 'unit', e::uuid, x::text::xid8, v"
        f" FROM (VALUES ({home}, '0190000b-0000-7000-8000-000000000001', 40, 7), ({home}, '0190000b-0000-7000-8000-000000000001', 41, 6),"
        f" ({home}, '0190000b-0000-7000-8000-000000000001', 39, 5), ({home}, '0190000b-0000-7000-8000-000000000002', 42, 1)) v(s, e, x, v)",
    )
    assert sweep(drawn.database, operator, retention.compact_feed) == 2
    left = sql(drawn, "SELECT xid::text, version FROM sync.change_log WHERE entity_id::text LIKE '0190000b%' ORDER BY xid")
    assert left == [("41", 7), ("42", 1)]


def test_compaction_of_much_goes_in_small_transactions_through_all_scopes(drawn: Drawn, operator: Actor) -> None:
    sql(
        drawn,
        "INSERT INTO sync.change_log (scope_id, kind, entity_id, xid) SELECT s, 'unit', '0190000b-0000-7000-8000-000000000001', '40'"
        " FROM unnest(ARRAY[1, 5, 900]) s, generate_series(1, 1501) n",
    )
    with drawn.database.transaction(operator) as session:
        assert retention.compact_feed(session) == retention.MOST
    assert sweep(drawn.database, operator, retention.compact_feed) == 3 * 1500 - retention.MOST
    assert sql(drawn, "SELECT scope_id FROM sync.change_log WHERE xid = '40' ORDER BY 1") == [(1,), (5,), (900,)]
    assert sweep(drawn.database, operator, retention.compact_feed) == 0


def test_compaction_leaves_what_a_device_with_an_old_cursor_needs(drawn: Drawn, operator: Actor, device: Device, home: int) -> None:
    shop, tower = drawn.places.buildings["shop"], drawn.places.buildings["tower"]

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        for noun in ("unit", "person", "building", "unit"):
            sql(drawn, f"UPDATE reg.{noun} SET conflict_open = NOT conflict_open WHERE grid_id = {home}")
        sql(drawn, "UPDATE reg.lease SET deleted_at = now() WHERE number = 'ZL-2024-0002'")
        sql(drawn, f"UPDATE reg.building SET entrance = (SELECT entrance FROM reg.building WHERE id = '{shop}') WHERE id = '{tower}'")
        assert sweep(drawn.database, operator, retention.compact_feed) > 0
        horizon.settle(drawn.address)
        items = await hand.pull(home)
        return hand.held, items

    held, items = run(drawn.address, work)
    assert held.rows == live(drawn.address, home)
    assert len({(item["kind"], item["id"]) for item in items}) == len(items)


def test_pointers_to_what_is_gone_are_dropped_and_older_cursors_begin_anew(
    drawn: Drawn, operator: Actor, device: Device, home: int
) -> None:
    shop, village = drawn.places.buildings["shop"], drawn.places.buildings["village"]

    async def work(database: Database) -> Any:
        old, present = Hand(database, device.actor), Hand(database, device.actor)
        await old.read(home)
        sql(drawn, "UPDATE reg.lease SET deleted_at = now() WHERE number = 'ZL-2024-0002'")
        sql(drawn, f"UPDATE reg.building SET entrance = (SELECT entrance FROM reg.building WHERE id = '{shop}') WHERE id = '{village}'")
        await present.read(home)
        sql(drawn, "UPDATE sync.change_log SET at = now() - interval '181 days'")
        before = sql(drawn, "SELECT count(*) FROM sync.change_log")[0][0]
        dropped = sweep(drawn.database, operator, retention.prune_feed)
        left = sql(drawn, "SELECT count(*) FROM sync.change_log")[0][0]
        return before - left, dropped, resyncs(await old.ask(home)), await present.pull(home), present.held

    gone, dropped, told, items, held = run(drawn.address, work)
    assert gone == dropped > 0
    assert told == {home: "cursor-expired"}
    assert items == []
    assert held.rows == live(drawn.address, home)
    # what lives is still pointed to
    kept = sql(drawn, f"SELECT DISTINCT entity_id::text FROM sync.change_log WHERE scope_id = {home}")
    assert {one for (one,) in kept} == {number for _, number in live(drawn.address, home)}


def test_result_of_a_mutation_is_shortened_after_90_days(drawn: Drawn, operator: Actor, device: Device) -> None:
    for seq, days in ((1, 91), (2, 89)):
        sql(
            drawn,
            "INSERT INTO sync.mutation (device_id, client_seq, mutation_id, req_hash, kind, status, version, result, received_at)"
            f" VALUES ('{device.id}', {seq}, gen_random_uuid(), sha256(''), 'unit', 'applied', 3, '{{}}', now() - interval '{days} days')",
        )
    assert sweep(drawn.database, operator, retention.shorten_results) == 1
    assert sql(drawn, "SELECT client_seq, status, version, result IS NULL FROM sync.mutation ORDER BY 1") == [
        (1, "applied", 3, True),
        (2, "applied", 3, False),
    ]


def test_person_struck_out_a_month_ago_is_erased_with_every_former_form(drawn: Drawn, operator: Actor, device: Device, home: int) -> None:
    li, zhang = drawn.places.people["li"], drawn.places.people["zhang"]
    sql(drawn, f"UPDATE reg.person SET name = '李小虹' WHERE id = '{li}'")
    sql(
        drawn,
        "INSERT INTO reg.discrepancy (grid_id, subdistrict_id, person_id, field, ours, theirs, source)"
        f" SELECT grid_id, subdistrict_id, id, 'name', name, '李晓红', 'x' FROM reg.person WHERE id = '{li}'",
    )
    for person, days in ((li, 31), (zhang, 29)):
        sql(drawn, f"UPDATE reg.residence SET deleted_at = now() WHERE person_id = '{person}'")
        sql(drawn, f"UPDATE reg.manager SET deleted_at = now() WHERE person_id = '{person}'")
        sql(drawn, f"UPDATE reg.person SET deleted_at = now() - interval '{days} days' WHERE id = '{person}'")
    numbers = sql(drawn, "SELECT count(*) FROM reg.identity")[0][0]
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    told = "name, sex, birth_year, id_mask, phone_mask"
    forms = f"SELECT DISTINCT {told} FROM (SELECT id, {told} FROM reg.person UNION ALL SELECT id, {told} FROM reg.person_past) p"
    assert sql(drawn, f"{forms} WHERE id = '{li}'") == [("已删除", None, None, None, None)]
    assert sql(drawn, f"{forms} WHERE id = '{zhang}'")[0][0] == "张大山"
    assert sql(drawn, f"SELECT identity_id, phone_enc FROM reg.person_secret WHERE person_id = '{li}'") == [(None, None)]
    assert sql(drawn, "SELECT count(*) FROM reg.identity") == [(numbers - 1,)]
    assert sql(drawn, f"SELECT count(*) FROM reg.discrepancy WHERE person_id = '{li}' AND (ours IS NOT NULL OR theirs LIKE '李%')") == [
        (0,)
    ]
    assert sql(drawn, "SELECT action, n_rows FROM reg.audit WHERE action = 'erase'") == [("erase", 1)]
    assert sweep(drawn.database, operator, retention.erase_people) == 0
    # nowhere in a dump of the tables
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        tables = superuser.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('reg', 'sync')"
        ).fetchall()
        for (table,) in tables:
            found = superuser.execute(f"SELECT count(*) FROM {table} t WHERE t::text ~ '李小虹|李晓红'".encode()).fetchone()
            assert found == (0,), table

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        return hand.held

    assert ("resident", str(li)) not in run(drawn.address, work).rows


def test_letters_about_an_erased_person_go_too(drawn: Drawn, operator: Actor) -> None:
    hand, li = Pusher.of(drawn), drawn.places.people["li"]
    double, other, home = hand.create("dragon"), hand.create("dragon"), drawn.places.units["tower-101"]
    sql(drawn, f"INSERT INTO sync.id_alias (alias, canonical, kind) VALUES ('{double['id']}', '{li}', 'resident')")
    batch = [hand.update("resident", one, 1, colour="red") for one in (li, double["id"], drawn.places.people["zhang"])]
    assert [one["status"] for one in hand.results(double, other, *batch, hand.update("unit", home, 1, colour="red"))] == ["rejected"] * 6
    sql(drawn, f"UPDATE reg.residence SET deleted_at = now() WHERE person_id = '{li}'")
    sql(drawn, f"UPDATE reg.person SET deleted_at = now() - interval '31 days' WHERE id = '{li}'")
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    assert sql(drawn, "SELECT client_seq FROM sync.dead_letter ORDER BY 1") == [(1,), (2,), (5,), (6,)]
    assert sql(drawn, "SELECT count(*) FROM sync.mutation") == [(6,)]


def strike_out(drawn: Drawn, person: uuid.UUID, days: int) -> None:
    sql(drawn, f"UPDATE reg.residence SET deleted_at = now() WHERE person_id = '{person}'")
    sql(drawn, f"UPDATE reg.person SET deleted_at = now() - interval '{days} days' WHERE id = '{person}'")


def test_letter_under_a_number_that_was_used_again_goes_too(drawn: Drawn, operator: Actor) -> None:
    hand, li = Pusher.of(drawn), drawn.places.people["li"]
    hand.push(hand.update("unit", drawn.places.units["tower-101"], 1, room="x"))
    again = [hand.update("resident", one, 1, phone="13912345678") | {"seq": 1} for one in (li, drawn.places.people["zhang"])]
    assert [hand.results(one)[0]["problem"]["code"] for one in again] == ["seq-reused"] * 2
    strike_out(drawn, li, 31)
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    assert sql(drawn, "SELECT entity_id FROM sync.dead_letter") == [(drawn.places.people["zhang"],)]


def test_letter_about_a_double_is_kept_while_somebody_is_there_whom_it_is_about(drawn: Drawn, operator: Actor) -> None:
    hand, li, zhang = Pusher.of(drawn), drawn.places.people["li"], drawn.places.people["zhang"]
    assert hand.statuses(hand.update("resident", li, 1, colour="red")) == ["unknown-field"]
    strike_out(drawn, li, 31)
    sql(drawn, f"INSERT INTO sync.id_alias (alias, canonical, kind, merged) VALUES ('{li}', '{zhang}', 'resident', true)")
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    assert sql(drawn, "SELECT entity_id FROM sync.dead_letter") == [(li,)]


def test_what_is_said_of_somebody_who_was_erased_goes_after_a_month(drawn: Drawn, operator: Actor) -> None:
    hand, li = Pusher.of(drawn), drawn.places.people["li"]
    strike_out(drawn, li, 31)
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    late = [hand.update("resident", li, 1, name="李小红"), hand.update("resident", li, 1, colour="red")]
    assert [told["status"] for told in hand.results(*late)] == ["conflict", "rejected"]
    version = sql(drawn, f"SELECT version FROM reg.person WHERE id = '{li}'")
    assert sweep(drawn.database, operator, retention.erase_people) == 0
    assert sql(drawn, "SELECT yours FROM sync.conflict") == [({"name": "李小红"},)]
    sql(drawn, "UPDATE sync.conflict SET created_at = now() - interval '31 days'")
    sql(drawn, "UPDATE sync.dead_letter SET created_at = now() - interval '31 days'")
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    assert sql(drawn, "SELECT yours FROM sync.conflict") == [(None,)]
    assert sql(drawn, "SELECT count(*) FROM sync.dead_letter") == [(0,)]
    assert sql(drawn, f"SELECT version FROM reg.person WHERE id = '{li}'") == version
    assert sweep(drawn.database, operator, retention.erase_people) == 0


def test_photos_of_an_erased_person_alone_are_given_up(drawn: Drawn, operator: Actor, tmp_path: Path) -> None:
    """A photo that shows the home too is kept, and so is one of somebody who is still there."""
    worker, stored, people = drawn.places.accounts["worker"], Stored(tmp_path), drawn.places.people
    [(grid, subdistrict)] = sql(drawn, f"SELECT grid_id, subdistrict_id FROM reg.person WHERE id = '{people['li']}'")
    shown: dict[str, list[tuple[Kind, uuid.UUID]]] = {
        "alone": [("resident", people["li"])],
        "home": [("resident", people["li"]), ("unit", drawn.places.units["tower-101"])],
        "other": [("resident", people["zhang"])],
    }
    made: dict[str, uuid.UUID] = {}
    for name, those in shown.items():
        with drawn.database.transaction(worker) as session:
            file = files.begin(session, worker, Uploads(), length=900, said={})
            files.link(session, worker, [Belongs(file.id, kind, one, grid, subdistrict) for kind, one in those])
        made[name] = files.append(drawn.database, worker, stored, file, photo(900)).id
    sql(drawn, "UPDATE sync.file SET swept = true")
    sql(drawn, f"UPDATE reg.residence SET deleted_at = now() WHERE person_id = '{people['li']}'")
    sql(drawn, f"UPDATE reg.person SET deleted_at = now() - interval '31 days' WHERE id = '{people['li']}'")
    assert sweep(drawn.database, operator, retention.erase_people) == 1
    assert {name: sql(drawn, f"SELECT state, swept FROM sync.file WHERE id = '{one}'") for name, one in made.items()} == {
        "alone": [("expired", False)],
        "home": [("complete", True)],
        "other": [("complete", True)],
    }
    assert files.expire_files(drawn.database, operator, stored).swept == 1
    assert {path.parent.name for path in tmp_path.rglob("*") if path.is_file()} == {str(made["home"]), str(made["other"])}
    assert sql(drawn, "SELECT kind FROM sync.file_link ORDER BY 1") == [("resident",), ("unit",)]


def test_letters_go_three_years_after_they_were_closed(drawn: Drawn, operator: Actor) -> None:
    hand = Pusher.of(drawn)
    hand.push(*(hand.create("dragon") for _ in range(3)))
    for years, seq in ((4, 1), (2, 2)):
        closed = f"state = 'closed', closed_by = account_id, closed_at = now() - interval '{years} years'"
        sql(drawn, f"UPDATE sync.dead_letter SET {closed} WHERE client_seq = {seq}")
    sql(drawn, "UPDATE sync.dead_letter SET created_at = now() - interval '4 years'")
    assert sweep(drawn.database, operator, retention.sweep_letters) == 1
    assert sql(drawn, "SELECT client_seq FROM sync.dead_letter ORDER BY 1") == [(2,), (3,)]


def test_codes_and_decided_conflicts_go_after_their_time(drawn: Drawn, operator: Actor, device: Device, home: int) -> None:
    account = device.actor.account_id
    for days in (29, 31):
        sql(
            drawn,
            "INSERT INTO sync.enrolment (code_hash, account_id, expires_at)"
            f" VALUES (sha256('{days}'), {account}, now() - interval '{days} days')",
        )
    for state, years in (("settled", 4), ("settled", 2), ("open", 4)):
        sql(
            drawn,
            "INSERT INTO sync.conflict (code, kind, entity_id, grid_id, subdistrict_id, device_id, client_seq, fields, state, created_at)"
            f" SELECT 'field-conflict', 'unit', gen_random_uuid(), id, subdistrict_id, '{device.id}', 1, '{{}}', '{state}',"
            f" now() - interval '{years} years' FROM reg.grid WHERE id = {home}",
        )
    assert sweep(drawn.database, operator, retention.sweep_enrolments) == 1
    assert sweep(drawn.database, operator, retention.sweep_conflicts) == 1
    assert sql(drawn, "SELECT state FROM sync.conflict ORDER BY 1") == [("open",), ("settled",)]
