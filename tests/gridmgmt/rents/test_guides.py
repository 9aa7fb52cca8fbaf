"""Guidance rents of a district whose communities may say nothing of themselves: worked by hand."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pytest

from gridmgmt.rents.extracts import Extract
from gridmgmt.rents.figures import guide_figures
from gridmgmt.rents.guides import Dwellings, guide
from gridmgmt.rents.methods.disclosure import Rules
from gridmgmt.rents.methods.guidance import Band, Source
from gridmgmt.rents.methods.series import Reason
from gridmgmt.rents.observations import ATTRIBUTES
from gridmgmt.rents.samples import Sample
from gridmgmt.rents.tree import Area, Tree

TREE = Tree(
    (
        Area(1, "440399", "区", "district", -1),
        Area(2, "440399001", "西", "subdistrict", 0),
        Area(3, "440399002", "东", "subdistrict", 0),
        Area(4, "440399003", "空", "subdistrict", 0),
        Area(5, "440399004", "无", "subdistrict", 0),
        Area(6, "440399001001", "西一", "community", 1),
        Area(7, "440399001002", "西二", "community", 1),
        Area(8, "440399002001", "东一", "community", 2),
        Area(9, "440399002002", "东二", "community", 2),
        Area(10, "440399003001", "空一", "community", 3),
        Area(11, "440399004001", "无一", "community", 4),
    )
)
DISTRICT, WEST, EAST, EMPTY, BARE = range(5)
END = dt.date(2024, 7, 1)
RENTS = {6: 40.0, 7: 40.0, 8: 60.0, 9: 60.0}


def sample() -> Sample:
    """In each community of RENTS, in each month of the quarter, eight leases 0.1 of a logarithm above and below its rent in turn, by two
    landlords in the first community of a subdistrict and four in the second."""
    rows = [
        (
            END.year * 12 + END.month - 1 - month,
            community,
            community * 10 + at // 2 % (2 + 2 * (community % 2)),
            np.log(rent) + 0.1 * (-1) ** at,
        )
        for community, rent in RENTS.items()
        for month in (3, 2, 1)
        for at in range(8)
    ]
    month, community, landlord = (np.array([row[place] for row in rows], np.int64) for place in range(3))
    logs = np.rint(np.array([row[3] for row in rows]) * 1e6).astype(np.int64)
    none, own = np.zeros(len(rows), np.int64), np.arange(len(rows))
    x = np.zeros((len(rows), len(ATTRIBUTES)), np.int64)
    extract = Extract(month, community, 2 + (community > 7), none, none, landlord, own, own, logs, x)
    return Sample("plant", extract, np.ones(len(rows), np.bool_))


def stock(*communities: int) -> Dwellings:
    """A unit of 50 m² in each of these communities."""
    ids = np.array(communities, np.int64)
    return Dwellings(ids, np.zeros(len(ids), np.int64), np.zeros((len(ids), len(ATTRIBUTES))))


STOCK = stock(6, 7, 8, 9, 10)
# Each subdistrict has 48 leases, ln 40 or ln 60, each 0.1 off: squares 0.48 each; s² = 0.96 / 94 = 0.01021277; the middle is ln 48.989795,
# both lie 0.2027326 off it, so MS between is 2 · 48 · 0.2027326² = 3.945627 and τ² = (3.945627 − 0.010213) / 48 = 0.08198780.
# g = τ² ÷ (τ² + s² / 48) = 0.9974117: 48.989795 · exp(∓0.2027326 g) is 40.02 and 59.97.
WEST_RENT, EAST_RENT = 40.0210, 59.9686


def test_parent_of_silent_communities_has_its_own_band_and_they_have_its() -> None:
    """Of two landlords each would know the other's rents: such a community is hidden, and the one beside it, or it would follow."""
    made = {one.area_id: one for one in guide_figures(sample(), TREE, STOCK, END, rules=Rules())[0]}
    # thirty leases or more: the 20th percentile is the rents 0.1 below, the 80th those 0.1 above
    for area, rent in ((2, WEST_RENT), (3, EAST_RENT)):
        told = made[area]
        assert (told.basis, told.n_told, told.reason) == ("direct", 50, None)
        expected = [rent * np.exp(-0.1), rent, rent * np.exp(0.1)]
        assert [float(one or 0) for one in (told.low, told.value, told.high)] == pytest.approx(expected, abs=0.006)
        assert told.se == Decimal("0.0146")  # of a mean that is drawn to the district's: √(τ²(1 − g)) = √(0.0819878 · 0.0025883)
    # a community stands at its subdistrict's level, with the spread of rents within its communities: √(0.48 / 46) = 0.1021508
    for area, rent in ((6, WEST_RENT), (7, WEST_RENT), (8, EAST_RENT), (9, EAST_RENT)):
        told = made[area]
        assert (told.basis, told.se, told.n_told, told.reason) == ("model", None, None, None)
        expected = [rent * np.exp(-0.8416212 * 0.1021508), rent, rent * np.exp(0.8416212 * 0.1021508)]
        assert [float(one or 0) for one in (told.low, told.value, told.high)] == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("dwellings", "told"), [
    (stock(6, 8, 9, 10), False), (stock(*[6] * 99, 7, 8, 9, 10), False), (stock(6, 7, 8, 9, 10), True),
])  # fmt: skip
def test_nobody_hides_behind_a_community_of_next_to_no_stock(dwellings: Dwellings, *, told: bool) -> None:
    """The west is the mean over its stock: where all of that, or all but a hundredth, stands in the hidden community, it is its number."""
    west = next(one for one in guide_figures(sample(), TREE, dwellings, END, rules=Rules())[0] if one.area_id == 2)
    assert (west.basis == "direct") is told


