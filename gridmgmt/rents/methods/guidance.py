"""Guidance rents 房屋租赁指导租金: low, median and high rent of each cell in yuan per m² and month.

The middle is the hedonic prediction over the cell's own stock, let or not, plus the cell's shrunk effect: what a typical dwelling there
would let for, whichever happened to be let. Around it lie the rents that were agreed, if there are enough; else those of the parent.
Sources: RPPI handbook (Eurostat 2013), chapter 5.3 (prediction over the stock); Duan (1983), Smearing Estimate; Rao and Molina (2015),
Small Area Estimation, chapter 7.
"""

from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Band:
    """Shares of the rents below the low and below the high end of a band. Raises ValueError unless 0 < low < 0.5 < high < 1."""

    low: float = 0.2
    high: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.low < 0.5 < self.high < 1:
            raise ValueError("a band has its low below and its high above the median")


class Source(StrEnum):
    """Where the width of a band comes from."""

    EMPIRICAL = "empirical"
    """Quantiles of the cell's own leases."""
    LOGNORMAL = "lognormal"
    """A lognormal distribution with the cell's own spread."""
    PARENT = "parent"
    """A lognormal distribution with the parent's spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """N dwellings of the stock, let or not.

    `attributes` (N, k): as the hedonic regression has them. `cell` (N,): in 0..m-1. `area` (N,): floor area in m².
    """

    attributes: FloatArray
    cell: IntArray
    area: FloatArray

    def __post_init__(self) -> None:
        if self.attributes.ndim != 2 or not len(self.attributes) == len(self.cell) == len(self.area):
            raise ValueError("the columns of the stock differ in length")
        if not (np.isfinite(self.attributes).all() and np.isfinite(self.area).all() and (self.area > 0).all()):
            raise ValueError("an area of the stock is not positive, or an attribute not finite")


def predict(stock: Stock, coefficients: FloatArray, intercept: float, effects: FloatArray) -> FloatArray:
    """Logarithm of the typical rent of each of m cells, (m,): mean of intercept + x'b over its stock, weighted by area, plus its effect.

    `coefficients` (k,); `effects` (m,): shrunk effects of the cells, or those of their parents where a cell's own leases may not speak
    (`Showing.PARENT`). NaN for a cell without stock.
    """
    return _by_cell(intercept + stock.attributes @ coefficients, stock, len(effects)) + effects


def mean_levels(stock: Stock, coefficients: FloatArray, intercept: float, effects: FloatArray, *, factor: float) -> FloatArray:
    """Arithmetic mean rent over the stock of each cell, (m,), in yuan per m² and month; arguments as for `predict`.

    `factor` makes up for the logarithm, whose mean is below that of what it is taken of: `lognormal_factor` or `duan_factor`.
    """
    return _by_cell(np.exp(intercept + stock.attributes @ coefficients), stock, len(effects)) * np.exp(effects) * factor


def lognormal_factor(variance: float) -> float:
    """exp(s²/2), the mean of exp(e) for normal residuals of this variance."""
    return float(np.exp(variance / 2))


def duan_factor(residuals: FloatArray) -> float:
    """Mean of exp(e) over residuals (n,) of whatever distribution. Raises EstimationError (no_observations) without any."""
    if not len(residuals):
        raise EstimationError(Reason.NO_OBSERVATIONS)
    return float(np.exp(np.sort(residuals)).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Bands of m cells, (m,) each, in yuan per m² and month, low ≤ median ≤ high; NaN where `reasons` tells why."""

    low: FloatArray
    median: FloatArray
    high: FloatArray
    sources: tuple[Source | None, ...]
    reasons: tuple[Reason | None, ...]

    def times(self, factors: FloatArray) -> "Bands":
        """The bands multiplied, each by its factor > 0, as when their medians are benchmarked to a parent."""
        return Bands(self.low * factors, self.median * factors, self.high * factors, self.sources, self.reasons)


