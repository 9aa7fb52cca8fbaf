"""What the layers that count by grid say of the drawn district, against counts by hand.

Tower and village are rental and lie in south-west, the mill in east-inner; shop and school are not rental. The village has an active
manager from 2023 on, the mill a candidate. South-west and east-inner measure 0.2 and 0.4 square kilometres.
"""

import datetime as dt
from decimal import Decimal

import psycopg

from tests.drawn import Drawn
from tests.gridmgmt.layers.conftest import told

COVERAGE = "managers-coverage"
DENSITY = "lease-density"
GRIDS = ("south-west", "south-east", "north-west", "north-east", "east-inner", "east-outer")
NEW_TERMS = (
    "UPDATE reg.lease SET valid_from = reg.today() - {since}, valid_to = reg.today() + {until}, filed_on = {filed}, ended_on = {ended},"
    " state = '{state}' WHERE number = '{number}'"
)


def written(drawn: Drawn, *statements: str) -> None:
    """Commits statements as the superuser, whose triggers fire but whom no rule of steps keeps from dating leases anew."""
    with psycopg.connect(drawn.address.conninfo("postgres")) as root:
        root.execute("ALTER TABLE reg.lease DISABLE TRIGGER lease_state_step")
        for statement in statements:
            root.execute(statement.encode())
        root.execute("SET CONSTRAINTS ALL IMMEDIATE")
        root.execute("ALTER TABLE reg.lease ENABLE TRIGGER lease_state_step")


def covered(drawn: Drawn, who: str, **asked: dt.datetime) -> dict[str, tuple[int, int, Decimal | None]]:
    found = told(drawn, drawn.places.accounts[who], COVERAGE, **asked)
    return {one["name"]: (one["rental_buildings"], one["managed_buildings"], one["coverage"]) for one in found}


def test_worker_is_told_of_the_own_grid_only(drawn: Drawn) -> None:
    assert covered(drawn, "worker") == {"south-west": (2, 1, 50.0)}
    assert [one["name"] for one in told(drawn, drawn.places.accounts["worker-east"], DENSITY)] == ["east-inner"]
    assert [one["name"] for one in told(drawn, drawn.places.accounts["community"], DENSITY)] == ["south-west", "south-east"]


def test_coverage_counts_rental_buildings_and_those_with_an_active_manager(drawn: Drawn) -> None:
    nothing = (0, 0, None)
    expected = dict.fromkeys(GRIDS, nothing) | {"south-west": (2, 1, 50.0), "east-inner": (1, 0, 0.0)}
    assert covered(drawn, "district") == expected
    assert covered(drawn, "subdistrict") == {name: expected[name] for name in GRIDS[:4]}
    first = told(drawn, drawn.places.accounts["worker"], COVERAGE)[0]
    assert (first["code"], first["community"]) == ("440399001001001", "440399001001")
    assert first["day"] in {dt.datetime.now(dt.UTC).date(), (dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)).date()}


def test_what_does_not_hold_on_the_day_is_not_counted(drawn: Drawn) -> None:
    moved_out = "UPDATE reg.residence SET valid_to = '2024-03-01' WHERE valid_to IS NULL"
    tower = "UPDATE reg.unit SET retired_on = {} WHERE code LIKE '4403990010010000001%'"
    active = "UPDATE reg.manager SET {} WHERE state = 'active'"
    for change, expected in (
        (active.format("state = 'suspended'"), (2, 0, 0.0)),
        (active.format("valid_to = reg.today()"), (2, 0, 0.0)),
        (active.format("valid_to = reg.today() + 1"), (2, 1, 50.0)),
        (active.format("valid_from = reg.today() + 1"), (2, 0, 0.0)),
        (active.format("deleted_at = now()"), (2, 0, 0.0)),
        ("UPDATE reg.building SET rental = false WHERE name = 'tower'", (1, 1, 100.0)),
        # a building without a unit is not let to anybody
        (tower.format("reg.today()"), (1, 1, 100.0)),
        (tower.format("reg.today() + 1"), (2, 1, 50.0)),
    ):
        (own, *_) = told(drawn, drawn.places.accounts["district"], COVERAGE, moved_out, change)
        assert (own["rental_buildings"], own["managed_buildings"], own["coverage"]) == expected, change


def test_as_of_a_moment_is_what_was_believed_then(drawn: Drawn) -> None:
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as root:
        row = root.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    written(drawn, "UPDATE reg.manager SET state = 'suspended' WHERE state = 'active'")
    assert covered(drawn, "worker") == {"south-west": (2, 0, 0.0)}
    assert covered(drawn, "worker", as_of=row[0]) == {"south-west": (2, 1, 50.0)}
    assert covered(drawn, "district", as_of=row[0])["east-inner"] == (1, 0, 0.0)
    assert covered(drawn, "district", as_of=row[0])["north-east"] == (0, 0, None)
    assert covered(drawn, "district", as_of=dt.datetime(2021, 1, 1, tzinfo=dt.UTC)) == {}