# Of five units two stand at the west's rent, two at the east's, and one in a subdistrict without leases, which the regression of the run
# puts at the middle.
DISTRICT_RENT = (2 * WEST_RENT + 2 * EAST_RENT + 48.9898) / 5


def test_where_nothing_was_let_the_district_speaks_and_without_stock_nobody_does() -> None:
    made = {one.area_id: one for one in guide_figures(sample(), TREE, STOCK, END, rules=Rules())[0]}
    # a quarter of the leases each are at ln 40 − 0.1, ln 40 + 0.1, ln 60 − 0.1 and ln 60 + 0.1: the median is ln 48.99
    low, high = 40 * np.exp(-0.1) / 48.98979, 60 * np.exp(0.1) / 48.98979
    for area in (1, 4):
        told = made[area]
        expected = [DISTRICT_RENT * low, DISTRICT_RENT, DISTRICT_RENT * high]
        assert [float(one or 0) for one in (told.low, told.value, told.high)] == pytest.approx(expected, abs=0.006)
    # a community there has the spread within the district's communities, √(0.96 / 92)
    spread = 0.8416212 * np.sqrt(0.96 / 92)
    expected = [DISTRICT_RENT * np.exp(-spread), DISTRICT_RENT, DISTRICT_RENT * np.exp(spread)]
    assert [float(one or 0) for one in (made[10].low, made[10].value, made[10].high)] == pytest.approx(expected, abs=0.006)
    assert [(made[area].value, made[area].reason) for area in (5, 11)] == [(None, "no_stock")] * 2


def test_what_is_hidden_below_a_number_does_not_move_it() -> None:
    """Stock and leases lie apart, so that a mean over the leases is another one than that over the stock."""
    apart = stock(6, 7, 7, 7, 8, 8, 8, 8, 8, 8, 9)
    plain = guide(sample(), TREE, apart, END)
    silent = frozenset(range(5, 11))
    found = guide(sample(), TREE, apart, END, hidden=silent, silent=silent)
    for column in ("low", "median", "high"):
        np.testing.assert_array_equal(getattr(found.bands, column)[:3], getattr(plain.bands, column)[:3])
    np.testing.assert_array_equal(found.errors[:3], plain.errors[:3])


def test_what_a_hidden_subdistrict_is_says_nothing_of_itself_or_its_communities() -> None:
    """The west is hidden with all of its communities: all of them are what the district is."""
    hidden = frozenset({WEST, 5, 6})
    found = guide(sample(), TREE, STOCK, END, hidden=hidden, silent=hidden).bands
    assert [found.sources[at] for at in (WEST, 5, 6)] == [Source.PARENT] * 3
    assert found.median[[WEST, 5, 6]] == pytest.approx(DISTRICT_RENT, abs=1e-3)
    assert found.low[WEST] / found.median[WEST] == pytest.approx(found.low[DISTRICT] / found.median[DISTRICT])
    assert found.low[5] == pytest.approx(DISTRICT_RENT * np.exp(-0.8416212 * np.sqrt(0.96 / 92)), abs=1e-3)


def test_band_is_as_wide_as_it_is_asked_for() -> None:
    """From the 10th to the 90th percentile, 1.2815516 standard deviations to either side."""
    silent = frozenset({5, 6})
    found = guide(sample(), TREE, STOCK, END, band=Band(0.1, 0.9), hidden=silent, silent=silent).bands
    assert found.low[5] == pytest.approx(WEST_RENT * np.exp(-1.2815516 * 0.1021508), abs=1e-3)
    assert found.high[5] == pytest.approx(WEST_RENT * np.exp(1.2815516 * 0.1021508), abs=1e-3)


def test_hidden_district_leaves_nothing_to_go_by() -> None:
    every = frozenset(range(len(TREE.areas)))
    found = guide(sample(), TREE, STOCK, END, hidden=every, silent=every)
    assert found.bands.reasons[1:] == (*[Reason.NO_PARENT] * 3, Reason.NO_STOCK, *[Reason.NO_PARENT] * 5, Reason.NO_STOCK)
    assert np.isnan(found.bands.median[1:]).all()


def test_only_subdistrict_has_the_error_of_its_mean() -> None:
    """Nothing tells how its communities differ, since they are silent, nor how subdistricts do: that is no error of nought."""
    alone = Tree((*TREE.areas[:2], *(Area(one.id, one.code, one.name, "community", 1) for one in TREE.areas[5:7])))
    both = sample()
    west = Sample(both.use, both.extract.where(both.extract.community < 8), both.kept[both.extract.community < 8])
    silent = frozenset({2, 3})
    found = guide(west, alone, stock(6, 7), END, hidden=silent, silent=silent)
    assert found.errors[:2] == pytest.approx(np.sqrt(0.48 / 47 / 48))  # 48 leases 0.1 off their mean
    assert found.bands.median == pytest.approx(40.0)
