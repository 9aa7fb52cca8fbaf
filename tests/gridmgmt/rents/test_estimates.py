"""Estimates from the kept sums: hand-worked where a period has one kind of dwelling, and the same as from the leases themselves."""

import datetime as dt

import pytest

from gridmgmt.errors import InvalidError, NotFoundError
from gridmgmt.rents.catalogue import Solved
from gridmgmt.rents.estimates import Estimate, estimate
from gridmgmt.rents.methods.series import Reason
from tests.drawn import Drawn, drawn, drawn_template
from tests.gridmgmt.rents.observed import survey
from tests.places import EAST_ONE, SOUTH, WEST

__all__ = ["drawn", "drawn_template"]

JANUARY, MARCH = dt.date(2030, 1, 1), dt.date(2030, 3, 1)


def asked(
    drawn: Drawn, code: str, first: dt.date = JANUARY, last: dt.date = MARCH, *, new: bool = False, method: Solved = "time_dummy"
) -> list[Estimate]:
    with drawn.database.transaction(drawn.places.accounts["district"], read_only=True) as session:
        return estimate(session, code, "residential", first, last, lets="new" if new else "all", method=method)


def test_rents_that_rise_by_a_tenth_do_so_in_the_index(drawn: Drawn) -> None:
    # the same flat and term: nothing but the month explains the rent, 2000 and 2200 yuan; February has none
    for number in range(4):
        survey(drawn, f"a{number}", rent_fen=200_000, begins=JANUARY, ends=dt.date(2031, 1, 1))
        survey(drawn, f"b{number}", rent_fen=220_000, begins=MARCH, ends=dt.date(2031, 3, 1))
    january, february, march = asked(drawn, SOUTH)
    assert (january.value, january.n, january.reason) == (100.0, 4, None)
    assert (february.value, february.n, february.reason) == (None, 0, Reason.NO_OBSERVATIONS)
    assert (march.n, march.reason) == (4, None)
    assert march.value == pytest.approx(110.0, abs=0.01)
    assert [one.value for one in asked(drawn, WEST)] == [one.value for one in (january, february, march)]
    assert {one.reason for one in asked(drawn, EAST_ONE)} <= {Reason.NO_OBSERVATIONS, Reason.BASE_EMPTY}


def test_one_lease_in_each_period_has_a_number_and_no_error(drawn: Drawn) -> None:
    survey(drawn, "a", rent_fen=200_000, begins=JANUARY, ends=dt.date(2031, 1, 1))
    survey(drawn, "b", rent_fen=220_000, begins=MARCH, ends=dt.date(2031, 3, 1))
    january, _, march = asked(drawn, SOUTH)
    assert (january.value, january.se, march.se) == (100.0, 0.0, None)
    assert march.value == pytest.approx(110.0, abs=0.01)


def test_rents_of_the_same_unit_are_solved_from_the_sums_of_pairs(drawn: Drawn) -> None:
    # one flat from 2000 to 2200 yuan and another from 1000 to 1210: their geometric mean is 110 × √1.1
    for unit, before, after in (("tower-101", 200_000, 220_000), ("tower-102", 100_000, 121_000)):
        survey(drawn, f"{unit}-a", unit=unit, rent_fen=before, begins=JANUARY, ends=dt.date(2031, 1, 1))
        survey(drawn, f"{unit}-b", unit=unit, rent_fen=after, begins=MARCH, ends=dt.date(2031, 3, 1))
    for method in ("repeat", "case_shiller"):
        january, february, march = asked(drawn, WEST, method=method)
        assert (january.value, january.n, march.n) == (100.0, 2, 2)
        assert (february.value, february.reason) == (None, Reason.NO_PAIRS)
        assert march.value == pytest.approx(110 * 1.1**0.5, abs=0.001)
    assert {one.reason for one in asked(drawn, EAST_ONE, dt.date(2031, 1, 1), dt.date(2031, 3, 1), method="repeat")} == {Reason.NO_PAIRS}
    with pytest.raises(InvalidError, match="paired over all leases"):
        asked(drawn, SOUTH, new=True, method="repeat")


def test_refusals(drawn: Drawn) -> None:
    with pytest.raises(InvalidError, match="before the first"):
        asked(drawn, SOUTH, MARCH, JANUARY)
    with pytest.raises(InvalidError, match="at most 600"):
        asked(drawn, SOUTH, dt.date(1900, 1, 1), MARCH)
    with pytest.raises(NotFoundError):
        asked(drawn, "999999")
