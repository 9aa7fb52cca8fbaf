"""What a lease, an assessment or a survey says of a rent: measured, guarded, and followed through corrections."""

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from gridmgmt.rents.observations import ATTRIBUTES, REASONS, Observed, quarantined
from tests.drawn import Drawn
from tests.gridmgmt.rents.observed import ask, change, kept, look, operator, survey
from tests.places import EAST_ONE, NORTH, SOUTH

VILLAGE, SUBLET, SHOP, MILL = "ZL-2023-0001", "ZL-2024-0002", "ZL-2022-0003", "ZL-2024-0004"


def test_drawn_leases_are_observed_once(drawn: Drawn) -> None:
    assert look(drawn) == Observed(4, 0)
    assert look(drawn) == Observed(0, 0)
    with drawn.database.transaction(operator(drawn)) as session:
        assert quarantined(session) == {"sublet": 1}
    assert kept(drawn, SUBLET, "reason", "log_rent", "age") == ("sublet", None, None)


def test_lease_is_measured(drawn: Drawn) -> None:
    """600 yuan for 35 m² on the third of nine floors, built in 1999, from 2024-02-01 to 2026-02-01 (731 days).

    ln(600 ÷ 35) = 2.841582; ln(35 ÷ 50) = −0.356675, its square ÷ 4 = 0.031804; 25 years: 2.5 − 2 = 0.5, its square ÷ 4 = 0.0625;
    (3 − 3) ÷ 10 = 0; ln(731 ÷ 365) = 0.694516.
    """
    change(drawn, "UPDATE reg.building SET built_year = 1999 WHERE id = :id", id=drawn.places.buildings["mill"])
    look(drawn)
    assert kept(drawn, MILL, "log_rent", *ATTRIBUTES) == (
        2_841_582, -356_675, 31_804, 500_000, 62_500, 0, 0, 0, 0, 1_000_000, 694_516,
    )  # fmt: skip


def test_lease_in_a_building_of_unknown_year_is_measured(drawn: Drawn) -> None:
    """12,000 yuan for 35 m² on the ground floor of two, from 2022-01-01 to 2027-01-01 (1,826 days).

    ln(12000 ÷ 35) = 5.837314; ln(35 ÷ 50) = −0.356675, its square ÷ 4 = 0.031804; (1 − 3) ÷ 10 = −0.2; ln(1826 ÷ 365) = 1.609986.
    """
    change(drawn, "UPDATE reg.building SET built_year = NULL WHERE id = :id", id=drawn.places.buildings["shop"])
    look(drawn)
    assert kept(drawn, SHOP, "log_rent", *ATTRIBUTES) == (
        5_837_314, -356_675, 31_804, 0, 0, 1_000_000, -200_000, 1_000_000, 0, 0, 1_609_986,
    )  # fmt: skip
    assert kept(drawn, SHOP, "month", "use", "class", "rent_fen", "area_m2") == (
        dt.date(2022, 1, 1), "shop", "other", 1_200_000, Decimal("35.00"),
    )  # fmt: skip


WRONG: dict[str, dict[str, Any]] = {
    "rent_not_positive": {"rent_fen": 0},
    "area_missing": {"area": None},
    "term_inverted": {"ends": dt.date(2024, 1, 1)},
    "related_parties": {"related": True},
    "sublet": {"sublet": True},
}
IMPLAUSIBLE: tuple[dict[str, Any], ...] = (
    {"rent_fen": 2_499},  # 24.99 yuan for 50 m² is less than half a yuan
    {"rent_fen": 100_000_001},  # a million yuan for 50 m² is more than 20,000
    {"area": Decimal("0.99")},
    {"area": Decimal("100000.01"), "rent_fen": 200_000_000},
)


def test_what_cannot_be_right_is_set_aside_with_its_reason(drawn: Drawn) -> None:
    cases = [*WRONG.items(), *(("implausible", one) for one in IMPLAUSIBLE)]
    for number, (_, said) in enumerate(cases):
        survey(drawn, f"S-{number}", **said)
    assert [kept(drawn, f"S-{number}", "reason") for number in range(len(cases))] == [reason for reason, _ in cases]
    assert ask(drawn, "SELECT * FROM reg.rent_statistic") == []


def test_every_reason_is_tried() -> None:
    assert {*WRONG, "implausible"} == set(REASONS)


def test_what_is_just_possible_counts(drawn: Drawn) -> None:
    survey(drawn, "S-0", rent_fen=2_500)
    survey(drawn, "S-1", rent_fen=100_000_000)
    survey(drawn, "S-2", area=Decimal(1))
    survey(drawn, "S-3", ends=None)  # an open term counts as a year
    assert [kept(drawn, f"S-{number}", "reason") for number in range(4)] == [None] * 4
    assert kept(drawn, "S-3", "term") == 0


