"""The arithmetic behind the demo, by numbers worked out by hand."""

import datetime as dt

import numpy as np
import pytest

from gridmgmt.demo.contents import fill
from gridmgmt.demo.geography import draw
from gridmgmt.demo.leases import BY_AREA, BY_MONTH, BY_YEAR, in_fen, months_of
from gridmgmt.demo.people import birth_days, identity_numbers, landlord_names
from gridmgmt.demo.plan import plan
from gridmgmt.demo.scales import SCALES, ScaleName
from gridmgmt.demo.texts import NEVER, chance, dates, hexes, hundredths, spread, uuids


def test_largest_remainders_take_what_is_left() -> None:
    # 10 x (0.5, 0.3, 0.2) is whole; of 11, the thirds 3.67 each: the first two get one more
    assert spread(10, np.array([5.0, 3.0, 2.0])).tolist() == [5, 3, 2]
    assert spread(11, np.ones(3)).tolist() == [4, 4, 3]


def test_bounds_hold_when_something_is_spread() -> None:
    assert spread(10, np.array([100.0, 1.0, 1.0]), most=np.array([4, 9, 9])).tolist() == [4, 3, 3]
    assert spread(4, np.array([100.0, 0.0, 0.0]), least=1).tolist() == [2, 1, 1]
    assert spread(9, np.array([1.0, 1.0]), most=np.array([2, 2])).tolist() == [2, 2]


def test_an_identity_number_has_its_check_character() -> None:
    # 00 0000 1970-01-03 000: 1x2 + 9x1 + 7x6 + 1x9 + 3x5 = 77, 77 mod 11 = 0, of 10X98765432 the first
    assert identity_numbers(np.array([0]), np.array([2]), np.array([False])) == ["000000197001030001"]
    # a man, the next place: 00 0001 1970-01-03 001: 77 + 1x4 + 1x2 = 83, 83 mod 11 = 6
    assert identity_numbers(np.array([500]), np.array([2]), np.array([True])) == ["000001197001030016"]


def test_ten_million_persons_of_one_birth_day_have_numbers_of_their_own() -> None:
    serials = np.array([0, 1, 499, 500, 4_999_999, 5_000_000, 5_000_001, 9_999_999])
    born = birth_days(serials, np.full(len(serials), 10_000))
    numbers = identity_numbers(serials, born, np.zeros(len(serials), dtype=bool))
    assert len(set(numbers)) == len(serials)


def test_landlords_of_a_subdistrict_have_names_of_their_own() -> None:
    assert len(set(landlord_names("440306022", 5_000))) == 5_000


@pytest.mark.parametrize(
    ("given", "kind", "area", "fen"),
    [
        (120_000, BY_MONTH, 3_525, 120_000),  # 1,200.00 yuan
        (1_234, BY_AREA, 3_525, 43_499),  # 12.34 yuan x 35.25 m2 = 434.985 yuan
        (1_440_000, BY_YEAR, 3_525, 120_000),
        (100, BY_YEAR, 3_525, 8),  # 1 yuan a year = 8.33 fen a month
        (6, BY_YEAR, 3_525, 1),  # 0.5 fen is rounded up
    ],
)
def test_rents_become_fen_a_month(given: int, kind: int, area: int, fen: int) -> None:
    assert in_fen(np.array([given]), np.array([kind]), np.array([area])).tolist() == [fen]


def test_days_become_dates() -> None:
    assert dates(np.array([0, NEVER, 20_000])) == ["1970-01-01", "\\N", "2024-10-04"]
    assert dates(np.array([NEVER])) == ["\\N"]
    assert hundredths(np.array([3_525, 7])) == ["35.25", "0.07"]
    assert months_of((dt.date(2026, 11, 24) - dt.date(1970, 1, 1)).days) == (56 * 12 + 10, 24)


def test_identifiers_are_of_version_7_and_in_the_order_of_time() -> None:
    made = hexes(uuids(chance("test"), np.array([100, 10_000, 20_000])))
    assert made == sorted(made)
    assert {one[12] for one in made} == {"7"}
    assert {one[16] for one in made} <= set("89ab")
    assert made == hexes(uuids(chance("test"), np.array([100, 10_000, 20_000])))


@pytest.mark.parametrize("name", ["tests", "demo", "district"])
def test_the_parts_of_a_plan_make_the_scale(name: ScaleName) -> None:
    scale = SCALES[name]
    parts = plan(scale, draw(scale), dt.date(2026, 11, 24))
    assert sum(int(part.buildings.sum()) for part in parts) == scale.buildings
    assert sum(part.rental for part in parts) == scale.rental_buildings
    assert sum(part.units for part in parts) == scale.units
    assert sum(part.residents for part in parts) == scale.residents
    assert sum(part.managers for part in parts) == scale.managers
    assert sum(part.leases for part in parts) == scale.leases


@pytest.mark.parametrize("day", [dt.date(2026, 1, 1), dt.date(2028, 2, 29), dt.date(2026, 3, 31), dt.date(2026, 12, 1)])
def test_a_district_can_be_filled_on_any_day(day: dt.date) -> None:
    scale = SCALES["tests"]
    for part in plan(scale, draw(scale), day):
        contents = fill(part)
        assert int((contents.stays.end == NEVER).sum()) == part.residents
        sublets = 0 if contents.sublet is None else 1
        assert int((contents.leases.last_day > part.today).sum()) == part.leases + sublets
        assert contents.stays.start.max() <= part.today
