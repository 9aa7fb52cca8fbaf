"""Shrinkage of thin cells towards their parent, and the benchmark that makes children agree with it.

A cell's own mean of few leases is noisy, its parent's is not its own: the estimate lies between them, at the point that the spread between
cells and the spread within them make best. Sources: Searle, Casella and McCulloch (1992), Variance Components, chapters 3 and 6 (moments,
REML); Fay and Herriot (1979); Prasad and Rao (1990) and Datta and Lahiri (2000) on its mean squared error; Rao and Molina (2015), Small
Area Estimation, chapters 5 to 7 (benchmarking in 6.4.6).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason

_STEPS = 200
_EXACT = 1e-12


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of logarithms: `between` cells, τ² ≥ 0, and `within` them, s². `mean`: of the cells, by generalised least squares."""

    mean: float
    between: float
    within: float


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """Shrunk means of m cells.

    `estimates` (m,): logarithms. `factors` (m,): weight of the cell's own mean, 0 for a cell without leases. `errors` (m,): standard
    errors, √(τ²(1 − g)) given the variances (the largest, τ, for a cell without leases).
    """

    estimates: FloatArray
    factors: FloatArray
    errors: FloatArray


def moments(n: IntArray, mean: FloatArray, squares: FloatArray) -> Components:
    """Variances from m cells' numbers of leases, means and sums of squares about them, (m,) each, by the moments of one-way analysis.

    s² = ΣSS ÷ (N − m), τ² = max(0, (MS between − s²) ÷ n₀) with n₀ = (N − Σn²/N) ÷ (m − 1). Cells without leases are left out. Raises
    EstimationError (too_few) for fewer than two cells, or when no cell has two leases: then nothing tells the two variances apart.
    Raises ValueError for cells that are none: a negative number, a mean that is not finite, a sum of squares that is no such sum.
    """
    n, mean, squares = _seen(n, mean, squares)
    total, cells = int(n.sum()), len(n)
    within = float(squares.sum()) / (total - cells)
    middle = float((n * mean).sum()) / total
    spread = float((n * (mean - middle) ** 2).sum()) / (cells - 1)
    size = (total - float((n * n).sum()) / total) / (cells - 1)
    between = max(0.0, (spread - within) / size)
    return Components(_centre(mean, between + within / n), between, within)


def reml(n: IntArray, mean: FloatArray, squares: FloatArray) -> Components:
    """Variances by restricted maximum likelihood of the one-way random model; arguments and refusals are those of `moments`.

    The likelihood is profiled over s²; its one unknown is τ² ÷ s². It may have several maxima, zero among them, when cells differ much in
    size: all are looked for, by bisection of the score, and the highest is taken, the same to the last digit wherever it runs.
    """
    n, mean, squares = _seen(n, mean, squares)
    total = int(n.sum())
    ss, freedom = float(squares.sum()), total - 1

    def residual(ratio: float) -> tuple[FloatArray, FloatArray, float]:
        weights = n / (1 + ratio * n)
        deviations = mean - (weights * mean).sum() / weights.sum()
        return weights, deviations, ss + float((weights * deviations**2).sum())

    def score(ratio: float) -> float:
        weights, deviations, rss = residual(ratio)
        quadratic = float((weights**2 * deviations**2).sum())
        return freedom * quadratic / rss - float(weights.sum()) + float((weights**2).sum() / weights.sum())

    def likelihood(ratio: float) -> float:
        weights, _, rss = residual(ratio)
        return -0.5 * (freedom * np.log(rss) + float(np.log1p(ratio * n).sum()) + np.log(weights.sum()))

    if ss <= 0:  # every lease of a cell alike: the cells are all there is
        between = float(((mean - mean.mean()) ** 2).sum() / (len(mean) - 1))
        return Components(float(mean.mean()), between, 0.0)
    ratio = _highest(likelihood, score, 1 / n)
    _, _, rss = residual(ratio)
    within = rss / freedom
    return Components(_centre(mean, ratio * within + within / n), ratio * within, within)


def shrink(n: IntArray, mean: FloatArray, parent: FloatArray, *, between: float, within: float) -> Shrunk:
    """Estimates parent + g·(mean − parent) with g = τ² ÷ (τ² + s²/n), (m,) each; a cell without leases (its mean may be NaN) is its parent.

    `parent` (m,): logarithm of each cell's parent. Raises ValueError for a variance that is negative or not finite, and for cells that are
    none, as `moments` does.
    """
    if not (np.isfinite([between, within]).all() and min(between, within) >= 0):
        raise ValueError("a variance is negative or not finite")
    _checked(n, mean)
    noise = within / np.maximum(n, 1)
    factors = np.where((n > 0) & (between > 0), between / np.where(between + noise > 0, between + noise, 1.0), 0.0)
    own = np.where(n > 0, mean, parent)
    return Shrunk(parent + factors * (own - parent), factors, np.sqrt(between * (1 - factors)))


@dataclass(frozen=True, slots=True, eq=False)
class FayHerriot:
    """Fay and Herriot's model: `coefficients` (p,), `between` = τ², `shrunk` means with roots of the mean squared error, second order."""

    coefficients: FloatArray
    between: float
    shrunk: Shrunk


