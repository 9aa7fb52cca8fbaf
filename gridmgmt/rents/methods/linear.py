"""Least squares from normal equations, where some columns may depend on others.

Dummies are entered in full, no category left out: the equations then have no unique solution, but every difference that the observations
determine has one value under all of them. What they determine is read off the null space, so that a period that nothing links to the base
is told apart from one that is linked badly (Rao 1973, Linear Statistical Inference, section 4a, on estimable functions).
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason
from gridmgmt.rents.methods.threads import one_thread

_DEPENDENT = 1e-11
"""A column whose share not explained by the others is below this depends on them; sums in double precision err by about 1e-14."""


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Normal equations of p columns: `matrix` (p, p) = X'X, `right` (p,) = X'y, `total` = y'y, over n observations."""

    matrix: FloatArray
    right: FloatArray
    total: float
    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A solution of normal equations.

    `coefficients` (p,): one of the solutions, 0 for columns that depend on the others. `inverse` (p, p): a generalised inverse of X'X.
    `null` (p, p−rank): directions that the observations say nothing of. `scale` (p,): one over each column's norm, 1 for noughts. `rss`:
    residual sum of squares. `condition`: of the scaled matrix without the dependent columns, in the 1-norm; its logarithm to the base 10
    tells how many of 16 digits are lost.
    """

    coefficients: FloatArray
    inverse: FloatArray
    null: FloatArray
    scale: FloatArray
    rank: int
    n: int
    rss: float
    condition: float

    @property
    def freedom(self) -> int:
        """Degrees of freedom, n − rank."""
        return self.n - self.rank

    @property
    def variance(self) -> float:
        """Residual variance s²; NaN when no freedom is left."""
        return self.rss / self.freedom if self.freedom > 0 else float("nan")

    @property
    def covariance(self) -> FloatArray:
        """s²(X'X)⁻, the ordinary covariance (p, p); of use for estimable combinations only."""
        return self.inverse * self.variance

    def determines(self, combinations: FloatArray) -> BoolArray:
        """Whether the observations determine each of the `combinations` (q, p) of coefficients, (q,)."""
        if not self.null.shape[1]:
            return np.ones(len(combinations), np.bool_)
        return np.abs(combinations @ self.null).max(axis=1) <= 1e-8 * np.abs(combinations * self.scale).max(axis=1)


@one_thread()
def solve(normal: Normal) -> Fit:
    """Solve by a Cholesky factor with pivoting of the matrix scaled to a unit diagonal, and refine once.

    Columns that are nought or depend on others are found on the way and get the coefficient 0. Raises EstimationError: no_observations
    when there is none, collinear when no column is left.
    """
    if normal.n == 0:
        raise EstimationError(Reason.NO_OBSERVATIONS)
    diagonal = np.diagonal(normal.matrix)
    present = diagonal > 0
    if not present.any():
        raise EstimationError(Reason.COLLINEAR)
    scale = np.where(present, 1 / np.sqrt(np.where(present, diagonal, 1.0)), 0.0)
    scaled = normal.matrix * scale[:, None] * scale
    factor, pivot, rank = _pivoted(scaled)
    kept, dependent = pivot[:rank], pivot[rank:]
    upper = np.triu(factor[:rank, :rank])

    core = _inverted(upper)
    inverse = np.zeros_like(scaled)
    inverse[np.ix_(kept, kept)] = core
    right = normal.right * scale
    solution = inverse @ right
    solution += inverse @ (right - scaled @ solution)

    null = np.zeros((len(diagonal), len(dependent)))
    null[dependent, np.arange(len(dependent))] = 1.0
    if len(dependent):
        null[kept] = -solve_triangular(upper, factor[:rank, rank:])
    # a column of nothing but noughts stands alone: scaled by one, its direction is its own unit vector
    units = np.where(present, scale, 1.0)
    null *= units[:, None] / np.abs(null).max(axis=0, initial=0.0)

    # (y − Xb)'(y − Xb) at the solution; rounding may leave it below nought where the fit is perfect
    rss = float(max(normal.total - solution @ (2 * right - scaled @ solution), 0.0))
    if rss <= 1e-13 * normal.total:
        rss = 0.0
    return Fit(
        coefficients=solution * scale,
        inverse=inverse * scale[:, None] * scale,
        null=null,
        scale=units,
        rank=rank,
        n=normal.n,
        rss=rss,
        condition=float(np.abs(scaled[np.ix_(kept, kept)]).sum(axis=0).max() * np.abs(core).sum(axis=0).max()),
    )


def sandwich(fit: Fit, meat: FloatArray, *, clusters: int | None = None) -> FloatArray:
    """Robust covariance (p, p), inverse·meat·inverse with the usual correction for a small sample.

    For independent leases (`clusters` None) meat is Σ e²·xx' and the factor n ÷ (n − rank): HC1 (MacKinnon and White 1985). For clusters
    it is Σ_g (X_g'e_g)(X_g'e_g)' and the factor G ÷ (G − 1) · (n − 1) ÷ (n − rank) (Liang and Zeger 1986; Cameron and Miller 2015).
    NaN when no freedom is left or there is a single cluster.
    """
    return fit.inverse @ meat @ fit.inverse * correction(fit, clusters)


def correction(fit: Fit, clusters: int | None) -> float:
    """The factor for a small sample, see `sandwich`; NaN when no freedom is left or there is a single cluster."""
    if fit.freedom <= 0 or clusters == 1:
        return float("nan")
    return fit.n / fit.freedom if clusters is None else clusters / (clusters - 1) * (fit.n - 1) / fit.freedom


def _pivoted(scaled: FloatArray) -> tuple[FloatArray, IntArray, int]:
    # info is positive when columns depend on others, which is an answer here and no failure
    (factor,) = get_lapack_funcs(("pstrf",), (scaled,))
    upper, pivot, rank, _info = cast("tuple[FloatArray, IntArray, int, int]", factor(scaled, tol=_DEPENDENT))
    return upper, pivot.astype(np.int64) - 1, int(rank)


def _inverted(upper: FloatArray) -> FloatArray:
    (invert,) = get_lapack_funcs(("potri",), (upper,))
    inverse, _info = cast("tuple[FloatArray, int]", invert(upper))
    return np.triu(inverse) + np.triu(inverse, 1).T
