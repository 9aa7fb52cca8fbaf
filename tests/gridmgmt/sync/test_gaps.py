"""Nothing is skipped: many writers with delays and rollbacks, a writer that stays open, numbers of transactions that gain a digit."""

import asyncio
import random
import threading
import time
import uuid
from typing import Any

import orjson
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from gridmgmt.database import Database
from gridmgmt.settings import Address
from gridmgmt.sync.cursors import Cursor
from gridmgmt.sync.feed import Page
from tests import horizon
from tests.drawn import Drawn
from tests.gridmgmt.sync.handling import CURSORS, Hand, live, run
from tests.handhelds import Device, enrolled

POINTER = "INSERT INTO sync.change_log (scope_id, kind, entity_id, version) VALUES (%s, 'unit', %s, 1)"
WRITERS, EACH = 6, 40


@pytest.fixture
def device(drawn: Drawn) -> Device:
    horizon.settle(drawn.address)
    return enrolled(drawn)


@pytest.fixture
def home(drawn: Drawn) -> int:
    return drawn.places.grids["south-west"]


def write(address: Address, scope: int, seed: int, committed: set[uuid.UUID]) -> None:
    """Transactions of which a third are slow and a tenth are rolled back, some of them inside savepoints."""
    chance = random.Random(seed)
    with psycopg.connect(address.conninfo("postgres")) as writer:
        for _ in range(EACH):
            writer.execute("SELECT 1")  # begins, so that what follows may be a savepoint
            ids = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(chance.randint(1, 3))]
            for one in ids:
                if chance.random() < 0.2:
                    with writer.transaction():
                        writer.execute(POINTER, [scope, one])
                else:
                    writer.execute(POINTER, [scope, one])
            time.sleep(chance.uniform(0.02, 0.06) if chance.random() < 0.3 else chance.uniform(0, 0.003))
            if chance.random() < 0.1:
                writer.rollback()
            else:
                writer.commit()
                committed.update(ids)


def test_reader_below_the_horizon_misses_nothing_where_a_reader_by_numbers_does(drawn: Drawn, device: Device, home: int) -> None:
    committed: set[uuid.UUID] = set()
    by_number: set[uuid.UUID] = set()
    come: list[uuid.UUID] = []
    writers = [threading.Thread(target=write, args=(drawn.address, home, seed, committed)) for seed in range(WRITERS)]

    def late() -> None:  # takes a number first and commits last: the control cannot be lucky
        with psycopg.connect(drawn.address.conninfo("postgres")) as writer:
            one = uuid.UUID(int=1, version=4)
            writer.execute(POINTER, [home, one])
            time.sleep(0.6)
            writer.commit()
            committed.add(one)

    writers.append(threading.Thread(target=late))

    async def work(database: Database) -> None:
        hand = Hand(database, device.actor, limit=20)
        await hand.read(home)
        with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as control:
            number = control.execute("SELECT coalesce(max(seq), 0) FROM sync.change_log").fetchall()[0][0]
            for writer in writers:
                writer.start()
            last = False
            while True:
                for seq, one in control.execute("SELECT seq, entity_id FROM sync.change_log WHERE seq > %s ORDER BY seq", [number]):
                    number = seq
                    by_number.add(one)
                come.extend(uuid.UUID(item["id"]) for item in await hand.pull(home))
                if last:
                    return
                if not any(writer.is_alive() for writer in writers):  # the last pull begins when all have committed
                    await asyncio.to_thread(horizon.settle, drawn.address)
                    last = True
                await asyncio.sleep(0.001)

    run(drawn.address, work)
    assert len(committed) > WRITERS * EACH
    assert committed - by_number, "the control must miss something, or this proves nothing"
    assert set(come) == committed
    assert len(come) == len(committed)  # none twice


def test_pages_follow_the_numbers_of_transactions_and_not_their_text(drawn: Drawn, device: Device, home: int) -> None:
    ids = {xid: uuid.UUID(int=xid, version=4) for xid in (8, 9, 10, 11, 98, 99, 100, 101, 102)}
    for xid in sorted(ids, key=str):
        horizon.as_superuser(
            drawn.address,
            f"INSERT INTO sync.change_log (scope_id, kind, entity_id, xid) VALUES ({home}, 'unit', '{ids[xid]}', '{xid}')",
        )

    async def work(database: Database) -> list[str]:
        hand = Hand(database, device.actor, limit=2)
        await hand.read(home)
        pulled = await hand.ask(home)
        hand.held.cursors[home] = CURSORS.seal(Cursor(pulled.state.epoch, home, 1, 0, 1))
        return [item["id"] for item in await hand.pull(home)]

    came = run(drawn.address, work)
    known = {str(one) for one in ids.values()}
    assert [one for one in came if one in known] == [str(ids[xid]) for xid in sorted(ids)]


@pytest.mark.parametrize(
    "begin",
    ["SELECT pg_current_xact_id()", "SELECT FROM reg.unit WHERE room = '102' FOR UPDATE", "elsewhere"],
    ids=["write", "lock", "elsewhere"],
)
def test_writer_who_stays_open_holds_the_feed_back_and_loses_nothing(drawn: Drawn, device: Device, home: int, begin: str) -> None:
    """Also one in another database of the cluster, and one who only locked a row."""
    unit = drawn.places.units["tower-101"]
    place = (
        drawn.address.conninfo("postgres") if begin != "elsewhere" else make_conninfo(drawn.address.conninfo("postgres"), dbname="postgres")
    )

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        with psycopg.connect(place) as writer:
            writer.execute("SELECT pg_current_xact_id()" if begin == "elsewhere" else begin.encode())
            with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as other:
                other.execute("UPDATE reg.unit SET room = 'x' WHERE id = %s", [unit])
                early = await hand.pull(home)
                lag = other.execute("SELECT sec.feed_lag()").fetchall()[0][0]
        horizon.settle(drawn.address)
        return early, lag, await hand.pull(home), hand.held

    early, lag, late, held = run(drawn.address, work)
    assert early == []
    assert lag > 0
    assert [item["id"] for item in late] == [str(unit)]
    assert held.rows == live(drawn.address, home)


def test_no_checksum_is_told_while_something_waits_above_the_horizon(drawn: Drawn, device: Device, home: int) -> None:
    places = drawn.places

    async def work(database: Database) -> Any:
        hand = Hand(database, device.actor)
        await hand.read(home)
        horizon.as_superuser(drawn.address, f"UPDATE reg.unit SET room = 'x' WHERE id = '{places.units['tower-101']}'")
        with psycopg.connect(drawn.address.conninfo("postgres")) as writer:
            writer.execute("SELECT pg_current_xact_id()")
            with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as other:
                other.execute("UPDATE reg.unit SET room = 'y' WHERE id = %s", [places.units["tower-102"]])
            return await hand.ask(home)

    [page] = run(drawn.address, work).parts
    assert isinstance(page, Page)
    assert [orjson.loads(item)["id"] for item in page.items] == [str(places.units["tower-101"])]
    assert (page.has_more, page.checksum) == (False, None)


def test_readers_do_not_hold_the_feed_back(drawn: Drawn, device: Device, home: int) -> None:
    with psycopg.connect(drawn.address.conninfo("postgres")) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        reader.execute("SELECT count(*) FROM reg.unit")
        horizon.as_superuser(drawn.address, "UPDATE reg.unit SET room = 'x' WHERE room = '101'")  # waits for the horizon, else fails
