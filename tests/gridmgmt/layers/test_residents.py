"""The public count of residents: what it tells, and what cannot be learnt from it, alone, by its sums, or from month to month.

South and North are communities of the subdistrict West, East One the only one of East. Five people live in the district as it is drawn.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gridmgmt.database import PUBLIC, Actor
from gridmgmt.security import accounts
from tests.drawn import Drawn
from tests.gridmgmt.layers.conftest import told
from tests.places import EAST, EAST_ONE, NORTH, SOUTH, WEST

UNITS = {SOUTH: "tower-101", NORTH: "school-1", EAST_ONE: "mill-301"}
COMMUNITIES = (SOUTH, NORTH, EAST_ONE)
SUBDISTRICT = {SOUTH: WEST, NORTH: WEST, EAST_ONE: EAST}
CROWD = """
WITH p AS (
  INSERT INTO reg.person (grid_id, subdistrict_id, name, registration)
  SELECT u.grid_id, u.subdistrict_id, 'X', CASE WHEN n <= %(floating)s THEN 'floating' ELSE 'registered' END
    FROM reg.unit u, generate_series(1, %(people)s) n WHERE u.id = %(unit)s RETURNING id, grid_id, subdistrict_id)
INSERT INTO reg.residence (person_id, unit_id, grid_id, subdistrict_id, valid_from)
SELECT p.id, %(unit)s, p.grid_id, p.subdistrict_id, '2020-01-01' FROM p
"""

Told = tuple[int | None, int | None]
"""Residents and floating population as they are told."""


@dataclass(frozen=True)
class People:
    """Who lives in a community."""

    residents: int
    floating: int


def settled(root: psycopg.Connection, drawn: Drawn, living: dict[str, People]) -> None:
    """Nobody lives anywhere but these."""
    root.execute("DELETE FROM reg.residence; DELETE FROM reg.person WHERE name = 'X'")
    for code, people in living.items():
        unit = drawn.places.units[UNITS[code]]
        root.execute(CROWD, {"unit": unit, "people": people.residents, "floating": people.floating})


def count(drawn: Drawn) -> int:
    """As the command does."""
    known = accounts.known_as(drawn.database, "local-operator")
    operator = Actor(known.account_id, known.username, known.role, "loader", known.epoch)
    with drawn.database.transaction(operator) as session:
        return session.execute(text("SELECT sec.count_residents()")).scalar_one()


def dated(root: psycopg.Connection, month: dt.date) -> None:
    """The release of this month becomes one of another month."""
    root.execute("UPDATE reg.resident_count SET month = %(month)s, counted_on = %(month)s WHERE month > reg.today() - 31", {"month": month})


def read(drawn: Drawn, *, on: dt.date | None = None) -> dict[str, Told]:
    """What everybody may see."""
    return {one["code"]: (one["residents"], one["floating"]) for one in told(drawn, PUBLIC, "residents", on=on)}


def superuser(drawn: Drawn) -> psycopg.Connection:
    connection = psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True)
    connection.execute("SET session_replication_role = replica")
    return connection


def test_few_are_not_told(drawn: Drawn) -> None:
    assert count(drawn) == 0  # it was counted when it was drawn
    assert read(drawn) == dict.fromkeys((WEST, EAST, SOUTH, NORTH, EAST_ONE), (None, None))


def test_numbers_are_steps_of_ten_from_a_beginning_of_each_community_and_subdistricts_have_the_sum_of_what_is_told(drawn: Drawn) -> None:
    with superuser(drawn) as root:
        dated(root, dt.date(2001, 1, 1))
        for code, phase in ((SOUTH, 0), (NORTH, 4), (EAST_ONE, 9)):
            root.execute("UPDATE reg.resident_count SET phase = %s WHERE area_id = %s", [phase, drawn.places.areas[code]])
        expected: dict[tuple[int, int, int], tuple[Told, Told, Told, Told, Told]] = {
            # from steps that begin at 10, 14 and 19: what is told of South, North and East One, of West and East
            (9, 13, 18): ((None, None), (None, None), (None, None), (None, None), (None, None)),
            (10, 14, 19): ((20, 20), (20, 20), (20, 20), (40, 40), (20, 20)),
            (19, 23, 28): ((20, 20), (20, 20), (20, 20), (40, 40), (20, 20)),
            (20, 24, 29): ((30, 30), (30, 30), (30, 30), (60, 60), (30, 30)),
            (134, 5, 7): ((140, 140), (None, None), (None, None), (140, 140), (None, None)),
        }
        for month, (numbers, (south, north, east_one, west, east)) in enumerate(expected.items(), 1):
            settled(root, drawn, {code: People(number, number) for code, number in zip(COMMUNITIES, numbers, strict=True)})
            assert count(drawn) == 5
            assert read(drawn) == {SOUTH: south, NORTH: north, EAST_ONE: east_one, WEST: west, EAST: east}
            dated(root, dt.date(2001, 1 + month, 1))
        settled(root, drawn, {SOUTH: People(67, 9), NORTH: People(33, 14)})
        count(drawn)
        assert (read(drawn)[SOUTH], read(drawn)[NORTH], read(drawn)[WEST]) == ((70, None), (30, 20), (100, 20))
        dense = {one["code"]: one["residents_per_km2"] for one in told(drawn, PUBLIC, "residents")}
        assert dense == {SOUTH: 175, NORTH: 75, WEST: 125, EAST_ONE: None, EAST: None}  # of 0.4, 0.4 and 0.8 square kilometres


def test_only_who_lives_there_today_by_the_main_residence_is_counted(drawn: Drawn) -> None:
    with superuser(drawn) as root:
        for change, counted in (
            ("valid_to = valid_to", True),
            ("valid_to = reg.today()", False),
            ("valid_to = reg.today() + 1", True),
            ("valid_from = reg.today() + 1", False),
            ("valid_from = reg.today()", True),
            ("main = false", False),
            ("deleted_at = now()", False),
        ):
            root.execute("DELETE FROM reg.resident_count")
            settled(root, drawn, {SOUTH: People(191, 0)})
            root.execute(f"UPDATE reg.residence SET {change}".encode())
            count(drawn)
            assert read(drawn)[SOUTH][0] in ({190, 200} if counted else {None}), change  # by where its steps begin


def test_month_is_counted_once_and_stays_as_it_was_told(drawn: Drawn) -> None:
    with superuser(drawn) as root:
        root.execute("DELETE FROM reg.resident_count")
        settled(root, drawn, {SOUTH: People(1_000, 0)})
        assert count(drawn) == 5
        first = read(drawn)
        assert first[SOUTH][0] in {1_000, 1_010}
        settled(root, drawn, {SOUTH: People(2_000, 0)})
        assert count(drawn) == 0
        assert read(drawn) == first
        dated(root, dt.date(2020, 3, 1))
        assert count(drawn) == 5
        today = read(drawn)[SOUTH][0]
        assert today in {2_000, 2_010}
        # whoever asks for another day is told the release in force then
        for day, expected in (
            (dt.date(2020, 2, 29), {}),
            (dt.date(2020, 3, 1), first),
            (dt.date(2021, 7, 1), first),
        ):
            assert read(drawn, on=day) == expected


def test_community_that_gets_another_number_keeps_its_steps(drawn: Drawn) -> None:
    with superuser(drawn) as root:
        dated(root, dt.date(2001, 1, 1))
        before = root.execute("SELECT phase FROM reg.resident_count WHERE area_id = %s", [drawn.places.areas[SOUTH]]).fetchone()
        for number in range(10):  # chance alone would give all of them the same once in ten thousand million times
            root.execute(
                "WITH a AS (INSERT INTO reg.area (code, name, level, parent_id, valid_from, geom)"
                " SELECT '44039900101' || %(number)s, name, level, parent_id, valid_from, geom FROM reg.area WHERE id = %(old)s"
                " RETURNING id)"
                " INSERT INTO reg.area_lineage SELECT %(old)s, id, 'renumber', '2001-01-15' FROM a",
                {"number": str(number), "old": drawn.places.areas[SOUTH]},
            )
        assert count(drawn) == 15
        after = root.execute(
            "SELECT DISTINCT phase FROM reg.resident_count WHERE area_id > %s", [max(drawn.places.areas.values())]
        ).fetchall()
        assert after == [before]


def beyond(people: int, phase: int) -> int | None:
    """How a number is told, as it is documented."""
    return (people - phase) // 10 * 10 + 10 if people >= 10 + phase else None


def worlds(history: Sequence[Told]) -> list[list[set[tuple[int, int]]]]:
    """All that may be true of a community, told its releases: for each beginning of the steps the residents and floating of each month."""
    found: list[list[set[tuple[int, int]]]] = []
    for phase in range(10):
        months = [
            {(n, f) for n, f in product(behind(residents, phase), behind(floating, phase)) if f <= n} for residents, floating in history
        ]
        if all(months):
            found.append(months)
    return found


@cache
def behind(told_as: int | None, phase: int) -> list[int]:
    """The numbers that are told so."""
    return [people for people in range(20 if told_as is None else told_as + 10) if beyond(people, phase) == told_as]


PEOPLE = st.integers(0, 34).flatmap(lambda n: st.builds(People, st.just(n), st.integers(0, n)))
MONTH = st.fixed_dictionaries(dict.fromkeys(COMMUNITIES, PEOPLE))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(months=st.lists(MONTH, min_size=2, max_size=3))
def test_whoever_keeps_all_releases_and_knows_the_method_learns_no_number_better_than_one_of_ten(
    drawn: Drawn, months: list[dict[str, People]]
) -> None:
    releases: list[dict[str, Told]] = []
    with superuser(drawn) as root:
        root.execute("DELETE FROM reg.resident_count")
        for month, living in enumerate(months, 1):
            settled(root, drawn, living)
            assert count(drawn) == 5
            releases.append(read(drawn))
            dated(root, dt.date(2001, month, 1))
    for release in releases:  # the sums say nothing that their parts do not
        for parent in (WEST, EAST):
            parts = [release[code] for code in COMMUNITIES if SUBDISTRICT[code] == parent]
            for measure in (0, 1):
                assert (release[parent][measure] or 0) == sum(part[measure] or 0 for part in parts)
    for code in COMMUNITIES:
        truth = [(living[code].residents, living[code].floating) for living in months]
        possible = worlds([release[code] for release in releases])
        assert any(all(true in month for true, month in zip(truth, world, strict=True)) for world in possible)
        for number in range(len(months)):
            pairs = set[tuple[int, int]]().union(*(world[number] for world in possible))
            assert min(len({n for n, _ in pairs}), len({f for _, f in pairs}), len({n - f for n, f in pairs})) >= 10
        for earlier, later in pairwise(range(len(months))):
            moves = {
                after - before
                for world in possible
                for before, after in product({n for n, _ in world[earlier]}, {n for n, _ in world[later]})
            }
            assert len(moves) >= 10