def test_density_counts_leases_in_force_and_the_units_they_let(drawn: Drawn) -> None:
    written(
        drawn,
        NEW_TERMS.format(number="ZL-2023-0001", since=500, until=500, filed="reg.today() - 400", ended="NULL", state="filed"),
        NEW_TERMS.format(number="ZL-2024-0002", since=100, until=100, filed="NULL", ended="NULL", state="signed"),
        NEW_TERMS.format(number="ZL-2022-0003", since=100, until=1, filed="reg.today()", ended="NULL", state="filed"),
        NEW_TERMS.format(number="ZL-2024-0004", since=100, until=100, filed="reg.today() - 90", ended="reg.today()", state="terminated"),
    )
    found = {one["name"]: one for one in told(drawn, drawn.places.accounts["district"], DENSITY)}
    kept = ("leases", "filed_leases", "let_units", "units", "let_share")
    told_of = {name: tuple(one[column] for column in kept) for name, one in found.items()}
    assert told_of == {
        "south-west": (2, 1, 1, 3, Decimal("33.3")),  # the village's flat with its sublet, of two flats in the tower and itself
        "south-east": (1, 1, 1, 1, 100.0),
        "north-west": (0, 0, 0, 1, 0.0),
        "north-east": (0, 0, 0, 0, None),
        "east-inner": (0, 0, 0, 1, 0.0),  # ended today
        "east-outer": (0, 0, 0, 0, None),
    }
    assert [found[name]["let_units_per_km2"] for name in GRIDS[:3]] == [5, 5, 0]  # one in 0.2 square kilometres


def test_lease_counts_from_its_first_day_to_its_last(drawn: Drawn) -> None:
    for since, until, state, counted in (
        (0, 1, "signed", 1), (-1, 9, "signed", 0), (9, 0, "signed", 0), (9, 9, "drafted", 0), (9, 9, "cancelled", 0), (9, 9, "renewed", 1),
    ):  # fmt: skip
        written(drawn, NEW_TERMS.format(number="ZL-2024-0004", since=since, until=until, filed="NULL", ended="NULL", state=state))
        (inner,) = told(drawn, drawn.places.accounts["worker-east"], DENSITY)
        assert (inner["leases"], inner["filed_leases"], inner["let_units"]) == (counted, 0, counted)


def test_earlier_day_is_counted_as_it_was(drawn: Drawn) -> None:
    district = drawn.places.accounts["district"]

    def on(day: dt.date, *before: str) -> dict[str, tuple[int, int]]:
        found = told(drawn, district, COVERAGE, *before, on=day)
        assert {one["day"] for one in found} == {day}
        return {one["name"]: (one["rental_buildings"], one["managed_buildings"]) for one in found if one["rental_buildings"]}

    assert on(dt.date(2022, 12, 31)) == {"south-west": (2, 0), "east-inner": (1, 0)}
    assert on(dt.date(2023, 1, 1)) == {"south-west": (2, 1), "east-inner": (1, 0)}
    resigned = "UPDATE reg.manager SET state = 'resigned', valid_to = '2024-06-01'"
    assert on(dt.date(2024, 5, 31), resigned) == {"south-west": (2, 1), "east-inner": (1, 1)}  # the candidate had contacts too
    without = f"{resigned}, office_contact = NULL WHERE state = 'candidate'"
    assert on(dt.date(2024, 5, 31), without) == {"south-west": (2, 1), "east-inner": (1, 0)}
    assert on(dt.date(2024, 6, 1), resigned) == {"south-west": (2, 0), "east-inner": (1, 0)}
    late = "UPDATE reg.building SET built_year = 2023 WHERE name = 'tower'"
    assert on(dt.date(2022, 12, 31), late) == {"south-west": (1, 0), "east-inner": (1, 0)}
    assert told(drawn, district, COVERAGE, on=dt.date(2019, 12, 31)) == []  # before the grids
    leases = {day: told(drawn, district, DENSITY, on=day)[0]["leases"] for day in (dt.date(2023, 8, 31), dt.date(2024, 6, 1))}
    assert leases == {dt.date(2023, 8, 31): 0, dt.date(2024, 6, 1): 2}


def test_day_to_come_is_counted_as_today(drawn: Drawn) -> None:
    for layer in (COVERAGE, DENSITY):
        district = drawn.places.accounts["district"]
        assert told(drawn, district, layer, on=dt.date(2099, 1, 1)) == told(drawn, district, layer)
