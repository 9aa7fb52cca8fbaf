"""Mix-adjusted median index: the medians of cells, weighted by the housing stock.

Eurostat, RPPI Handbook (2013), chapter 4 (stratification); Australian Bureau of Statistics 2006. Rough beside the hedonic methods, but
anybody can follow it with a table of medians.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gridmgmt.rents.methods.bootstrap import bootstrap
from gridmgmt.rents.methods.imputation import Formula
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason, Series, series_of


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """Housing stock 存量 of c cells.

    `area` (T, c): m² in each period; those of a base period hold until the next base. `parents` (c,): codes of the groups whose movement an
    empty cell follows. Raises ValueError for shapes, negative areas or such as are not finite, EstimationError (no_stock) for a period
    without any.
    """

    area: FloatArray
    parents: IntArray

    def __post_init__(self) -> None:
        if self.area.ndim != 2 or self.parents.shape != (self.area.shape[1],):
            raise ValueError("the stock has a row for each period, and each cell has a parent")
        if not (np.isfinite(self.area) & (self.area >= 0)).all():
            raise ValueError("a cell's stock is negative or not finite")
        if not (self.area.sum(axis=1) > 0).all():
            raise EstimationError(Reason.NO_STOCK)

    @classmethod
    def steady(cls, area: FloatArray, periods: int, parents: IntArray | None = None) -> "Stock":
        """The same areas (c,) in all periods; without `parents` the cells have one parent."""
        return cls(np.tile(area, (periods, 1)), np.zeros(len(area), np.int64) if parents is None else parents)


@dataclass(frozen=True, slots=True, eq=False)
class MedianIndex:
    """A series; `rents` (T, c): each cell's median in yuan per m² and month, carried where it is empty; `carried` (T,): share of the
    stock's value whose rent is carried."""

    series: Series
    rents: FloatArray
    carried: FloatArray


def mix_adjusted_median(
    leases: Leases,
    cell: IntArray,
    stock: Stock,
    *,
    formula: Formula = Formula.FISHER,
    links: Sequence[int] | IntArray = (0,),
    least: int = 1,
    draws: int = 0,
    seed: int = 0,
) -> MedianIndex:
    """The index (T,), period 0 = 100, of leases in the cells `cell` (n,), 0..c−1.

    With p the cells' medians, N their stock, 0 the base: Laspeyres Σ N_0·p_t ÷ Σ N_0·p_0, Paasche Σ N_t·p_t ÷ Σ N_t·p_0, Fisher the root of
    their product, Törnqvist the geometric mean of p_t ÷ p_0 by the mean of both periods' shares in value. From `links` on (each January)
    the base is new; a link without a number hands on to the next period with one. A cell with fewer than `least` leases keeps its last rent
    × its parent's movement, that of the stock beside it that has leases, or the whole stock's when the parent has none; a cell not yet
    seen stands at its parent's mean rent and counts with its own from when it is seen on, as if it had moved with the parent until then.
    No cell with stock is left out. A period in which no cell can be compared is NaN with its reason.
    Errors come from drawing units anew, `draws` times, at least 200, from `seed` (bootstrap.py); without draws they are NaN.
    Raises ValueError for cells or periods that the stock does not have, EstimationError (base_empty) when period 0 has no cell with a rent.
    """
    if cell.shape != leases.y.shape or (len(cell) and not (cell.min() >= 0 and cell.max() < stock.area.shape[1])):
        raise ValueError("a lease lies in a cell without a row of stock")
    if len(stock.area) != leases.periods:
        raise ValueError("the stock has other periods than the leases")
    code, shape = leases.period * stock.area.shape[1] + cell, stock.area.shape
    order = np.lexsort((leases.y, code))  # once: what is drawn of sorted rents is sorted
    code, rents = code[order], np.exp(leases.y[order])
    found = _chained(*_medians(code, rents, shape, least), stock, formula, links=links)
    if not draws:
        return found

    def estimate(rows: IntArray, _: IntArray) -> FloatArray:
        return _chained(*_medians(code[rows], rents[rows], shape, least), stock, formula, links=links).series.logs

    errors = bootstrap(leases.unit[order], estimate, draws=draws, seed=seed).errors
    return replace(found, series=replace(found.series, errors=np.where(np.isfinite(found.series.values), errors, np.nan)))


