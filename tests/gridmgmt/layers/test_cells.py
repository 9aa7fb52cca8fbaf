"""The kept numbers of buildings in cells are always those that a fresh count finds: whatever is written, swept, or written at once."""

import datetime as dt
import random
import threading
import uuid
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql
from shapely.geometry import mapping
from sqlalchemy import text

from gridmgmt.operations.cluster import Cluster
from gridmgmt.registers import grids
from tests.conftest import clone, superuser_of
from tests.drawn import Drawn
from tests.places import SOUTH, Places, point

Connection = psycopg.Connection[tuple[Any, ...]]

KEPT: Final = (
    "SELECT x, y, grid_id, subdistrict_id, retired_on, sum(buildings)::int, sum(rental)::int FROM reg.building_cell"
    " GROUP BY 1, 2, 3, 4, 5 HAVING sum(buildings) <> 0 OR sum(rental) <> 0"
)
COUNTED: Final = (
    "SELECT floor((ST_X(entrance) + 180) / 360 * 2 ^ 17)::int,"
    " floor((1 - ln(tan(radians(ST_Y(entrance))) + 1 / cos(radians(ST_Y(entrance)))) / pi()) / 2 * 2 ^ 17)::int,"
    " grid_id, subdistrict_id, retired_on, count(*)::int, (count(*) FILTER (WHERE rental))::int"
    " FROM reg.building WHERE deleted_at IS NULL GROUP BY 1, 2, 3, 4, 5"
)
MAKE: Final = """
INSERT INTO reg.building (recorded_by, house_code, name, address, entrance, source_x, source_y, floors_above, nature, rental)
SELECT b.recorded_by, %(code)s, 'made', 'Lane', ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), %(lon)s, %(lat)s, 2, 'other', %(rental)s
  FROM reg.building b WHERE b.name = 'tower'
"""
MOVE: Final = "UPDATE reg.building SET entrance = ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) WHERE id = %(id)s"
SWEEP: Final = 64
"""Of as many transactions one adds up what lies in the cells that it touches."""

PLACES = st.tuples(st.integers(10, 990), st.integers(10, 790))
"""In metres, within the subdistrict in the west: four grids, some ten cells."""
WRITES = st.one_of(
    st.tuples(st.just("make"), PLACES, st.booleans()),
    st.tuples(st.just("move"), st.integers(0, 9), PLACES),
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from(("rental = NOT rental", "floors_above = 3"))),
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from(("retired_on = '2024-05-01'", "retired_on = NULL"))),
    st.tuples(st.just("change"), st.integers(0, 9), st.sampled_from(("deleted_at = now()", "deleted_at = NULL"))),
    st.tuples(st.just("change all"), st.just(0), st.sampled_from(("rental = NOT rental", "retired_on = reg.today() + 1"))),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
)


@pytest.fixture(scope="module")
def kept(cluster: Cluster, drawn_template: tuple[str, Places], worker: str, numbers: Iterator[int]) -> Iterator[Connection]:
    """A connection to a district of the module's own, as the superuser, for whom all triggers fire."""
    address = clone(cluster, drawn_template[0], f"cells_{worker}_{next(numbers)}")
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as connection:
        yield connection
    with superuser_of(cluster, "postgres") as postgres:
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(address.name)))


def write(connection: Connection, write: tuple[str, Any, Any]) -> None:
    """One write to the buildings that were made here; to one of them by its place in their order."""
    made = [row[0] for row in connection.execute("SELECT id FROM reg.building WHERE name = 'made' ORDER BY id").fetchall()]
    match write:
        case ("make", (east, north), rental):
            make(connection, east, north, rental=rental)
        case ("change all", _, change):
            connection.execute(f"UPDATE reg.building SET {change} WHERE name = 'made'".encode())
        case (_, number, _) if number >= len(made):
            pass
        case ("move", number, (east, north)):
            move(connection, made[number], east, north)
        case ("change", number, change):
            connection.execute(f"UPDATE reg.building SET {change} WHERE id = %s".encode(), [made[number]])
        case _:
            connection.execute("DELETE FROM reg.building WHERE id = %s", [made[write[1]]])


def make(connection: Connection, east: float, north: float, *, rental: bool) -> None:
    lon, lat = point(east, north)
    connection.execute(MAKE, {"code": str(uuid.uuid4().int)[:19].rjust(19, "0"), "lon": lon, "lat": lat, "rental": rental})


def move(connection: Connection, building: uuid.UUID, east: float, north: float) -> None:
    lon, lat = point(east, north)
    connection.execute(MOVE, {"id": building, "lon": lon, "lat": lat})


def sweeping(connection: Connection, level: str = "READ COMMITTED") -> None:
    """Begin a transaction whose number is one of those that sweep."""
    while True:
        connection.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        row = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        if row[0] % SWEEP == 0:
            return
        connection.execute("COMMIT")


def assert_true(connection: Connection) -> None:
    """The kept numbers are those of a fresh count."""
    assert sorted(connection.execute(KEPT).fetchall(), key=str) == sorted(connection.execute(COUNTED).fetchall(), key=str)


