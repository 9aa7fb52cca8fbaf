"""Shrinkage: between a cell's own mean and its parent's, by as much as the observations allow."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM

from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason
from gridmgmt.rents.methods.shrinkage import Components, benchmark, fay_herriot, moments, reml, shrink

Estimate = Callable[[IntArray, FloatArray, FloatArray], Components]

# Davies (1947), yield of dyestuff in six batches of five
DYESTUFF = np.array(
    [
        [1545, 1440, 1440, 1520, 1580],
        [1540, 1555, 1490, 1560, 1495],
        [1595, 1550, 1605, 1510, 1560],
        [1445, 1440, 1595, 1465, 1545],
        [1595, 1630, 1515, 1635, 1625],
        [1520, 1455, 1450, 1480, 1445],
    ],
    dtype=float,
)


def sums(groups: list[FloatArray]) -> tuple[IntArray, FloatArray, FloatArray]:
    """Number, mean and sum of squares about it of each group."""
    return (
        np.array([len(group) for group in groups]),
        np.array([group.mean() for group in groups]),
        np.array([((group - group.mean()) ** 2).sum() for group in groups]),
    )


@pytest.mark.parametrize("estimate", [moments, reml])
def test_too_little_to_tell_two_variances_apart_is_refused(estimate: Estimate) -> None:
    for n in ([7], [7, 0], [1, 1, 1]):
        with pytest.raises(EstimationError) as refused:
            estimate(np.array(n), np.zeros(len(n)), np.full(len(n), np.nan))  # no cell tells a variance within it
        assert refused.value.reason is Reason.TOO_FEW


@pytest.mark.parametrize("estimate", [moments, reml])
def test_cells_that_are_none_are_refused(estimate: Estimate) -> None:
    good: tuple[list[int], list[float], list[float]] = ([5, 5], [2.0, 1.0], [1.0, 1.0])
    for place, wrong in ((0, [-1, 5]), (1, [np.nan, 1.0]), (1, [np.inf, 1.0]), (2, [-9.0, 1.0]), (2, [np.nan, 1.0]), (2, [1.0])):
        n, mean, squares = (np.array(wrong if at == place else column) for at, column in enumerate(good))
        with pytest.raises(ValueError, match="cell"):
            estimate(n, mean, squares)
    # what a cell without leases says is not looked at
    assert estimate(np.array([5, 5, 0]), np.array([2.0, 1.0, np.nan]), np.array([1.0, 1.0, np.nan])).between > 0


def test_shrinking_by_what_is_no_variance_or_no_mean_is_refused() -> None:
    n, mean, parent = np.array([2, 0]), np.array([5.0, np.nan]), np.array([3.0, 3.5])
    for between, within in ((-0.1, 1.0), (0.5, -1.0), (np.nan, 1.0), (0.5, np.inf)):
        with pytest.raises(ValueError, match="variance"):
            shrink(n, mean, parent, between=between, within=within)
    with pytest.raises(ValueError, match="cell"):
        shrink(np.array([-2, 0]), mean, parent, between=0.5, within=1.0)
    with pytest.raises(ValueError, match="cell"):
        shrink(np.array([2, 1]), mean, parent, between=0.5, within=1.0)


@pytest.mark.parametrize("estimate", [moments, reml])
def test_the_dyestuff_of_davies(estimate: Estimate) -> None:
    # published: mean 1527.5, 1764.05 between and 2451.25 within; factor 1764.05 / (1764.05 + 2451.25 / 5) = 0.782527
    n, mean, squares = sums(list(DYESTUFF))
    found = estimate(n, mean, squares)
    assert (found.mean, found.between, found.within) == (pytest.approx(1527.5), pytest.approx(1764.05), pytest.approx(2451.25))
    shrunk = shrink(n, mean, np.full(6, found.mean), between=found.between, within=found.within)
    np.testing.assert_allclose(shrunk.factors, 0.782527, atol=5e-7)
    expected = [-17.606851366879, 0.391263363707636, 28.5622255507125, -23.0845384587967, 56.7331877377178, -44.9952868264672]
    np.testing.assert_allclose(shrunk.estimates - 1527.5, expected, atol=1e-5)
    np.testing.assert_allclose(shrunk.errors, 19.5865700901945, rtol=1e-5)


def test_reml_of_unequal_cells_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(5)
    groups = [random.normal(effect, 0.3, size) for effect, size in zip(random.normal(4, 0.2, 12), random.integers(1, 9, 12), strict=True)]
    label = np.repeat(np.arange(12), [len(group) for group in groups])
    values = np.concatenate(groups)
    peer = MixedLM(values, np.ones((len(values), 1)), label).fit(reml=True)
    found = reml(*sums(groups))
    assert found.mean == pytest.approx(float(peer.fe_params[0]), rel=1e-6)
    assert found.between == pytest.approx(float(np.asarray(peer.cov_re)[0, 0]), rel=1e-4)
    assert found.within == pytest.approx(float(peer.scale), rel=1e-5)


def test_cells_more_alike_than_chance_have_no_variance_between_them() -> None:
    # both means 1, squares 2 within each of two: s2 = 4 / 2, MS between 0 < s2, so tau2 = max(0, -) = 0
    for estimate in (moments, reml):
        found = estimate(np.array([2, 2]), np.array([1.0, 1.0]), np.array([2.0, 2.0]))
        assert (found.mean, found.between) == (1.0, 0.0)
    assert moments(np.array([2, 2]), np.array([1.0, 1.0]), np.array([2.0, 2.0])).within == 2.0
    shrunk = shrink(np.array([3]), np.array([9.0]), np.array([1.0]), between=0.0, within=0.0)
    assert (shrunk.estimates.tolist(), shrunk.factors.tolist()) == ([1.0], [0.0])


def test_unequal_cells_by_hand() -> None:
    # n 1, 3 with means 0, 4 and squares 0, 2: s2 = 2 / (4 - 2) = 1; mean 3; MS = 1 * 9 + 3 * 1 = 12; n0 = 4 - 10/4 = 1.5; tau2 = 11 / 1.5
    found = moments(np.array([1, 3, 0]), np.array([0.0, 4.0, np.nan]), np.array([0.0, 2.0, 0.0]))
    assert (found.between, found.within) == (pytest.approx(22 / 3), pytest.approx(1))


def test_a_cell_without_leases_is_its_parent() -> None:
    # g = 0.5 / (0.5 + 1 / 2) = 1/2: half way from 3 to 5; error sqrt(0.5 * 0.5), without leases sqrt(0.5)
    shrunk = shrink(np.array([2, 0]), np.array([5.0, np.nan]), np.array([3.0, 3.5]), between=0.5, within=1.0)
    assert (shrunk.estimates.tolist(), shrunk.factors.tolist()) == ([4.0, 3.5], [0.5, 0.0])
    np.testing.assert_allclose(shrunk.errors, [0.5, 0.5**0.5])


def test_fay_herriot_refuses_what_it_cannot_know() -> None:
    for y, x, reason in (
        (np.array([1.0]), None, Reason.TOO_FEW),
        (np.array([1.0, np.nan]), None, Reason.TOO_FEW),
        (np.array([1.0, 2.0, 4.0]), np.ones((3, 2)), Reason.COLLINEAR),
    ):
        with pytest.raises(EstimationError) as refused:
            fay_herriot(y, np.ones(len(y)), x)
        assert refused.value.reason is reason
    with pytest.raises(ValueError, match="variance"):
        fay_herriot(np.array([1.0, 2.0]), np.array([1.0, 0.0]))


def test_fay_herriot_with_equal_variances_by_hand() -> None:
    # y 0, 2, 4 with psi 1: REML is the moments' s2 - psi = 4 - 1 = 3; g = 3/4; estimates 2 + 3/4 (y - 2); the last area is not observed
    fit = fay_herriot(np.array([0.0, 2.0, 4.0, np.nan]), np.array([1.0, 1.0, 1.0, np.nan]))
    assert (fit.between, fit.coefficients.tolist()) == (pytest.approx(3), [pytest.approx(2)])
    np.testing.assert_allclose(fit.shrunk.estimates, [0.5, 2, 3.5, 2])
    np.testing.assert_allclose(fit.shrunk.factors, [0.75, 0.75, 0.75, 0])
    # g1 = 3/4; V(b) = 4/3, g2 = 4/3 / 16 = 1/12; V(tau2) = 2 / (3 / 16), g3 = 1/16 / 4 * 32/3 = 1/6, twice; unobserved 3 + 4/3
    np.testing.assert_allclose(fit.shrunk.errors**2, [7 / 6, 7 / 6, 7 / 6, 13 / 3])


def test_fay_herriot_maximises_the_restricted_likelihood() -> None:
    random = np.random.default_rng(2)
    variance = random.uniform(0.02, 0.3, 20)
    x = np.column_stack([np.ones(20), random.normal(size=20)])
    y = x @ [3.0, 0.4] + random.normal(0, 0.3, 20) + random.normal(0, np.sqrt(variance))

    def likelihood(between: float) -> float:
        covariance = np.diag(between + variance)
        inverse = np.linalg.inv(covariance)
        inner = x.T @ inverse @ x
        residual = y - x @ np.linalg.solve(inner, x.T @ inverse @ y)
        return float(-np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(inner)[1] - residual @ inverse @ residual)

    found = fay_herriot(y, variance, x).between
    assert found > 0
    assert all(likelihood(found) >= likelihood(found * (1 + step)) for step in (-0.5, -0.01, -1e-4, 1e-4, 0.01, 0.5))


Likelihood = Callable[[FloatArray], FloatArray]
GRID = np.r_[0.0, np.geomspace(1e-8, 1e4, 5_000)]
"""Variances half a percent apart."""


def one_way(n: IntArray, mean: FloatArray, squares: FloatArray) -> Likelihood:
    """The restricted likelihood of ratios τ² ÷ s² (k,), s² at its best: of means with the variances 1/n + τ²/s² around a constant."""
    total = int(n.sum())

    def likelihood(ratio: FloatArray) -> FloatArray:
        variance = 1 / n + ratio[:, None]
        weight = (1 / variance).sum(axis=1)
        middle = (mean / variance).sum(axis=1) / weight
        rss = squares.sum() + ((mean - middle[:, None]) ** 2 / variance).sum(axis=1)
        return -0.5 * (
            (total - 1) * np.log(rss / (total - 1)) + np.log(variance).sum(axis=1) + np.log(n).sum() + np.log(weight) + total - 1
        )

    return likelihood


def known_variances(y: FloatArray, variance: FloatArray) -> Likelihood:
    """The restricted likelihood of variances τ² (k,), around a constant."""

    def likelihood(between: FloatArray) -> FloatArray:
        weights = 1 / (between[:, None] + variance)
        middle = (weights @ y) / weights.sum(axis=1)
        squares = (weights * (y - middle[:, None]) ** 2).sum(axis=1)
        return 0.5 * (np.log(weights).sum(axis=1) - np.log(weights.sum(axis=1)) - squares)

    return likelihood


def test_the_highest_likelihood_may_lie_behind_a_valley() -> None:
    """At the bound the likelihood falls, to rise again higher: −187.81 at nought and −185.99 at τ² 0.32."""
    n = np.array([5, 2, 200, 200, 2])
    mean = np.array([0.98578871, 0.69125761, -0.35355519, -0.41151457, 0.42825159])
    squares = np.array([4.84139671, 3.84050451, 176.826662, 185.36678, 0.0253486859])
    found, likelihood = reml(n, mean, squares), one_way(n, mean, squares)
    assert (found.between, found.within) == (pytest.approx(0.32, abs=0.01), pytest.approx(0.917, abs=0.002))
    bound, best = likelihood(np.array([0.0, found.between / found.within]))
    assert best - bound == pytest.approx(187.81 - 185.99, abs=0.02)
    assert best >= likelihood(GRID).max()
    # the same of direct estimates whose variances are known
    fit, likelihood = fay_herriot(mean, 0.917 / n), known_variances(mean, 0.917 / n)
    assert fit.between > 0.1
    assert likelihood(np.array([fit.between])) >= likelihood(GRID).max()


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_no_variance_is_likelier_than_the_one_found(seed: int) -> None:
    random = np.random.default_rng(seed)
    cells = int(random.integers(2, 7))
    n = random.choice(np.array([1, 2, 3, 5, 30, 200]), cells)
    n[0] = max(n[0], 2)
    mean = random.normal(0, random.choice(np.array([0.01, 0.3, 1.0])), cells)
    squares = np.where(n > 1, random.chisquare(np.maximum(n - 1, 1)), 0.0)
    found, likelihood = reml(n, mean, squares), one_way(n, mean, squares)
    assert likelihood(np.array([found.between / found.within])) >= likelihood(GRID).max() - 1e-9
    fit, likelihood = fay_herriot(mean, 1 / n), known_variances(mean, 1 / n)
    assert likelihood(np.array([fit.between])) >= likelihood(GRID).max() - 1e-9


def test_children_are_benchmarked_to_their_parent() -> None:
    # (100 * 30 + 300 * 50) / 400 = 45; the parent says 54: everything times 1.2
    np.testing.assert_allclose(benchmark(np.array([30.0, 50.0, np.nan]), np.array([100.0, 300.0, 0.0]), 54.0), [36, 60, np.nan])
    with pytest.raises(EstimationError):
        benchmark(np.array([30.0]), np.array([0.0]), 54.0)
    with pytest.raises(ValueError, match="no level"):
        benchmark(np.array([30.0, np.nan]), np.array([1.0, 1.0]), 54.0)
    for levels, stock, parent in (
        ([30.0, 50.0], [-1.0, 3.0], 54.0),
        ([30.0, 50.0], [np.nan, 3.0], 54.0),
        ([30.0, 50.0], [np.inf, 3.0], 54.0),
        ([-30.0, 50.0], [1.0, 3.0], 54.0),
        ([30.0, 50.0], [1.0, 3.0], 0.0),
        ([30.0, 50.0], [1.0, 3.0], np.nan),
    ):
        with pytest.raises(ValueError, match=r"stock|level"):
            benchmark(np.array(levels), np.array(stock), parent)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_shrunk_lies_between_cell_and_parent_and_nearer_the_cell_the_more_leases(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = np.sort(random.integers(0, 50, 8))
    mean, parent = random.normal(size=8), random.normal(size=8)
    shrunk = shrink(n, mean, parent, between=random.uniform(0, 1), within=random.uniform(0.01, 1))
    assert (np.diff(shrunk.factors) >= 0).all()
    low, high = np.minimum(mean, parent), np.maximum(mean, parent)
    assert ((low - 1e-12 <= shrunk.estimates) & (shrunk.estimates <= high + 1e-12)).all()
    levels, stock = np.exp(shrunk.estimates), random.uniform(1, 9, 8)
    assert np.average(benchmark(levels, stock, 40.0), weights=stock) == pytest.approx(40)


def test_reml_does_not_depend_on_the_unit_of_measure() -> None:
    n, mean, squares = sums([*DYESTUFF[:3], DYESTUFF[3][:2], DYESTUFF[4][:1]])
    one, thousand = reml(n, mean, squares), reml(n, mean / 1000, squares / 1e6)
    assert (thousand.between * 1e6, thousand.within * 1e6) == (pytest.approx(one.between), pytest.approx(one.within))
