"""Thin and broken samples: a number is either the truth or not there, with a reason.

Rents without noise follow the model exactly, so whatever number a method gives must be the true one, however few leases there are; and a
time dummy is withheld only where the rank of the design says that nobody could tell it.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.hedonic import time_dummy, time_dummy_of
from gridmgmt.rents.methods.imputation import Formula, double_imputation
from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.medians import Stock, mix_adjusted_median
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Errors
from gridmgmt.rents.methods.rolling import Splice, rolling, rolling_of
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason, Series

PERIODS = 5
TRUTH = np.array([0.0, 0.05, -0.02, 0.1, 0.3])
SLOPES = np.array([0.1, -0.2])


def median(formula: Formula) -> Callable[[Leases], Series]:
    """The mix-adjusted median of cells in which all rents are the same: without what the attributes add."""

    def index(leases: Leases) -> Series:
        plain = replace(leases, y=leases.y - leases.x @ SLOPES)
        stock = Stock.steady(np.array([5.0, 0, 1, 2, 3, 4]), PERIODS, np.array([0, 0, 0, 1, 1, 2]))
        return mix_adjusted_median(plain, leases.community * 2 + leases.stratum, stock, formula=formula, links=[2]).series

    return index


METHODS: dict[str, Callable[[Leases], Series]] = {
    "time dummy": lambda leases: time_dummy(Moments.of(leases)),
    "time dummy of leases": lambda leases: time_dummy_of(leases, errors=Errors.UNIT),
    **{f"rolling, {splice}": lambda leases, splice=splice: rolling(Moments.of(leases), window=3, splice=splice) for splice in Splice},
    "rolling of leases": lambda leases: rolling_of(leases, window=3, errors=Errors.HC1),
    **{
        f"imputation, {formula}": lambda leases, formula=formula: double_imputation(leases, formula=formula, links=[2]).series
        for formula in Formula
    },
    "imputation by value": lambda leases: double_imputation(leases, by_value=True, reach=2).series,
    **{f"median, {formula}": median(formula) for formula in Formula},
}


def thin(seed: int, n: int) -> Leases:
    """n leases that follow the model exactly, spread so thinly that levels are missing, apart or confounded."""
    rng = np.random.default_rng(seed)
    period, community, stratum = rng.integers(0, PERIODS, n), rng.integers(0, 3, n), rng.integers(0, 2, n)
    x = rng.integers(0, 2, (n, 2)).astype(np.float64)
    y = 3 + TRUTH[period] + 0.4 * community - 0.3 * stratum + x @ SLOPES
    return leases_of(y, period, periods=PERIODS, community=community, stratum=stratum, x=x, unit=rng.integers(0, 4, n))


def design(leases: Leases) -> FloatArray:
    dummies = [(codes[:, None] == np.arange(size)).astype(float) for codes, size in ((leases.community, 3), (leases.stratum, 2))]
    return np.hstack(((leases.period[:, None] == np.arange(PERIODS)).astype(float), *dummies, leases.x))


def attempted(method: Callable[[Leases], Series], leases: Leases) -> Series | Reason:
    try:
        return method(leases)
    except EstimationError as refused:
        return refused.reason


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 14))
def test_a_number_is_the_truth_or_not_there(method: Callable[[Leases], Series], seed: int, n: int) -> None:
    leases = thin(seed, n)
    series = attempted(method, leases)
    if isinstance(series, Reason):
        assert series in {Reason.NO_OBSERVATIONS, Reason.BASE_EMPTY}
        return
    given_numbers = np.isfinite(series.values)
    assert given_numbers.tolist() == [reason is None for reason in series.reasons]
    np.testing.assert_allclose(series.logs[given_numbers], TRUTH[given_numbers] - TRUTH[0], atol=1e-9)
    assert np.isnan(series.errors[~given_numbers]).all()
    assert not np.isinf(series.errors).any()
    assert (series.counts[given_numbers] > 0).all()


@settings(max_examples=100)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 14))
def test_a_time_dummy_is_withheld_only_where_nobody_could_tell_it(seed: int, n: int) -> None:
    leases = thin(seed, n)
    if 0 not in leases.period:
        return
    series, matrix = time_dummy(Moments.of(leases)), design(leases)
    rank = np.linalg.matrix_rank(matrix)
    for period in range(1, PERIODS):
        difference = np.zeros(matrix.shape[1])
        difference[[0, period]] = [-1, 1]
        told = np.linalg.matrix_rank(np.vstack((matrix, difference))) == rank
        assert told == np.isfinite(series.values[period])


@pytest.mark.parametrize("name", ["time dummy", "rolling, mean", "imputation by value"])
def test_movement_that_is_known_to_no_factor_is_not_told(name: str) -> None:
    """The first period's one lease has the attribute in full, of the others one a fiftieth: what it is worth is known to 0.1 ÷ 0.02 = 5."""
    period = np.r_[0, np.repeat([1, 2], 16)]
    x = np.zeros((33, 1))
    x[0], x[5] = 1.0, 0.02
    y = 3.7 + 0.1 * np.where(np.arange(33) % 2, -1.0, 1.0)
    series = METHODS[name](leases_of(y, period, periods=3, x=x))
    assert not (np.isfinite(series.values) & (series.errors > 1)).any()
    assert series.reasons[1] is series.reasons[2] is Reason.IMPRECISE or not np.isfinite(series.values[1:]).any()
