"""Mix-adjusted median: each formula, empty cells and links by hand; its errors by drawing units again."""

from math import sqrt

import numpy as np
import pytest

from gridmgmt.rents.methods.imputation import Formula
from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.medians import MedianIndex, Stock, mix_adjusted_median
from gridmgmt.rents.methods.series import EstimationError, IntArray, Reason
from gridmgmt.rents.methods.trim import middles

NONE = float("nan")


def leases(rents: list[list[float]]) -> tuple[Leases, IntArray]:
    """One lease for each period and cell that has a rent, in yuan per m² and month."""
    table = np.array(rents)
    period, cell = np.nonzero(np.isfinite(table))
    return leases_of(np.log(table[period, cell]), period, periods=len(table)), cell


def index(rents: list[list[float]], stock: Stock, formula: Formula = Formula.LASPEYRES, links: tuple[int, ...] = (0,)) -> MedianIndex:
    found, cell = leases(rents)
    return mix_adjusted_median(found, cell, stock, formula=formula, links=links)


def test_a_district_without_stock_is_refused() -> None:
    with pytest.raises(EstimationError) as refused:
        Stock.steady(np.zeros(2), 3)
    assert refused.value.reason is Reason.NO_STOCK
    for area in (np.array([[1.0, -1.0]]), np.array([[1.0, NONE]]), np.array([[1.0]])):
        with pytest.raises(ValueError, match="stock"):
            Stock(area, np.zeros(2, np.int64))


def test_a_base_without_a_rent_is_refused() -> None:
    # the only cell with a rent in the base has no stock
    for rents, area in (([[NONE, NONE], [40.0, 50.0]], [1.0, 1.0]), ([[40.0, NONE], [40.0, 50.0]], [0.0, 1.0])):
        with pytest.raises(EstimationError) as refused:
            index(rents, Stock.steady(np.array(area), 2))
        assert refused.value.reason is Reason.BASE_EMPTY


def test_cells_and_periods_without_stock_are_refused() -> None:
    found, cell = leases([[40, 60], [44, 66]])
    for area, periods in ((np.ones(1), 2), (np.ones(2), 3)):
        with pytest.raises(ValueError, match="stock"):
            mix_adjusted_median(found, cell, Stock.steady(area, periods))


def test_the_median_of_each_cell() -> None:
    # 1 3 → 2; 5 → 5; 9 7 8 → 8
    values, group = np.array([9.0, 1, 5, 7, 3, 8]), np.array([2, 0, 1, 2, 0, 2])
    assert middles(values, group, np.array([2, 1, 3])).tolist() == [2, 5, 8]


# stock of 300 and 100 m², then of 200 and 200; rents of 40 and 60 become 44 and 90
LASPEYRES, PAASCHE = (300 * 44 + 100 * 90) / (300 * 40 + 100 * 60), (200 * 44 + 200 * 90) / (200 * 40 + 200 * 60)
OLD, NEW = 300 * 40 / 18000, 200 * 44 / 26800


@pytest.mark.parametrize(
    ("formula", "movement"),
    [
        (Formula.LASPEYRES, LASPEYRES),
        (Formula.PAASCHE, PAASCHE),
        (Formula.FISHER, sqrt(LASPEYRES * PAASCHE)),
        (Formula.TORNQVIST, 1.1 ** ((OLD + NEW) / 2) * 1.5 ** (1 - (OLD + NEW) / 2)),
    ],
)
def test_each_formula_by_hand(formula: Formula, movement: float) -> None:
    stock = Stock(np.array([[300.0, 100], [200, 200]]), np.zeros(2, np.int64))
    np.testing.assert_allclose(index([[40, 60], [44, 90]], stock, formula).series.values, [100, 100 * movement])


def test_an_empty_cell_moves_as_its_parent_does_and_comes_back_to_its_own() -> None:
    # cells 0 and 1 belong together, cell 2 does not; cell 1 is empty in period 1: 60 · 1.1 = 66
    stock = Stock.steady(np.array([100.0, 100, 100]), 3, np.array([0, 0, 1]))
    found = index([[40, 60, 100], [44, NONE, 80], [44, 63, 80]], stock)
    np.testing.assert_allclose(found.rents, [[40, 60, 100], [44, 66, 80], [44, 63, 80]])
    np.testing.assert_allclose(found.series.values, [100, 100 * 190 / 200, 100 * 187 / 200])
    np.testing.assert_allclose(found.carried, [0, 66 / 190, 0])