def bands(
    centre: FloatArray,
    logs: FloatArray,
    cell: IntArray,
    parent_spread: FloatArray,
    *,
    band: Band | None = None,
    empirical: int = 30,
    own: int = 10,
    stocked: BoolArray | None = None,
) -> Bands:
    """Bands around `centre` (m,), logarithms as from `predict`, from the leases' log rents `logs` (n,) and their cells (n,).

    With `empirical` leases or more the cell's own quantiles, as far as they lie from its own median; with `own` or more exp(centre ± z·s)
    with its own standard deviation; below that with `parent_spread` (m,), a standard deviation of log rents within a cell of the parent.
    Leave the leases of hidden cells out: a spread of their own would speak of them. NaN with no_stock where there is no centre, or with
    no_parent if the cell is one of the `stocked` (m,) and its parent tells it none; with no_parent too where the parent's spread is wanted
    and missing.
    """
    band = band or Band()
    down, up = np.full(len(centre), np.nan), np.full(len(centre), np.nan)
    sources: list[Source | None] = []
    reasons: list[Reason | None] = []
    order = np.lexsort((logs, cell))
    ends = np.searchsorted(cell[order], np.arange(len(centre) + 1))
    for at in range(len(centre)):
        rents = logs[order[ends[at] : ends[at + 1]]]
        source = Source.EMPIRICAL if len(rents) >= empirical else Source.LOGNORMAL if len(rents) >= own else Source.PARENT
        if source is Source.EMPIRICAL:
            quantiles = np.quantile(rents, [band.low, 0.5, band.high])
            down[at], up[at] = quantiles[0] - quantiles[1], quantiles[2] - quantiles[1]
        else:
            spread = float(rents.std(ddof=1)) if source is Source.LOGNORMAL else float(parent_spread[at])
            down[at], up[at] = spread * _NORMAL.inv_cdf(band.low), spread * _NORMAL.inv_cdf(band.high)
        missing = Reason.NO_STOCK if stocked is None or not stocked[at] else Reason.NO_PARENT
        reason = missing if np.isnan(centre[at]) else Reason.NO_PARENT if np.isnan(down[at]) else None
        reasons.append(reason)
        sources.append(source if reason is None else None)
    known = np.where([reason is None for reason in reasons], centre, np.nan)
    return Bands(np.exp(known + down), np.exp(known), np.exp(known + up), tuple(sources), tuple(reasons))


def percentile(rent: float, low: float, median: float, high: float, *, band: Band | None = None) -> float:
    """Where a rent stands among those of its cell, 0 to 100, from the published band alone, all in yuan per m² and month.

    On either side of the median the logarithm is taken as normal, with the spread that the band has on that side. A side without width puts
    every rent beyond the median at its end. Raises ValueError unless 0 < low ≤ median ≤ high < ∞ and the rent is positive and finite.
    """
    if not (0 < low <= median <= high < np.inf and 0 < rent < np.inf):
        raise ValueError("a rent and its band are positive and finite, low ≤ median ≤ high")
    band = band or Band()
    distance = float(np.log(rent / median))
    if distance == 0:
        return 50.0
    width = (
        float(np.log(high / median)) / _NORMAL.inv_cdf(band.high)
        if distance > 0
        else float(np.log(low / median)) / _NORMAL.inv_cdf(band.low)
    )
    return 100 * _NORMAL.cdf(distance / width) if width > 0 else 100.0 * (distance > 0)


def _by_cell(values: FloatArray, stock: Stock, cells: int) -> FloatArray:
    """Means (m,) weighted by area; NaN for a cell without stock. Added up in the order of the values, whatever that of the stock."""
    order = np.lexsort((stock.area, values, stock.cell))
    cell, area = stock.cell[order], stock.area[order]
    total = np.bincount(cell, area, cells)
    return np.bincount(cell, area * values[order], cells) / np.where(total > 0, total, np.nan)