def fay_herriot(direct: FloatArray, variance: FloatArray, x: FloatArray | None = None) -> FayHerriot:
    """Shrinkage towards a regression when the variances of the direct estimates are known (areas of one level, errors of their own fits).

    `direct`, `variance` (m,): logarithms and their variances > 0; an area without a direct estimate has NaN in both and gets the
    regression's value. `x` (m, p): attributes of the areas with a constant among them; a constant alone by default. τ² by REML, the
    highest of its likelihood's maxima. The mean
    squared error is g₁ + g₂ + 2g₃ (Datta and Lahiri 2000), for areas without a direct estimate τ² + x'V(β)x. Raises EstimationError:
    too_few for no more areas than coefficients, collinear for attributes that depend on each other.
    """
    design = np.ones((len(direct), 1)) if x is None else x
    seen = np.isfinite(direct) & np.isfinite(variance)
    if (variance[seen] <= 0).any():
        raise ValueError("a direct estimate's variance is not positive")
    y, known, z = direct[seen], variance[seen], design[seen]
    if len(y) <= design.shape[1]:
        raise EstimationError(Reason.TOO_FEW)
    if np.linalg.matrix_rank(z) < design.shape[1]:
        raise EstimationError(Reason.COLLINEAR)

    def fitted(between: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        weights = 1 / (between + known)
        covariance = np.linalg.inv((z * weights[:, None]).T @ z).astype(np.float64)
        return weights, covariance, covariance @ (z.T @ (weights * y))

    def score(between: float) -> float:
        weights, covariance, beta = fitted(between)
        leverage = np.einsum("ij,jk,ik->i", z, covariance, z)
        projected = float(weights.sum() - (weights**2 * leverage).sum())
        return float(((weights * (y - z @ beta)) ** 2).sum()) - projected

    def likelihood(between: float) -> float:
        weights, covariance, beta = fitted(between)
        return 0.5 * float(np.log(weights).sum() + np.linalg.slogdet(covariance)[1] - (weights * (y - z @ beta) ** 2).sum())

    between = _highest(likelihood, score, known)
    weights, covariance, beta = fitted(between)
    fit = design @ beta
    factors = np.where(seen, between / (between + np.where(seen, variance, 1.0)), 0.0)
    estimates = fit + factors * (np.where(seen, direct, fit) - fit)
    leverage = np.einsum("ij,jk,ik->i", design, covariance, design)
    noise = np.where(seen, variance, 0.0)
    uncertain = 2 * (1 - factors) ** 2 / np.where(seen, between + noise, 1.0) * (2 / float((weights**2).sum()))
    squared = between * (1 - factors) + (1 - factors) ** 2 * leverage + np.where(seen, uncertain, 0.0)
    return FayHerriot(beta, between, Shrunk(estimates, factors, np.sqrt(squared)))


def benchmark(levels: FloatArray, stock: FloatArray, parent: float) -> FloatArray:
    """Levels (m,) in yuan per m² and month, multiplied by one factor so that their mean weighted by stock (m,) in m² is the parent's level.

    Ratio benchmarking: it keeps the children's proportions and never makes a level negative. Raises EstimationError (no_stock) when no
    child has stock; ValueError when a child with stock has no level, for its share would silently go to the others, and for a stock or a
    parent's level that is none.
    """
    if not (np.isfinite(stock) & (stock >= 0)).all():
        raise ValueError("a child's stock is negative or not finite")
    if not stock.sum() > 0:
        raise EstimationError(Reason.NO_STOCK)
    if not (0 < parent < np.inf and (np.isfinite(levels) & (levels > 0))[stock > 0].all()):
        raise ValueError("a child with stock has no level, or the parent has none")
    return levels * (parent * stock.sum() / (stock * np.where(stock > 0, levels, 0.0)).sum())


def _checked(n: IntArray, mean: FloatArray) -> None:
    if n.shape != mean.shape or (n < 0).any() or not np.isfinite(mean[n > 0]).all():
        raise ValueError("a cell has a number of leases below nought, or a mean that is not finite")


def _seen(n: IntArray, mean: FloatArray, squares: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Cells with leases; refused when they cannot tell the variances apart."""
    _checked(n, mean)
    seen = n > 0
    if squares.shape != n.shape:
        raise ValueError("each cell has a sum of squares")
    if seen.sum() < 2 or not (n > 1).any():
        raise EstimationError(Reason.TOO_FEW)  # nor does anybody know their squares then
    if not (np.isfinite(squares[seen]) & (squares[seen] >= 0)).all():
        raise ValueError("a cell's sum of squares is negative or not finite")
    return n[seen], mean[seen], squares[seen]


def _centre(mean: FloatArray, variance: FloatArray) -> float:
    """Mean weighted by inverse variances; all alike when a variance is zero."""
    weights = 1 / variance if (variance > 0).all() else np.ones(len(mean))
    return float((weights * mean).sum() / weights.sum())


def _highest(likelihood: Callable[[float], float], score: Callable[[float], float], scales: FloatArray) -> float:
    """Where a likelihood of one variance is highest: at zero, or at one of the roots of its score, where that falls through zero.

    `scales` (m,): the variances at which its terms bend. It is looked at from a thousandth of the smallest to a thousand times the largest
    of them, and as far beyond as the score is positive, in steps of a tenth: the terms bend over more than that.
    """
    low, high = float(scales.min()) / 1000, float(scales.max()) * 1000
    while score(high) > 0:
        high *= 2
    steps = np.geomspace(low, high, int(np.log(high / low) / np.log(1.1)) + 2)
    grid = [0.0, *steps.tolist()]
    up = [score(one) > 0 for one in grid]
    roots = [_root(score, *grid[at : at + 2]) for at in range(len(steps)) if up[at] and not up[at + 1]]
    return max([0.0, *roots], key=likelihood)


def _root(score: Callable[[float], float], low: float, high: float) -> float:
    """Where a score that is positive at `low` and not at `high` crosses zero, by bisection."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if score(middle) > 0:
            low = middle
        else:
            high = middle
        if high - low <= _EXACT * high:
            break
    return (low + high) / 2