def test_an_empty_parent_moves_as_the_whole_does() -> None:
    # the whole: (44 + 66) / (40 + 60) = 1.1
    stock = Stock.steady(np.array([1.0, 1, 1]), 2, np.array([0, 1, 2]))
    assert index([[40, 60, 100], [44, 66, NONE]], stock).rents[1, 2] == pytest.approx(110)


def test_a_cell_seen_late_counts_from_then_and_makes_no_jump() -> None:
    # cell 1 has stock from the first: it stands at 40 and moves to 44; seen at 90 in period 1, it came from 90/1.1: no jump
    stock = Stock.steady(np.array([100.0, 100]), 3)
    found = index([[40, NONE], [44, 90], [44, 99]], stock)
    np.testing.assert_allclose(found.series.values, [100, 110, 100 * (44 + 99) / (40 + 90 / 1.1)])
    np.testing.assert_allclose(found.carried, [0.5, 0, 0])


def test_periods_that_cannot_be_compared_have_no_number() -> None:
    stock = Stock.steady(np.array([1.0, 1]), 4)
    found = index([[40, NONE], [NONE, NONE], [NONE, 50], [44, 55]], stock)
    assert found.series.reasons == (None, Reason.NO_OBSERVATIONS, Reason.DISCONNECTED, None)
    # cell 1 counts from period 3 on, where cell 0 says how both have moved
    np.testing.assert_allclose(found.series.values, [100, NONE, NONE, 110])


def test_too_few_leases_make_no_median() -> None:
    found, cell = leases([[40, 60], [44, 66]])
    twice = leases_of(np.append(found.y, found.y[:2]), np.append(found.period, found.period[:2]), periods=2)
    series = mix_adjusted_median(twice, np.append(cell, cell[:2]), Stock.steady(np.ones(2), 2), least=2).series
    assert series.reasons == (None, Reason.TOO_FEW)


def test_stock_of_the_link_holds_for_the_year_and_an_empty_january_hands_on() -> None:
    # from the link in period 2 on the stock is 100 and 300
    area = np.array([[300.0, 100], [300, 100], [100, 300], [500, 500]])
    one, two = (300 * 44 + 100 * 60) / 18000, (100 * 44 + 300 * 90) / (100 * 44 + 300 * 60)
    for links in ((2,), (1,)):
        found = index([[40, 60], [NONE, NONE], [44, 60], [44, 90]], Stock(area, np.zeros(2, np.int64)), links=links)
        np.testing.assert_allclose(found.series.values, [100, NONE, 100 * one, 100 * one * two])


def test_units_of_rent_cancel() -> None:
    stock = Stock.steady(np.array([100.0, 300]), 3)
    table: list[list[float]] = [[40, 60], [44, NONE], [43, 70]]
    one, other = index(table, stock), index([[12 * rent for rent in row] for row in table], stock)
    np.testing.assert_allclose(one.series.values, other.series.values, rtol=1e-12)


def test_errors_come_from_drawing_units_anew() -> None:
    # each median of 400 has the standard error sqrt(π/2) · 0.2 / 20 = 0.01253, their difference √2 times as much
    rng = np.random.default_rng(3)
    y, period, unit = 3.5 + rng.normal(0, 0.2, 800), np.arange(800) % 2, np.arange(800) // 2
    apart = leases_of(y, period, periods=2, unit=unit)
    cell, stock = np.zeros(800, np.int64), Stock.steady(np.ones(1), 2)
    without, series = (mix_adjusted_median(apart, cell, stock, draws=draws, seed=1).series for draws in (0, 200))
    np.testing.assert_array_equal(series.values, without.values)
    assert np.isnan(without.errors[1])
    assert series.errors[0] == 0
    assert series.errors[1] == pytest.approx(0.01253 * sqrt(2), rel=0.25)
    # when a unit's two leases move together, nothing is left of the difference's error
    together = leases_of(np.repeat(y[::2], 2), period, periods=2, unit=unit)
    assert mix_adjusted_median(together, cell, stock, draws=200).series.errors[1] == 0
