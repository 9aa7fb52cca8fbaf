"""Time-dummy index: small cases by hand, statsmodels for large ones, and a reason for every period without a number."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.hedonic import time_dummy, time_dummy_of
from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Errors, clusters_of
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason, Series


def index(leases: Leases, *, base: int = 0, kennedy: bool = False) -> Series:
    return time_dummy(Moments.of(leases), base=base, kennedy=kennedy)


def drawn(seed: int = 7, n: int = 400, periods: int = 6) -> Leases:
    rng = np.random.default_rng(seed)
    period, community, stratum = rng.integers(0, periods, n), rng.integers(0, 5, n), rng.integers(0, 3, n)
    x = np.column_stack((rng.normal(50, 20, n), rng.integers(1, 9, n).astype(float)))
    y = 3 + 0.02 * period + 0.1 * community - 0.2 * stratum + x @ [0.001, 0.01] + rng.normal(0, 0.1, n)
    unit = rng.integers(0, n // 3, n)
    return leases_of(y, period, periods=periods, community=community, stratum=stratum, x=x, unit=unit, building=unit // 4)


FOUR = leases_of(np.array([0.0, 0.2, 0.3, 0.5]), np.array([0, 0, 1, 1]), periods=2, unit=np.array([0, 1, 0, 1]))
"""d = 0.4 − 0.1 = 0.3; residuals ∓0.1; s² = 0.04 ÷ (4 − 2) = 0.02; V(d) = 0.02 · (1/2 + 1/2) = 0.02."""


@pytest.mark.parametrize(("periods", "base"), [([], 0), ([1, 1], 0), ([0, 0], 1)])
def test_no_lease_in_the_base_is_refused(periods: list[int], base: int) -> None:
    leases = leases_of(np.zeros(len(periods)), np.array(periods, np.int64), periods=2)
    with pytest.raises(EstimationError) as refused:
        index(leases, base=base)
    assert refused.value.reason is (Reason.BASE_EMPTY if periods else Reason.NO_OBSERVATIONS)


def test_a_period_without_leases_has_no_number() -> None:
    series = index(leases_of(np.array([1.0, 1.5, 2.0, 1.0]), np.array([0, 2, 3, 0]), periods=4))
    np.testing.assert_allclose(series.values, 100 * np.exp([0, np.nan, 0.5, 1.0]))
    assert series.reasons == (None, Reason.NO_OBSERVATIONS, None, None)
    assert np.isnan(series.errors[1])
    assert series.counts.tolist() == [2, 0, 1, 1]


def test_periods_that_nothing_links_to_the_base_have_no_number() -> None:
    # community 0 in periods 0 and 1, community 1 in periods 2 and 3: how the two parts compare nobody saw
    leases = leases_of(np.array([1.0, 1.1, 5.0, 5.3]), np.arange(4), periods=4, community=np.array([0, 0, 1, 1]))
    series = index(leases)
    np.testing.assert_allclose(series.values[:2], [100, 100 * np.exp(0.1)])
    assert series.reasons == (None, None, Reason.DISCONNECTED, Reason.DISCONNECTED)
    other = index(leases, base=2)
    np.testing.assert_allclose(other.values[2:], [100, 100 * np.exp(0.3)])
    assert other.reasons == (Reason.DISCONNECTED, Reason.DISCONNECTED, None, None)
    # one lease that was seen in both parts links them: 5.0 − 1.2 is the difference of the communities beside it
    linked = leases_of(np.append(leases.y, 1.2), np.append(leases.period, 2), periods=4, community=np.array([0, 0, 1, 1, 0]))
    np.testing.assert_allclose(index(linked).values, 100 * np.exp([0, 0.1, 0.2, 0.5]))


def test_a_period_that_an_attribute_explains_away_has_no_number() -> None:
    # all leases of period 1 have the attribute, no other does
    leases = leases_of(np.array([1.0, 1.2, 2.0, 1.3, 1.2]), np.array([0, 0, 1, 2, 2]), periods=3, x=np.array([[0], [0], [1], [0], [0]]))
    series = index(leases)
    assert series.reasons == (None, Reason.COLLINEAR, None)
    np.testing.assert_allclose(series.values[2], 100 * np.exp(0.15))


def test_attributes_that_say_the_same_leave_the_index_alone() -> None:
    leases = drawn()
    twice = leases_of(
        leases.y,
        leases.period,
        periods=6,
        community=leases.community,
        stratum=leases.stratum,
        x=leases.x @ np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]),
    )
    np.testing.assert_allclose(index(twice).values, index(leases).values, rtol=1e-11)
    np.testing.assert_allclose(index(twice).errors, index(leases).errors, rtol=1e-9)


def test_one_lease_has_an_index_and_no_error() -> None:
    series = index(leases_of(np.array([3.0]), np.array([0]), periods=1), kennedy=True)
    assert series.values.tolist() == [100]
    two = index(leases_of(np.array([3.0, 3.5]), np.array([0, 1]), periods=2), kennedy=True)
    np.testing.assert_allclose(two.values, [100, 100 * np.exp(0.5)])
    assert np.isnan(two.errors[1])


def test_two_periods_by_hand() -> None:
    series = index(FOUR)
    np.testing.assert_allclose(series.values, [100, 100 * np.exp(0.3)])
    np.testing.assert_allclose(series.errors, [0, np.sqrt(0.02)])
    np.testing.assert_allclose(index(FOUR, kennedy=True).values, [100, 100 * np.exp(0.3 - 0.01)])
    np.testing.assert_allclose(index(FOUR, base=1, kennedy=True).values, [100 * np.exp(-0.3 - 0.01), 100])


@pytest.mark.parametrize(
    ("errors", "variance"),
    [
        (Errors.ORDINARY, 0.02),
        (Errors.HC1, 0.02),  # each mean: Σe²/n² = 0.02/4; both 0.01; times 4/(4 − 2)
        (Errors.UNIT, 0.0),  # a unit's residuals, −0.1/2 in one period and −0.1/2 in the other, cancel in the difference
        (Errors.BUILDING, 0.02 / 2 * 4 / 3 * 3 / 2),  # each lease its own building: 0.01 · G/(G − 1) · (n − 1)/(n − 2)
    ],
)
def test_errors_by_hand(errors: Errors, variance: float) -> None:
    series = time_dummy_of(FOUR, errors=errors, kennedy=False)
    np.testing.assert_allclose(series.errors, [0, np.sqrt(variance)], atol=1e-12)


def dense(leases: Leases) -> FloatArray:
    dummies = [(codes[:, None] == np.unique(codes)[1:]).astype(float) for codes in (leases.period, leases.community, leases.stratum)]
    return np.hstack((*dummies, np.ones((len(leases), 1)), leases.x))


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        (Errors.ORDINARY, "nonrobust"),
        (Errors.HC1, "HC1"),
        (Errors.UNIT, "cluster"),
    ],
)
def test_statsmodels_says_the_same(errors: Errors, name: str) -> None:
    leases = drawn()
    options: dict[str, Any] = {"cov_type": name} | ({"cov_kwds": {"groups": leases.unit}} if errors is Errors.UNIT else {})
    other = sm.OLS(leases.y, dense(leases)).fit(**options)
    series = time_dummy_of(leases, errors=errors, kennedy=False, rounds=0)
    np.testing.assert_allclose(series.logs[1:], other.params[:5], rtol=1e-10)
    np.testing.assert_allclose(series.errors[1:], other.bse[:5], rtol=1e-9)
    contrast = np.zeros(other.params.shape)
    contrast[[1, 3]] = [-1, 1]
    again = time_dummy_of(leases, errors=errors, kennedy=False, rounds=0, base=2)
    assert again.errors[4] == pytest.approx(other.t_test(contrast).sd.item(), rel=1e-9)


def test_gross_errors_are_dropped_and_counted() -> None:
    leases = drawn()
    y = leases.y.copy()
    y[[3, 50]] += [2.5, -2.5]
    soiled = leases_of(y, leases.period, periods=6, community=leases.community, stratum=leases.stratum, x=leases.x)
    series, clean = time_dummy_of(soiled), time_dummy_of(soiled.where(np.delete(np.arange(400), [3, 50])), rounds=0)
    np.testing.assert_allclose(series.values, clean.values, rtol=1e-11)
    assert series.trimmed.tolist() == np.bincount(leases.period[[3, 50]], minlength=6).tolist()
    assert series.counts.sum() == 398


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(-9, 9))
def test_neither_order_nor_units_of_rent_matter(seed: int, shift: float) -> None:
    leases = drawn(seed, 120)
    order = np.random.default_rng(seed).permutation(120)
    mixed = leases.where(order)
    other = leases_of(mixed.y + shift, mixed.period, periods=6, community=mixed.community, stratum=mixed.stratum, x=mixed.x)
    one, two = index(leases, kennedy=True), index(other, kennedy=True)
    assert one.reasons == two.reasons
    np.testing.assert_allclose(one.values, two.values, rtol=1e-11)
    np.testing.assert_allclose(one.errors, two.errors, rtol=1e-8, atol=1e-12)


def test_clusters_are_not_torn_between_blocks() -> None:
    leases = drawn()
    for errors, own in ((Errors.UNIT, leases.unit), (Errors.BUILDING, leases.building), (Errors.HC1, np.arange(400))):
        found = [own[part] for places, starts in clusters_of(leases, errors, size=7) for part in np.split(places, starts[1:])]
        assert [len(set(part)) for part in found] == [1] * len(np.unique(own))
        assert sorted(np.concatenate(found)) == sorted(own)
