"""Series: growth survives a new base, and errors belong to the contrast with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmgmt.rents.methods.series import EstimationError, Reason, rebase, series_of

COUNTS = np.array([5, 5, 5])


def test_a_base_without_a_number_is_refused() -> None:
    with pytest.raises(EstimationError) as refused:
        series_of(np.array([np.nan, 0.1, 0.2]), counts=COUNTS, reasons=[Reason.NO_OBSERVATIONS, None, None])
    assert refused.value.reason is Reason.BASE_EMPTY


def test_a_reference_with_a_hole_is_refused() -> None:
    series = series_of(np.array([0.0, np.nan, 0.2]), counts=COUNTS, reasons=[None, Reason.NO_OBSERVATIONS, None])
    for first, last in ((0, 1), (1, 1), (2, 3), (2, 1)):
        with pytest.raises(EstimationError):
            rebase(series, first, last)


def test_errors_are_those_of_the_difference_to_the_base() -> None:
    # a hundredth of the variances 1, 4, 9 and covariances 0.5, 0, 2 (12, 13, 23): of V(d2 - d1) = 1 + 4 - 1 = 4 and V(d3 - d1) = 10 too
    covariance = np.array([[1.0, 0.5, 0.0], [0.5, 4.0, 2.0], [0.0, 2.0, 9.0]]) / 100
    series = series_of(np.log([2.0, 3.0, 4.0]), counts=COUNTS, reasons=[None] * 3, covariance=covariance)
    np.testing.assert_allclose(series.values, [100, 150, 200])
    np.testing.assert_allclose(series.errors, [0, 0.2, np.sqrt(0.1)])
    # base in the second period: of V(d1 - d2) = 4 and V(d3 - d2) = 4 + 9 - 4 = 9
    again = rebase(series, 1, 1)
    np.testing.assert_allclose(again.values, [100 / 1.5, 100, 200 / 1.5])
    np.testing.assert_allclose(again.errors, [0.2, 0, 0.3], atol=1e-12)


def test_the_mean_of_a_reference_becomes_100() -> None:
    # 100 and 300 with mean 200; shares 1/4 and 3/4; V(d1 - (d1 + 3 d2)/4) = V(3/4 (d1 - d2)) = 9/16 V(d2 - d1)
    series = series_of(np.log([1.0, 3.0]), counts=COUNTS[:2], reasons=[None] * 2, covariance=np.diag([0.0, 0.16]))
    again = rebase(series, 0, 1)
    np.testing.assert_allclose(again.values, [50, 150])
    np.testing.assert_allclose(again.errors, [0.75 * 0.4, 0.25 * 0.4])


def test_the_interval_is_symmetric_in_logarithms() -> None:
    series = series_of(np.log([1.0, 2.0]), counts=COUNTS[:2], reasons=[None] * 2, errors=np.array([0.0, 0.1]))
    low, high = series.interval()
    np.testing.assert_allclose(low, [100, 200 / np.exp(0.196)])
    np.testing.assert_allclose(high, [100, 200 * np.exp(0.196)])


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=12), st.integers(0, 2), st.integers(0, 2))
def test_rebasing_leaves_growth(logs: list[float], first: int, length: int) -> None:
    last = min(first + length, len(logs) - 1)
    series = series_of(np.array(logs), counts=np.ones(len(logs), np.int64), reasons=[None] * len(logs), covariance=np.eye(len(logs)) / 4)
    again = rebase(series, first, last)
    np.testing.assert_allclose(np.diff(again.logs), np.diff(series.logs), atol=1e-12)
    assert again.values[first : last + 1].mean() == pytest.approx(100, rel=1e-12)
