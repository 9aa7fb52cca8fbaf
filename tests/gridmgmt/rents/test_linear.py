"""Normal equations with columns that depend on others: what is determined has one value, what is not is told."""

import numpy as np
import pytest

from gridmgmt.rents.methods.linear import Normal, sandwich, solve
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason


def normal(x: list[list[float]], y: list[float]) -> Normal:
    a, b = np.array(x, float), np.array(y, float)
    return Normal(a.T @ a, a.T @ b, float(b @ b), len(b))


def test_nothing_observed_is_refused() -> None:
    for equations, reason in (
        (Normal(np.zeros((2, 2)), np.zeros(2), 0.0, 0), Reason.NO_OBSERVATIONS),
        (Normal(np.zeros((2, 2)), np.zeros(2), 1.0, 1), Reason.COLLINEAR),
    ):
        with pytest.raises(EstimationError) as refused:
            solve(equations)
        assert refused.value.reason is reason


def test_a_line_through_three_points() -> None:
    # y = 1, 2, 4 at 0, 1, 2: slope 3/2, intercept 5/6; residuals 1/6, -1/3, 1/6, rss 1/6, s2 = 1/6 over 1 degree; V(slope) = s2/2
    fit = solve(normal([[1, 0], [1, 1], [1, 2]], [1, 2, 4]))
    np.testing.assert_allclose(fit.coefficients, [5 / 6, 1.5])
    assert [fit.rank, fit.freedom] == [2, 1]
    assert fit.variance == pytest.approx(1 / 6)
    assert fit.covariance[1, 1] == pytest.approx(1 / 12)


def test_what_depends_on_others_keeps_what_is_determined() -> None:
    # intercept, both dummies of two groups: only the difference of the dummies, 4 - 1, and the sums are determined
    fit = solve(normal([[1, 1, 0], [1, 1, 0], [1, 0, 1]], [0, 2, 4]))
    assert fit.rank == 2
    combinations = np.array([[0.0, -1, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0]])
    assert fit.determines(combinations).tolist() == [True, True, False, False]
    np.testing.assert_allclose(combinations[:2] @ fit.coefficients, [3, 1])
    # s2 = ((0-1)^2 + (2-1)^2) / (3 - 2) = 2; V = 2 (1/2 + 1)
    assert combinations[0] @ fit.covariance @ combinations[0] == pytest.approx(3)


def test_a_column_of_noughts_determines_nothing() -> None:
    fit = solve(normal([[1, 0], [1, 0]], [1, 3]))
    assert fit.determines(np.eye(2)).tolist() == [True, False]
    np.testing.assert_allclose(fit.coefficients, [2, 0])


def test_a_perfect_fit_has_no_residual_and_without_freedom_no_error() -> None:
    fit = solve(normal([[1, 0], [1, 1]], [0.1, 0.3]))
    assert fit.rss == 0
    assert np.isnan(fit.variance)
    assert np.isnan(sandwich(fit, np.eye(2))).all()
    assert np.isnan(sandwich(solve(normal([[1.0]] * 3, [1, 2, 3])), np.eye(1), clusters=1)).all()


def test_columns_of_very_different_size_are_told_from_dependent_ones() -> None:
    rng = np.random.default_rng(1)
    x: FloatArray = rng.normal(0, 1, (50, 3)) * [1e-6, 1.0, 1e6]
    y = x @ np.array([2e6, 3.0, 4e-6])
    fit = solve(Normal(x.T @ x, x.T @ y, float(y @ y), 50))
    assert fit.rank == 3
    np.testing.assert_allclose(fit.coefficients, [2e6, 3.0, 4e-6], rtol=1e-10)
    assert fit.condition < 10


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_what_is_determined_does_not_hang_on_units(unit: float) -> None:
    # the second column says the same as the first in another unit; the third stands for itself
    fit = solve(normal([[1, unit, 0], [1, unit, 0], [0, 0, 1]], [1, 3, 5]))
    assert fit.determines(np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, unit, 0]])).tolist() == [False, False, True, True]


def test_one_of_229_columns_is_told_by_the_others() -> None:
    # 120 periods, 100 communities and 9 attributes: the periods add up to what the communities do
    rng = np.random.default_rng(4)
    n = 20_000
    x = np.zeros((n, 229))
    x[np.arange(n), rng.integers(0, 120, n)] = 1
    x[np.arange(n), 120 + rng.integers(0, 100, n)] = 1
    x[:, 220:] = rng.normal(0, 1, (n, 9))
    y = rng.normal(0, 1, n)
    assert solve(Normal(x.T @ x, x.T @ y, float(y @ y), n)).rank == 228
