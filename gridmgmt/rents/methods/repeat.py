"""Repeat-rent indexes: how rents of the same unit moved.

ln r_t − ln r_s = d_t − d_s + u for a unit let at s < t. The normal equations' matrix is the Laplacian of the graph whose nodes are periods
and whose edges are pairs; it is solved on the part of that graph which holds the base period, and periods off it have no index.
Sources: Bailey, Muth and Nourse (1963), A Regression Method for Real Estate Price Index Construction; Case and Shiller (1987, 1989);
Shiller (1991), Arithmetic Repeat Sales Price Estimators; RPPI handbook (Eurostat 2013), chapter 6.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gridmgmt.rents.methods.pairs import Pairs, PairSums, connected
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason, Series, series_of
from gridmgmt.rents.methods.trim import FLOOR, NORMAL


class Errors(StrEnum):
    """How standard errors are estimated."""

    ORDINARY = "ordinary"
    """s²(X'WX)⁻¹: right when the weights are inverse variances and pairs are independent."""
    HC1 = "hc1"
    """White's, times n ÷ (n − k): right whatever the pairs' variances."""
    UNIT = "unit"
    """Clustered by unit, times g ÷ (g − 1)·(n − 1) ÷ (n − k): right when pairs of a unit depend on each other."""


def bmn(sums: PairSums, *, base: int = 0) -> Series:
    """Bailey, Muth and Nourse's index from additive sums, each pair alike; base = 100, ordinary errors with full covariance.

    Raises EstimationError: no_pairs, or base_empty when no pair begins or ends at the base.
    """
    return _from_sums(sums, np.ones(len(sums.n)), base)


def case_shiller(sums: PairSums, *, base: int = 0, floor: float = 0.1) -> Series:
    """Case and Shiller's three stages from additive sums: pairs far apart in time count less.

    First `bmn`; then `gap_variance`; then least squares weighted by its inverse. Raises as `bmn` does.
    """
    variance = gap_variance(sums, base=base, floor=floor)
    return _from_sums(sums, 1 / variance[sums.second - sums.first], base)


def gap_variance(sums: PairSums, *, base: int = 0, floor: float = 0.1) -> FloatArray:
    """Variance of a pair's residual by gap 0..T-1, (T,): max(a + b·gap, floor·mean e²), fitted by least squares of `bmn`'s e² on the gap.

    The floor keeps every pair in: a negative fit would else weigh nothing, or less. All ones when there is nothing to fit (one gap only is
    a constant; residuals of zero say that every pair is exact). Raises as `bmn` does.
    """
    first = bmn(sums, base=base)
    inside = np.isfinite(first.values[sums.first]) & np.isfinite(first.values[sums.second])
    gap = (sums.second - sums.first)[inside].astype(np.float64)
    squares, n = _squares(sums, first.logs)[inside], sums.n[inside]
    mean = squares.sum() / n.sum()
    if mean < 1e-24:  # a hundred-billionth of a percent: rounding
        return np.ones(sums.periods)
    centred = gap - (n * gap).sum() / n.sum()
    spread = (n * centred * centred).sum()
    slope = (centred * squares).sum() / spread if spread > 0 else 0.0
    fit = mean + slope * (np.arange(sums.periods) - (n * gap).sum() / n.sum())
    return np.maximum(fit, floor * mean)


def repeat(pairs: Pairs, *, base: int = 0, weights: FloatArray | None = None, errors: Errors = Errors.HC1) -> Series:
    """Repeat-rent index by least squares over single pairs, weighted by `weights` (m,) > 0 if given, with errors of the asked kind.

    With weights of one it is `bmn`, with 1 ÷ gap_variance[gap] `case_shiller`, with `stock_weights` the index of the stock. Raises
    EstimationError as `bmn` does, ValueError for weights that are not positive.
    """
    w, inside = _prepared(pairs, weights, base)
    kept = pairs.only(inside)
    w, change = w[inside], kept.change
    logs, inverse, freedom = _solved(kept.first, kept.second, w, w * change, n=len(kept), periods=pairs.periods, base=base)
    residual = change - (logs[kept.second] - logs[kept.first])
    if errors is Errors.ORDINARY:
        covariance = _scaled(inverse, float((w * residual * residual).sum()), freedom)
    else:
        covariance = _sandwich(inverse, kept, w * residual, freedom, errors)
    return _told(pairs.touching(), logs, covariance, base)


def arithmetic(pairs: Pairs, *, base: int = 0, weights: FloatArray | None = None, errors: Errors = Errors.HC1) -> Series:
    """Shiller's arithmetic repeat index, the value of a portfolio of the units: instruments ±1, β = (Z'WX)⁻¹Z'WY, I = 100 ÷ β.

    For trimmed pairs only: one rent in the wrong unit of measure outweighs a street. `weights` (m,) as 1 ÷ gap_variance[gap] give Shiller's
    interval-weighted variant. Errors of the logarithm by the delta method, HC1 or clustered by unit. Raises EstimationError as `bmn`
    does, ValueError for weights that are not positive or for ordinary errors, which this estimator does not have.
    """
    if errors is Errors.ORDINARY:
        raise ValueError("instruments have no ordinary errors")
    w, inside = _prepared(pairs, weights, base)
    kept, w = pairs.only(inside), w[inside]
    size = pairs.periods
    matrix = np.zeros((size, size))
    np.add.at(matrix, (kept.first, kept.first), w * kept.before)
    np.add.at(matrix, (kept.second, kept.second), w * kept.after)
    np.add.at(matrix, (kept.first, kept.second), -w * kept.after)
    np.add.at(matrix, (kept.second, kept.first), -w * kept.before)
    others = np.setdiff1d(np.union1d(kept.first, kept.second), [base])
    # columns sum to zero and what is off the diagonal is negative: an M-matrix on a connected graph, so β exists and is positive
    beta = np.full(size, np.nan)
    beta[base] = 1.0
    beta[others] = np.linalg.solve(matrix[np.ix_(others, others)], -matrix[others, base])
    inverse = np.full((size, size), np.nan)
    inverse[np.ix_(others, others)] = np.linalg.inv(matrix[np.ix_(others, others)])
    inverse[base, others] = inverse[others, base] = inverse[base, base] = 0.0
    residual = kept.after * beta[kept.second] - kept.before * beta[kept.first]
    covariance = _sandwich(inverse, kept, w * residual, len(kept) - len(others), errors)
    return _told(pairs.touching(), -np.log(beta), covariance / np.outer(beta, beta), base)


@dataclass(frozen=True, slots=True, eq=False)
class StockWeights:
    """`weights` (m,), mean one, and the share of the stock whose stratum has a pair at all: what is left is spoken for by nobody."""

    weights: FloatArray
    covered: float


def stock_weights(pairs: Pairs, stock: FloatArray, *, cap: float = 0.99) -> StockWeights:
    """Weights that let the sample speak for the stock: share of the stratum in the stock (S,) in m² ÷ its share among the pairs.

    Capped at the `cap` quantile of the pairs' weights, lest one pair of a rare kind speaks for thousands (after Zillow's repeat index,
    2023). Pairs of a stratum without stock weigh the smallest positive weight's hundredth, not nothing: a weight of zero would silently
    drop a period. Raises EstimationError: no_pairs, or no_stock when no stratum with pairs has stock.
    """
    if len(pairs) == 0:
        raise EstimationError(Reason.NO_PAIRS)
    sample = np.bincount(pairs.stratum, minlength=len(stock))
    seen = sample > 0
    if not stock[seen].sum() > 0:
        raise EstimationError(Reason.NO_STOCK)
    share = np.zeros(len(stock))
    share[seen] = (stock[seen] / stock.sum()) / (sample[seen] / len(pairs))
    weights = share[pairs.stratum]
    weights = np.minimum(weights, np.quantile(weights, cap)) if np.quantile(weights, cap) > 0 else weights
    weights = np.maximum(weights, weights[weights > 0].min() / 100)
    return StockWeights(weights / weights.mean(), float(stock[seen].sum() / stock.sum()))


def trim(pairs: Pairs, *, base: int = 0, cutoff: float = 4.0, rounds: int = 4) -> tuple[Pairs, IntArray]:
    """Pairs without gross errors, and for each period how many of its pairs were dropped, (T,).

    After a fit by `bmn`, |e| > cutoff·max(1.4826·median|e|, 0.05) goes, and the rest is fitted again, at most `rounds` times. Pairs that
    the base is not connected with are judged by nothing and stay. Raises EstimationError as `bmn` does.
    """
    kept = np.ones(len(pairs), np.bool_)
    for _ in range(rounds):
        logs = bmn(PairSums.of(pairs.only(kept)), base=base).logs
        residual = np.abs(pairs.change - (logs[pairs.second] - logs[pairs.first]))
        judged = residual[kept & np.isfinite(residual)]
        bad = kept & (residual > cutoff * max(NORMAL * float(np.median(judged)), FLOOR))
        if not bad.any():
            break
        kept &= ~bad
    return pairs.only(kept), pairs.only(~kept).touching()


def trailing(series: Series, window: int = 3) -> Series:
    """Series whose logarithm is the mean of the last `window` periods (fewer at the beginning), errors from the full covariance.

    A period whose window holds one without a value has none either, for that one's reason: a mean over what happens to be there would jump
    when a gap passes. The base is the first period.
    """
    size = series.periods
    spread = np.array([[1 / min(window, t + 1) if t - window < s <= t else 0.0 for s in range(size)] for t in range(size)])
    missing = ~np.isfinite(series.logs)
    touched = (spread > 0) & missing[None, :]
    logs = spread @ np.where(missing, 0.0, series.logs)
    logs[touched.any(axis=1)] = np.nan
    reasons = [series.reasons[int(np.flatnonzero(row)[-1])] if row.any() else None for row in touched]
    covariance = None
    if series.covariance is not None:
        filled = np.where(np.isfinite(series.covariance), series.covariance, 0.0)
        covariance = spread @ filled @ spread.T
        covariance[np.isnan(logs), :] = np.nan
        covariance[:, np.isnan(logs)] = np.nan
    return series_of(logs, counts=series.counts, reasons=reasons, trimmed=series.trimmed, covariance=covariance)


def _from_sums(sums: PairSums, weight: FloatArray, base: int) -> Series:
    """Weighted least squares over cells, with ordinary errors."""
    inside = _inside(sums.first, sums.second, sums.periods, base)
    first, second, n, w = sums.first[inside], sums.second[inside], sums.n[inside], weight[inside]
    logs, inverse, freedom = _solved(first, second, w * n, w * sums.sum_u[inside], n=int(n.sum()), periods=sums.periods, base=base)
    covariance = _scaled(inverse, float((w * _squares(sums, logs)[inside]).sum()), freedom)
    return _told(sums.touching(), logs, covariance, base)


def _squares(sums: PairSums, logs: FloatArray) -> FloatArray:
    """Sum of squared residuals of each cell: within it, and of its mean from the fit; never below zero."""
    mean = sums.sum_u / sums.n
    return np.maximum(sums.sum_uu - sums.n * mean * mean, 0.0) + sums.n * (mean - (logs[sums.second] - logs[sums.first])) ** 2


def _inside(first: IntArray, second: IntArray, periods: int, base: int) -> BoolArray:
    """Which cells the base is connected with."""
    if len(first) == 0:
        raise EstimationError(Reason.NO_PAIRS)
    root = connected(first, second, periods)
    inside = root[first] == root[base]
    if not inside.any():
        raise EstimationError(Reason.BASE_EMPTY)
    return inside


def _prepared(pairs: Pairs, weights: FloatArray | None, base: int) -> tuple[FloatArray, BoolArray]:
    w = np.ones(len(pairs)) if weights is None else weights
    if w.shape != (len(pairs),) or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weights are one positive number for each pair")
    return w, _inside(pairs.first, pairs.second, pairs.periods, base)


def _laplacian(first: IntArray, second: IntArray, weight: FloatArray, periods: int) -> FloatArray:
    matrix = np.zeros((periods, periods))
    np.add.at(matrix, (first, second), -weight)
    matrix += matrix.T
    matrix[np.diag_indices(periods)] = -matrix.sum(axis=1)
    return matrix


def _solved(
    first: IntArray, second: IntArray, weight: FloatArray, moment: FloatArray, *, n: int, periods: int, base: int
) -> tuple[FloatArray, FloatArray, int]:
    """Log index (T,) with 0 at the base, inverse (T, T) of the normal matrix, zeros there, NaN off the base's part; degrees of freedom."""
    others = np.setdiff1d(np.union1d(first, second), [base])
    right = np.bincount(second, moment, periods) - np.bincount(first, moment, periods)
    matrix = _laplacian(first, second, weight, periods)[np.ix_(others, others)]
    logs = np.full(periods, np.nan)
    logs[others] = np.linalg.solve(matrix, right[others])
    logs[base] = 0.0
    inverse = np.full((periods, periods), np.nan)
    inverse[np.ix_(others, others)] = np.linalg.inv(matrix)
    inverse[base, others] = inverse[others, base] = inverse[base, base] = 0.0
    return logs, inverse, n - len(others)


def _scaled(inverse: FloatArray, squares: float, freedom: int) -> FloatArray:
    """s²(X'WX)⁻¹; NaN when no observation is left over to estimate s² from."""
    return inverse * (squares / freedom) if freedom > 0 else np.full_like(inverse, np.nan)


def _sandwich(bread: FloatArray, pairs: Pairs, score: FloatArray, freedom: int, errors: Errors) -> FloatArray:
    """bread·meat·bread', the meat from `score` (m,), weight times residual of each pair."""
    if freedom <= 0:
        return np.full_like(bread, np.nan)
    n, factor = len(pairs), len(pairs) / freedom
    if errors is Errors.HC1:
        meat = _laplacian(pairs.first, pairs.second, score * score, pairs.periods)
    else:
        starts = np.flatnonzero(np.r_[True, np.diff(pairs.unit) != 0])
        if len(starts) < 2:
            return np.full_like(bread, np.nan)
        factor = len(starts) / (len(starts) - 1) * (n - 1) / freedom
        meat = _clustered(pairs, score, starts)
    known = np.isfinite(np.diagonal(bread))
    inner = np.where(np.isfinite(bread), bread, 0.0)
    covariance = factor * (inner @ meat @ inner.T)
    covariance[~known, :] = np.nan
    covariance[:, ~known] = np.nan
    return covariance


def _clustered(pairs: Pairs, score: FloatArray, starts: IntArray, units: int = 20_000) -> FloatArray:
    """Sum over units of the outer product of their scores' sums, (T, T); some thousand units at a time, for memory."""
    meat = np.zeros((pairs.periods, pairs.periods))
    for at in range(0, len(starts), units):
        block = starts[at : at + units]
        rows = slice(int(block[0]), int(starts[at + units]) if at + units < len(starts) else len(pairs))
        unit = np.searchsorted(block, np.arange(rows.start, rows.stop), side="right") - 1
        sums = np.zeros((len(block), pairs.periods))
        np.add.at(sums, (unit, pairs.second[rows]), score[rows])
        np.add.at(sums, (unit, pairs.first[rows]), -score[rows])
        meat += sums.T @ sums
    return meat


def _told(counts: IntArray, logs: FloatArray, covariance: FloatArray, base: int) -> Series:
    """The series, with a reason wherever it has no value."""
    missing = [Reason.DISCONNECTED if count else Reason.NO_PAIRS for count in counts]
    reasons = [None if np.isfinite(value) else reason for value, reason in zip(logs, missing, strict=True)]
    return series_of(logs, counts=counts, reasons=reasons, base=base, covariance=covariance)