@settings(max_examples=40)
@given(writes=st.lists(st.tuples(WRITES, st.sampled_from((None, None, "READ COMMITTED", "REPEATABLE READ"))), min_size=1, max_size=8))
def test_numbers_in_cells_are_those_of_a_fresh_count(kept: Connection, writes: list[tuple[tuple[str, Any, Any], str | None]]) -> None:
    kept.execute("DELETE FROM reg.building WHERE name = 'made'")
    for one, swept in writes:
        if swept is None:
            write(kept, one)
        else:
            sweeping(kept, swept)
            write(kept, one)
            kept.execute("COMMIT")
        assert_true(kept)


def test_sweep_leaves_one_row_for_each_number_of_a_cell(kept: Connection) -> None:
    rows = "SELECT count(*), count(DISTINCT (grid_id, retired_on)), sum(buildings) FROM reg.building_cell WHERE (x, y) IN ({})"
    last = "SELECT x, y FROM reg.building_cell ORDER BY id DESC LIMIT 1"
    for _ in range(5):
        make(kept, 250, 200, rental=True)
    ((many, _, before),) = kept.execute(rows.format(last).encode()).fetchall()
    assert many >= 5 - 1  # one of them may have swept by chance
    sweeping(kept)
    make(kept, 250, 200, rental=True)
    kept.execute("COMMIT")
    ((left, different, after),) = kept.execute(rows.format(last).encode()).fetchall()
    assert (left, after) == (different, before + 1)
    assert_true(kept)


def test_writers_at_once_neither_wait_in_a_ring_nor_lose_a_building(kept: Connection) -> None:
    """Four writers to the same cells, of whose transactions many sweep, while a reader compares the sum with the number of buildings."""
    failures: list[BaseException] = []
    done = threading.Event()

    def writer(seed: int) -> None:
        rolled = random.Random(seed)
        try:
            with psycopg.connect(kept.info.dsn, autocommit=True) as connection:
                for turn in range(40):
                    if turn % 3 == 0:
                        sweeping(connection, rolled.choice(("READ COMMITTED", "REPEATABLE READ")))
                    else:
                        connection.execute("BEGIN")
                    for _ in range(2):
                        make(connection, rolled.uniform(200, 800), rolled.uniform(200, 600), rental=rolled.random() < 0.5)
                    connection.execute("COMMIT")
        except psycopg.Error as error:
            failures.append(error)

    def reader() -> None:
        both = "SELECT (SELECT sum(buildings) FROM reg.building_cell), (SELECT count(*) FROM reg.building WHERE deleted_at IS NULL)"
        with psycopg.connect(kept.info.dsn, autocommit=True) as connection:
            while not done.is_set():
                ((summed, counted),) = connection.execute(both).fetchall()
                if summed != counted:
                    failures.append(AssertionError(f"{summed} kept, {counted} counted"))
                    return

    writers = [threading.Thread(target=writer, args=(seed,)) for seed in range(4)]
    reading = threading.Thread(target=reader)
    for thread in (*writers, reading):
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    reading.join(60)
    assert failures == []
    assert_true(kept)


def test_cells_of_hidden_grids_are_never_counted_also_after_a_redraw(drawn: Drawn) -> None:
    """South-west is cut in two: the village comes to the west part, the tower to the east part."""

    def seen(username: str) -> tuple[int, int]:
        with drawn.database.transaction(drawn.places.accounts[username]) as session:
            kept = session.execute(text("SELECT coalesce(sum(buildings), 0) FROM reg.building_cell")).scalar_one()
            return int(kept), session.execute(text("SELECT count(*) FROM reg.building WHERE deleted_at IS NULL")).scalar_one()

    numbers = {"district": 5, "subdistrict": 4, "subdistrict-east": 1, "community": 3, "worker": 2, "worker-east": 1}
    assert {name: seen(name) for name in numbers} == {name: (number, number) for name, number in numbers.items()}
    office = drawn.places.accounts["district"]
    a, b, c, d = (point(*corner) for corner in ((0, 0), (500, 0), (500, 400), (0, 400)))
    low, high = between(a, b, 0.4), between(d, c, 0.4)
    parts = [
        {
            "code": f"{SOUTH}0{number}",
            "name": f"part {number}",
            "community": SOUTH,
            "geometry": mapping(shapely.Polygon(ring)),
        }
        for number, ring in ((11, (a, low, high, d)), (12, (low, b, c, high)))
    ]
    day = dt.date(2024, 6, 1)
    with drawn.database.transaction(office) as session:
        new = grids.redraw(session, office, kind="split", retire=[f"{SOUTH}001"], grids=parts, on=day, today=day)
    with psycopg.connect(drawn.address.conninfo("postgres")) as root:
        assert_true(root)
        told = dict(root.execute("SELECT grid_id, sum(buildings)::int FROM reg.building_cell GROUP BY 1").fetchall())
    assert [told[grid] for grid in new] == [1, 1]
    for name in numbers:
        kept, counted = seen(name)
        assert kept == counted


def between(one: tuple[float, float], other: tuple[float, float], share: float) -> tuple[float, float]:
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share