def _chained(medians: FloatArray, counts: IntArray, stock: Stock, formula: Formula, *, links: Sequence[int] | IntArray) -> MedianIndex:
    periods = len(medians)
    seen = np.isfinite(medians[0])
    if not (seen & (stock.area[0] > 0)).any():
        raise EstimationError(Reason.BASE_EMPTY)
    rents = np.empty_like(medians)
    rents[0] = _placed(medians[0], stock.area[0], stock.parents)
    logs, carried = np.full(periods, np.nan), np.full(periods, np.nan)
    reasons: list[Reason | None] = [Reason.NO_OBSERVATIONS if not row.any() else Reason.TOO_FEW for row in counts]
    reasons[0], logs[0], carried[0] = None, 0.0, _share(rents[0], stock.area[0], ~seen)
    base, new_base, start = 0, False, rents[0].copy()
    for t in range(1, periods):
        new_base = new_base or t in links
        weights, present = stock.area[base], np.isfinite(medians[t])
        measured = present & seen & (weights > 0)
        if not measured.any():
            rents[t] = rents[t - 1]
            reasons[t] = Reason.DISCONNECTED if (present & (weights > 0)).any() else reasons[t]
            continue
        expected = rents[t - 1] * _movements(rents[t - 1], medians[t], np.where(measured, weights, 0.0), stock.parents)
        rents[t] = np.where(present, medians[t], expected)
        first = present & ~seen
        start[first] *= (medians[t] / expected)[first]
        seen |= present
        logs[t] = logs[base] + _movement(formula, start, rents[t], weights, stock.area[t])
        reasons[t], carried[t] = None, _share(rents[t], stock.area[t], ~present)
        if new_base:
            base, new_base, start = t, False, rents[t].copy()
    return MedianIndex(series_of(logs, counts=counts.sum(axis=1), reasons=reasons), rents, carried)


def _medians(code: IntArray, rents: FloatArray, shape: tuple[int, ...], least: int) -> tuple[FloatArray, IntArray]:
    """Medians (T, c) in yuan per m² and month, NaN for fewer than `least` leases, and counts (T, c), of rents (n,) that are sorted within
    the sorted places `code` (n,) in that table.
    """
    counts = np.bincount(code, minlength=shape[0] * shape[1])
    starts, there = np.cumsum(counts) - counts, counts >= max(least, 1)
    low, high = (starts + (counts - 1) // 2)[there], (starts + counts // 2)[there]
    medians = np.full(len(counts), np.nan)
    medians[there] = 0.5 * (rents[low] + rents[high])
    return medians.reshape(shape), counts.reshape(shape)


def _placed(medians: FloatArray, area: FloatArray, parents: IntArray) -> FloatArray:
    """Rents (c,): the medians, and for cells without one the mean over the parent's stock that has one, or over all."""
    there = np.isfinite(medians)
    weights = np.where(there, area, 0.0)
    means = _ratios(weights * np.nan_to_num(medians), weights, parents)
    return np.where(there, medians, means)


def _movements(before: FloatArray, now: FloatArray, weights: FloatArray, parents: IntArray) -> FloatArray:
    """For each cell (c,) its parent's movement, Σ weight·now ÷ Σ weight·before over cells with weight."""
    return _ratios(weights * np.nan_to_num(now), weights * before, parents)


def _ratios(above: FloatArray, below: FloatArray, parents: IntArray) -> FloatArray:
    """For each cell (c,) Σ above ÷ Σ below over its parent's cells, or over all cells when the parent's are nought."""
    _, parent = np.unique(parents, return_inverse=True)
    upper, lower = np.bincount(parent, above), np.bincount(parent, below)
    whole = above.sum() / below.sum()
    return np.where(lower > 0, upper / np.where(lower > 0, lower, 1.0), whole)[parent]


def _movement(formula: Formula, before: FloatArray, now: FloatArray, old: FloatArray, new: FloatArray) -> float:
    """Logarithm of the index from `before` to `now` (c,), with the stock of the base and of the period."""
    if formula is Formula.TORNQVIST:
        shares = 0.5 * (old * before / (old @ before) + new * now / (new @ now))
        return float(shares @ np.log(now / before))
    laspeyres, paasche = np.log((old @ now) / (old @ before)), np.log((new @ now) / (new @ before))
    return float({Formula.LASPEYRES: laspeyres, Formula.PAASCHE: paasche}.get(formula, (laspeyres + paasche) / 2))


def _share(rents: FloatArray, area: FloatArray, which: BoolArray) -> float:
    values = rents * area
    return float(values[which].sum() / values.sum())
