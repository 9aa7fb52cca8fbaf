"""Double imputation: each formula by hand, and errors against the response to every rent."""

from math import exp, log

import numpy as np
import pytest

from gridmgmt.rents.methods.imputation import Formula, double_imputation
from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason


def cells(*rows: tuple[int, int, float, int], periods: int = 3) -> Leases:
    """Leases of one rent in each (period, stratum): log rent and how many."""
    n = [count for *_, count in rows]
    period, stratum, y = (np.repeat([row[i] for row in rows], n) for i in range(3))
    return leases_of(y, period.astype(np.int64), periods=periods, stratum=stratum.astype(np.int64))


TWO = cells((0, 0, 1.0, 3), (0, 1, 2.0, 1), (1, 0, 1.1, 1), (1, 1, 2.4, 1), (1, 1, 2.4, 1), periods=2)
"""Stratum 0 rises by 0.1, stratum 1 by 0.4; three to one in the base, one to two after."""
LOW, HIGH = 3 * exp(1.0) / (3 * exp(1.0) + exp(2.0)), exp(1.1) / (exp(1.1) + 2 * exp(2.4))
"""Share of stratum 0 in value, in the base and after."""


@pytest.mark.parametrize(("periods", "reason"), [([], Reason.NO_OBSERVATIONS), ([1, 1], Reason.BASE_EMPTY)])
def test_no_lease_in_the_base_is_refused(periods: list[int], reason: Reason) -> None:
    with pytest.raises(EstimationError) as refused:
        double_imputation(leases_of(np.zeros(len(periods)), np.array(periods, np.int64), periods=2))
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("formula", "by_value", "movement"),
    [
        (Formula.LASPEYRES, False, (3 * 0.1 + 0.4) / 4),
        (Formula.PAASCHE, False, (0.1 + 2 * 0.4) / 3),
        (Formula.FISHER, False, (0.175 + 0.3) / 2),
        (Formula.TORNQVIST, False, (LOW * 0.1 + (1 - LOW) * 0.4 + HIGH * 0.1 + (1 - HIGH) * 0.4) / 2),
        (Formula.LASPEYRES, True, log((3 * exp(1.1) + exp(2.4)) / (3 * exp(1.0) + exp(2.0)))),
        (Formula.PAASCHE, True, log((exp(1.1) + 2 * exp(2.4)) / (exp(1.0) + 2 * exp(2.0)))),
    ],
)
def test_each_formula_by_hand(formula: Formula, by_value: bool, movement: float) -> None:
    found = double_imputation(TWO, formula=formula, by_value=by_value, kennedy=False)
    np.testing.assert_allclose(found.series.values, [100, 100 * exp(movement)])
    assert found.pooled.tolist() == [0, 0]


def test_a_missing_stratum_is_estimated_with_the_neighbours() -> None:
    # stratum 1 is above stratum 0 by 1.0 in period 0 and by 1.1 in period 2; in period 1 by 1.05 then, at 1.1 + 1.05 = 2.15:
    # the leases of the base rose by (0.1 + 0.15) / 2
    leases = cells((0, 0, 1.0, 2), (0, 1, 2.0, 2), (1, 0, 1.1, 2), (2, 0, 1.3, 2), (2, 1, 2.4, 2))
    found = double_imputation(leases, formula=Formula.LASPEYRES, kennedy=False)
    np.testing.assert_allclose(found.series.logs, [0, 0.125, 0.35], atol=1e-12)
    assert found.pooled.tolist() == [0, 1, 0]
    alone = double_imputation(leases, formula=Formula.LASPEYRES, reach=0)
    assert alone.series.reasons == (None, Reason.TOO_FEW, None)
    assert np.isnan(alone.series.values[1])
    assert np.isnan(alone.series.errors[1])


def test_a_period_without_leases_has_no_number() -> None:
    found = double_imputation(cells((0, 0, 1.0, 2), (2, 0, 1.3, 2)), kennedy=False)
    assert found.series.reasons == (None, Reason.NO_OBSERVATIONS, None)
    np.testing.assert_allclose(found.series.logs, [0, np.nan, 0.3], atol=1e-12)


