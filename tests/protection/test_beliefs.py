"""What was believed when: any run of corrections, read back at any moment, equals the same corrections replayed in Python."""

import datetime as dt
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, NullPool, create_engine, select, text

from gridmgmt.history.beliefs import known
from gridmgmt.models import Unit
from tests.protection.doors import Register, Root, acting, run
from tests.protection.seed import BY_NAME

ROOMS = st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), st.booleans()), min_size=1, max_size=6)
"""Corrections of a unit's room, and whether each comes in the transaction of the one before."""


@pytest.fixture(scope="module")
def connection(own_register: Register) -> Iterator[Connection]:
    engine = create_engine(own_register.address.url("postgres"), poolclass=NullPool)
    with engine.connect() as opened:
        yield opened


def new_unit(connection: Connection) -> tuple[object, dt.datetime]:
    made = connection.execute(
        text(
            "INSERT INTO reg.unit (building_id, grid_id, subdistrict_id, code, floor, room, area_m2, use, recorded_by)"
            " SELECT id, grid_id, subdistrict_id, lpad((random() * 1e15)::bigint::text, 25, '7'), 1, 'new', 10, 'shop',"
            " 0 FROM reg.building LIMIT 1"
            " RETURNING id, recorded_from"
        )
    ).one()
    connection.commit()
    return made[0], made[1]


@given(corrections=ROOMS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reading_as_of_any_moment_equals_the_replay(connection: Connection, corrections: list[tuple[str, bool]]) -> None:
    unit, began = new_unit(connection)
    believed: list[tuple[dt.datetime, str]] = [(began, "new")]
    for room, together in corrections:
        if not together:
            connection.commit()
        row = connection.execute(
            text("UPDATE reg.unit SET room = :room WHERE id = :unit RETURNING recorded_from"), {"room": room, "unit": unit}
        )
        moment: dt.datetime = row.scalar_one()
        if moment == believed[-1][0]:  # in one transaction the last word counts
            believed.pop()
        believed.append((moment, room))
    connection.commit()

    rows = known(Unit, began)  # the columns are the same at every moment
    assert set(rows.c.keys()) == set(Unit.__table__.c.keys())
    ticks = [
        moment + step for moment, _ in believed for step in (-dt.timedelta(microseconds=1), dt.timedelta(0), dt.timedelta(microseconds=1))
    ]
    for moment in ticks:
        then = known(Unit, moment)
        read = connection.execute(select(then.c.room).where(then.c.id == unit)).scalars().all()
        replayed = [room for since, room in believed if since <= moment][-1:]
        assert read == replayed, f"{moment} of {believed}"
    versions = connection.execute(text("SELECT count(*) FROM reg.unit_past WHERE id = :unit"), {"unit": unit}).scalar_one()
    assert versions == len(corrections)
    connection.commit()


def test_correction_records_who_made_it_and_keeps_who_made_the_last(root: Root, register: Register) -> None:
    with acting(root, register, BY_NAME["w-one", "field"]):
        ((unit, before, after),) = run(
            root,
            "UPDATE reg.unit u SET room = 'X' FROM reg.unit o WHERE o.id = u.id AND u.id = (SELECT id FROM reg.unit LIMIT 1)"
            " RETURNING u.id, o.recorded_by, u.recorded_by",
        )
        kept = run(root, "SELECT recorded_by FROM reg.unit_past WHERE id = %s ORDER BY version DESC LIMIT 1", [unit])
    assert (before, after, kept) == (0, register.accounts["w-one"], [(0,)])


def test_superseded_rows_take_every_column_of_their_table(root: Root) -> None:
    apart = run(
        root,
        "SELECT c.relname, a.attname FROM pg_class c"
        " JOIN pg_class p ON p.relname = c.relname || '_past' AND p.relnamespace = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = 'reg'::regnamespace AND c.relkind = 'r' AND NOT EXISTS (SELECT"
        " FROM pg_attribute b WHERE b.attrelid = p.oid AND b.attname = a.attname"
        " AND b.atttypid = a.atttypid AND b.attnum = a.attnum + 1)",
    )
    assert apart == []
