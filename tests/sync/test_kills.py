"""kill -9 of the server and of PostgreSQL at each point of a push: what was acknowledged is there once, what was not is sent again.

The points are made in the database, by locks that somebody else holds and by triggers of the test's own: the server knows nothing of
being tried, and waits there like any transaction.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from clients.handheld import outbox
from clients.handheld.store import Store
from clients.handheld.sync import Handheld
from gridmgmt.operations import cluster as clusters
from gridmgmt.operations.cluster import Cluster
from tests.conftest import migrate
from tests.drawn import Drawn
from tests.places import draw, register
from tests.sync import oracle
from tests.sync.ground import Ground
from tests.sync.proxy import Fault
from tests.sync.world import Gadget, World

HELD = 4_711
"""The lock on which the triggers of this file wait."""
POINTS = ("before the lock", "after the rows", "before the commit", "after the commit")
STOP = f"""
CREATE FUNCTION public.stop_here() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
  'BEGIN PERFORM pg_advisory_xact_lock_shared({HELD}); RETURN NULL; END';
"""
TRIGGERS = {
    "after the rows": "CREATE TRIGGER zz_stop AFTER INSERT ON reg.person FOR EACH STATEMENT EXECUTE FUNCTION public.stop_here()",
    "before the commit": "CREATE TRIGGER zz_stop AFTER UPDATE ON sync.device FOR EACH STATEMENT EXECUTE FUNCTION public.stop_here()",
}
WAITS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'"


@pytest.fixture(scope="module")
def durable(run_folder: Path, worker: str) -> Iterator[Cluster]:
    """A cluster of its own that keeps what it commits."""
    home = run_folder / f"durable-{worker}"
    cluster = clusters.up(home)
    clusters.prepare(cluster, "register")
    migrate(cluster.address("register"))
    yield cluster
    clusters.reset(home)


@pytest.fixture(scope="module")
def kept(durable: Cluster) -> Iterator[Drawn]:
    """The district in it."""
    address = durable.address("register")
    database = register(address)
    places = draw(database)
    yield Drawn(address, database, places)
    database.close()


@dataclass
class Stopped:
    """Whoever comes to the point waits there until `go`."""

    world: World
    holder: psycopg.Connection[tuple[object, ...]]

    def go(self) -> None:
        self.holder.close()

    def wait(self) -> None:
        end = time.monotonic() + 20
        while not self.world.superuser.execute(WAITS).fetchall():
            assert time.monotonic() < end, "nobody came to the point"
            time.sleep(0.01)


def stopping(world: World, gadget: Gadget, point: str) -> Stopped:
    holder = psycopg.connect(world.drawn.address.conninfo("postgres"), autocommit=True)
    if point == "before the lock":
        holder.execute("SELECT pg_advisory_lock(hashtextextended(%s::text, 0))", [gadget.device.id])
    else:
        holder.execute("SELECT pg_advisory_lock(%s)", [HELD])
        holder.execute(STOP.encode())
        holder.execute(TRIGGERS[point].encode())
    return Stopped(world, holder)


def write(world: World, gadget: Gadget, many: int) -> None:
    for number in range(many):
        values = {"name": f"冯{number}", "registration": "floating"}
        outbox.record(gadget.store, gadget.clock, "create", "resident", scope_id=world.drawn.places.grids["south-west"], values=values)


def meeting(gadget: Gadget, world: World) -> Callable[[], None]:
    """A meeting in a thread of its own: SQLite wants a connection of that thread."""

    def meet() -> None:
        with closing(Store(gadget.store.path)) as store:
            handheld = Handheld(store, gadget.handheld.transport, gadget.clock)
            world.sync(replace(gadget, handheld=handheld), [Fault.NONE])

    return meet


@pytest.mark.parametrize("point", POINTS)
def test_a_server_that_is_killed_in_a_push_loses_and_doubles_nothing(world: World, point: str) -> None:
    gadget = world.gadgets[0]
    world.sync(gadget)
    write(world, gadget, 5)
    before = oracle.one(world, "SELECT count(*) FROM reg.person")
    if point == "after the commit":
        with world.ground.process.killing_itself("answer", "/v1/sync/push"):
            world.sync(gadget, [Fault.NONE])
    else:
        stopped = stopping(world, gadget, point)
        thread = threading.Thread(target=meeting(gadget, world))
        thread.start()
        stopped.wait()
        world.ground.process.kill()
        stopped.go()
        if point != "before the lock":
            world.superuser.execute("DROP FUNCTION public.stop_here() CASCADE")
        thread.join(60)
    assert oracle.one(world, "SELECT count(*) FROM reg.person") == before + 5
    world.settle()
    oracle.judge(world)


def test_a_server_that_is_killed_in_a_snapshot_goes_on_behind_the_last_mark(world: World) -> None:
    gadget = world.gadgets[0]
    tower = world.drawn.places.buildings["tower"]
    world.superuser.execute(
        "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, recorded_by)"
        " SELECT id, grid_id, subdistrict_id, house_code || lpad((700000 + n)::text, 6, '0'), 1, n::text, 30, 'residential', 0"
        " FROM reg.building, generate_series(1, 3000) n WHERE id = %s",
        [tower],
    )
    with world.ground.process.killing_itself("piece", "/v1/sync/snapshot"):
        world.sync(gadget, [Fault.NONE])
    world.settle()
    oracle.judge(world)


def test_a_database_that_is_killed_in_pushes_loses_and_doubles_nothing(ground: Ground, durable: Cluster, kept: Drawn) -> None:
    with closing(World(ground, kept)) as world:
        gadget = world.gadgets[0]
        for point in POINTS[1:]:
            world.sync(gadget)
            write(world, gadget, 5)
            before = oracle.one(world, "SELECT count(*) FROM reg.person")
            if point == "after the commit":
                world.sync(gadget)
                kill(durable, world)
            else:
                stopped = stopping(world, gadget, point)
                thread = threading.Thread(target=meeting(gadget, world))
                thread.start()
                stopped.wait()
                kill(durable, world)
                stopped.go()
                world.superuser.execute("DROP FUNCTION public.stop_here() CASCADE")
                thread.join(90)
            world.sync(gadget, [Fault.NONE])
            assert oracle.one(world, "SELECT count(*) FROM reg.person") == before + 5, point
        world.settle()
        oracle.judge(world)


def kill(cluster: Cluster, world: World) -> None:
    """kill -9 of the postmaster, which its children notice; then it is started again and mends itself."""
    pid = clusters.status(cluster.home.folder).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    clusters.up(cluster.home.folder)
    world.superuser.close()
    world.superuser = psycopg.connect(world.drawn.address.conninfo("postgres"), autocommit=True)