def test_extreme_buildings_are_still_measured(drawn: Drawn) -> None:
    """Area, floor, age and term at the ends of what the register takes keep within what the sums can hold."""
    change(drawn, "UPDATE reg.building SET built_year = 1800, floors_above = 200 WHERE id = :id", id=drawn.places.buildings["tower"])
    change(drawn, "UPDATE reg.unit SET floor = 200 WHERE id = :id", id=drawn.places.units["tower-101"])
    survey(drawn, "S-1", area=Decimal(100_000), rent_fen=200_000_000_000, ends=dt.date(2999, 1, 1))
    assert kept(drawn, "S-1", "reason", "age", "floor", "top") == (None, 7_000_000, 10_000_000, 1_000_000)


def test_corrections_of_lease_unit_and_building_are_followed(drawn: Drawn) -> None:
    look(drawn)
    change(drawn, "UPDATE reg.lease SET rent_fen = 120000 WHERE number = :number", number=MILL)
    assert look(drawn) == Observed(1, 0)
    assert kept(drawn, MILL, "log_rent", "version") == (3_534_729, 2)  # ln(1200 ÷ 35)
    change(drawn, "UPDATE reg.unit SET use = 'warehouse', floor = 1 WHERE id = :id", id=drawn.places.units["mill-301"])
    assert look(drawn) == Observed(1, 0)
    assert kept(drawn, MILL, "use", "ground") == ("warehouse", 1_000_000)
    change(drawn, "UPDATE reg.building SET nature = 'apartment', built_year = 2014 WHERE id = :id", id=drawn.places.buildings["mill"])
    assert look(drawn) == Observed(1, 0)
    assert kept(drawn, MILL, "class", "age", "undated") == ("apartment", -1_000_000, 0)


def test_building_that_moves_takes_its_observations_along_whoever_moves_it(drawn: Drawn) -> None:
    """The office of the subdistrict may not see an observation, and must not be refused for one."""
    look(drawn)
    assert kept(drawn, VILLAGE, "community_id") == drawn.places.areas[SOUTH]
    north = ask(drawn, "SELECT entrance::text FROM reg.building WHERE id = %s", drawn.places.buildings["school"])[0][0]
    with drawn.database.transaction(drawn.places.accounts["subdistrict"]) as session:
        moved = {"place": north, "id": drawn.places.buildings["village"]}
        session.execute(text("UPDATE reg.building SET entrance = CAST(:place AS public.geometry) WHERE id = :id"), moved)
    assert kept(drawn, VILLAGE, "grid_id", "version") == (drawn.places.grids["north-west"], 2)
    assert look(drawn) == Observed(2, 0)  # the sublet too
    assert kept(drawn, VILLAGE, "community_id") == drawn.places.areas[NORTH]


def test_lease_that_is_cancelled_or_struck_out_counts_no_more(drawn: Drawn) -> None:
    look(drawn)
    assert kept(drawn, SHOP, "deleted_at") is None
    change(drawn, "UPDATE reg.lease SET state = 'cancelled' WHERE number = :number", number=SHOP)
    assert look(drawn) == Observed(0, 1)
    assert kept(drawn, SHOP, "deleted_at") is not None
    change(drawn, "UPDATE reg.lease SET deleted_at = now() WHERE number = :number", number=MILL)
    assert look(drawn) == Observed(0, 1)
    assert ask(drawn, "SELECT sum(n)::int FROM reg.rent_statistic") == [(1,)]


def test_lease_that_was_not_signed_is_no_observation(drawn: Drawn) -> None:
    number = "ZL-2024-0009"
    change(
        drawn,
        "INSERT INTO reg.lease (number, unit_id, grid_id, subdistrict_id, rent_fen, rent_given, rent_unit, area_basis_m2, valid_from,"
        " valid_to, state, new_let) SELECT :number, id, grid_id, subdistrict_id, 100000, 1000, 'month', area_m2, '2024-01-01',"
        " '2025-01-01', 'drafted', true FROM reg.unit WHERE id = :unit",
        number=number,
        unit=drawn.places.units["tower-101"],
    )
    assert look(drawn) == Observed(4, 0)
    change(drawn, "UPDATE reg.lease SET state = 'signed' WHERE number = :number", number=number)
    assert look(drawn) == Observed(1, 0)
    assert kept(drawn, number, "community_id") == drawn.places.areas[SOUTH] != drawn.places.areas[EAST_ONE]


def test_survey_is_measured_anew_when_its_building_is_corrected(drawn: Drawn) -> None:
    survey(drawn, "S-1")
    look(drawn)
    change(drawn, "UPDATE reg.building SET built_year = 2004 WHERE id = :id", id=drawn.places.buildings["tower"])
    assert look(drawn) == Observed(1, 0)
    assert kept(drawn, "S-1", "undated", "source") == (0, "survey")
