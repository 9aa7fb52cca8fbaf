"""The district that the other tests stand on is the one that is drawn in tests/places.py."""

from sqlalchemy import func, select

from geo.crs import METRIC
from gridmgmt.models import Building, Grid, Lease, Person
from tests.drawn import Drawn


def test_grids_have_the_size_that_they_are_drawn_with(drawn: Drawn):
    area = func.round(func.ST_Area(func.ST_Transform(Grid.geom, METRIC)))
    with drawn.database.transaction(drawn.places.accounts["district"]) as session:
        sizes = {name: size for name, size in session.execute(select(Grid.name, area))}  # noqa: C416 -- a row is not a pair
    assert sizes == {
        "south-west": 200_000, "south-east": 200_000, "north-west": 200_000, "north-east": 200_000,
        "east-inner": 400_000, "east-outer": 400_000,
    }  # fmt: skip


def test_worker_sees_the_two_buildings_of_the_own_grid(drawn: Drawn):
    with drawn.database.transaction(drawn.places.accounts["worker"]) as session:
        assert set(session.scalars(select(Building.name))) == {"tower", "village"}
        assert set(session.scalars(select(Person.name))) == {"张大山", "李小红"}


def test_subdistrict_sees_the_leases_of_its_own(drawn: Drawn):
    with drawn.database.transaction(drawn.places.accounts["subdistrict"]) as session:
        assert set(session.scalars(select(Lease.number))) == {"ZL-2023-0001", "ZL-2024-0002", "ZL-2022-0003"}