def test_rents_by_value_are_imputed_one_by_one_or_not_at_all() -> None:
    # attributes of 0 and 1 in the base, of 1/2 after: what the base's mean would cost is known, 1.6 against 1.5, and of no single lease
    y, x = np.array([1.0, 1.0, 2.0, 2.0, 1.6, 1.6]), np.array([[0.0], [0.0], [1.0], [1.0], [0.5], [0.5]])
    leases = leases_of(y, np.array([0, 0, 0, 0, 1, 1]), periods=2, x=x)
    np.testing.assert_allclose(double_imputation(leases, reach=0, kennedy=False).series.logs, [0, 0.1], atol=1e-12)
    for formula, by_value in ((Formula.LASPEYRES, True), (Formula.TORNQVIST, False), (Formula.FISHER, True)):
        assert double_imputation(leases, formula=formula, by_value=by_value, reach=0).series.reasons == (None, Reason.TOO_FEW)


def test_years_are_chained_and_an_empty_january_hands_on() -> None:
    # Laspeyres by the base's mix, three to one in period 0, one to three in periods 2 and 3; movements of the strata a and b by period:
    # 0 -> 2: 0.2 and 0.6, so (3 · 0.2 + 0.6) / 4 = 0.3; 3 from period 2: 0.1 and 0.3, (0.1 + 3 · 0.3) / 4 = 0.25
    leases = cells((0, 0, 1.0, 3), (0, 1, 2.0, 1), (2, 0, 1.2, 1), (2, 1, 2.6, 3), (3, 0, 1.3, 1), (3, 1, 2.9, 3), periods=4)
    for links in ([0, 2], [0, 1]):
        found = double_imputation(leases, formula=Formula.LASPEYRES, links=links, kennedy=False)
        np.testing.assert_allclose(found.series.logs, [0, np.nan, 0.3, 0.55], atol=1e-12)


def drawn() -> Leases:
    rng = np.random.default_rng(9)
    period = np.repeat(np.arange(6), 10)
    stratum = rng.integers(0, 2, 60)
    stratum[period == 4] = 0
    x = rng.normal(0, 1, (60, 1))
    y = 3 + 0.05 * period + 0.2 * stratum + 0.1 * x[:, 0] + rng.normal(0, 0.1, 60)
    return leases_of(y, period, periods=6, stratum=stratum, x=x, size=np.exp(rng.normal(3, 0.3, 60)))


@pytest.mark.parametrize(("formula", "by_value"), [(Formula.FISHER, False), (Formula.FISHER, True), (Formula.TORNQVIST, False)])
def test_errors_are_the_response_to_every_rent(formula: Formula, by_value: bool) -> None:
    leases = drawn()

    def logs(y: FloatArray) -> FloatArray:
        other = leases_of(y, leases.period, periods=6, stratum=leases.stratum, x=leases.x, size=leases.size)
        return double_imputation(other, formula=formula, by_value=by_value, links=[0, 3], kennedy=False).series.logs

    step, before = 1e-6, logs(leases.y)
    response = np.array([(logs(leases.y + step * unit) - before) / step for unit in np.eye(60)]).T[1:]
    found = double_imputation(leases, formula=formula, by_value=by_value, links=[0, 3], kennedy=False)
    assert found.pooled[4] == 1
    covariance = found.series.covariance
    assert covariance is not None
    if formula is Formula.TORNQVIST:
        # shares move with the rents as well, which counts for little and is left out
        np.testing.assert_allclose(found.series.errors[1:] / np.sqrt((response**2).sum(axis=1)), 0.1, rtol=0.2)
        return
    ratio = covariance[1:, 1:] / (response @ response.T)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-4)
    assert np.sqrt(ratio[0, 0]) == pytest.approx(0.1, rel=0.2)


def test_neither_order_nor_units_of_rent_matter() -> None:
    leases = drawn()
    order = np.random.default_rng(1).permutation(60)
    mixed = leases.where(order)
    other = leases_of(mixed.y + log(12), mixed.period, periods=6, stratum=mixed.stratum, x=mixed.x, size=mixed.size)
    for by_value in (False, True):
        one, two = double_imputation(leases, by_value=by_value).series, double_imputation(other, by_value=by_value).series
        np.testing.assert_allclose(one.values, two.values, rtol=1e-12)
        np.testing.assert_allclose(one.errors, two.errors, rtol=1e-9)
