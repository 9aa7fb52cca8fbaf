"""Pairs of rents of the same unit, their additive sums, and which periods they connect.

A pair is what repeat-rent methods know of the market: one unit let at two different periods. Only its change of rent speaks, so whatever is
constant in a unit falls out. The sums of changes over cells (period of the first rent, period of the second) are all that Bailey, Muth and
Nourse's and Case and Shiller's estimates need; they add up over areas and are subtracted when a lease is corrected.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray


class Duplicates(StrEnum):
    """What counts when a unit has several rents in one period: a pair cannot join a period with itself."""

    MEAN = "mean"
    """Their geometric mean: no observation is thrown away, and none is preferred. The rule of this office."""
    HIGHEST = "highest"
    """The highest one, as R's hpiR does it; for comparison with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of rents, sorted by unit and periods, so that the order in which leases came does not matter.

    `unit`, `first`, `second`, `stratum` (m,): whose rents, their periods (first < second), and the stratum of the second. `before`,
    `after` (m,): rents in yuan per m² and month. `periods`: T, how many periods there are. Raises ValueError when shapes differ, a rent is
    not positive and finite, or a period is out of 0..T-1 or out of order.
    """

    unit: IntArray
    first: IntArray
    second: IntArray
    before: FloatArray
    after: FloatArray
    stratum: IntArray
    periods: int

    def __post_init__(self) -> None:
        columns = (self.unit, self.first, self.second, self.before, self.after, self.stratum)
        if any(column.shape != (len(self.unit),) for column in columns):
            raise ValueError("the columns of pairs differ in length")
        if not ((self.before > 0) & (self.after > 0) & np.isfinite(self.before) & np.isfinite(self.after)).all():
            raise ValueError("a rent of a pair is not positive and finite")
        if not ((self.first >= 0) & (self.first < self.second) & (self.second < self.periods)).all():
            raise ValueError("the periods of a pair are out of range or out of order")

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def change(self) -> FloatArray:
        """Change of the logarithm of the rent, u = ln after − ln before, (m,)."""
        return np.log(self.after / self.before)

    @property
    def gap(self) -> IntArray:
        """Periods between the two rents, (m,), at least one."""
        return self.second - self.first

    def only(self, kept: BoolArray) -> "Pairs":
        """Those pairs where `kept` (m,) is true."""
        unit, first, second, stratum = (column[kept] for column in (self.unit, self.first, self.second, self.stratum))
        return Pairs(unit, first, second, self.before[kept], self.after[kept], stratum, self.periods)

    def touching(self) -> IntArray:
        """For each period how many pairs begin or end in it, (T,)."""
        return touching(self.first, self.second, np.ones(len(self), np.int64), self.periods)


def pair_up(
    unit: IntArray,
    period: IntArray,
    rent: FloatArray,
    *,
    periods: int,
    stratum: IntArray | None = None,
    every: bool = False,
    duplicates: Duplicates = Duplicates.MEAN,
) -> Pairs:
    """Pairs of leases (n,) of the same unit: those that follow each other, or, with `every`, each earlier with each later one.

    Rents in yuan per m² and month. Several rents of a unit in a period count as one, by the rule `duplicates`; the stratum is then the
    smallest among them. With `every` a unit of k rents gives k(k−1)/2 pairs that are not independent: take errors clustered by unit.
    Raises ValueError as `Pairs` does.
    """
    strata = np.zeros(len(unit), np.int64) if stratum is None else stratum
    if not (np.isfinite(rent) & (rent > 0)).all():
        raise ValueError("a rent is not positive and finite")
    order = np.lexsort((strata, rent, period, unit))
    unit, period, rent, strata = unit[order], period[order], rent[order], strata[order]
    if len(unit):
        starts = np.flatnonzero(np.r_[True, (np.diff(unit) != 0) | (np.diff(period) != 0)])
        if duplicates is Duplicates.HIGHEST:
            rent = np.maximum.reduceat(rent, starts)
        elif len(starts) < len(rent):  # one rent in each period is left as it is, to the last digit
            counts = np.diff(np.r_[starts, len(rent)])
            rent = np.where(counts > 1, np.exp(np.add.reduceat(np.log(rent), starts) / counts), rent[starts])
        unit, period, strata = unit[starts], period[starts], np.minimum.reduceat(strata, starts)
    longest = int(np.bincount(np.unique(unit, return_inverse=True)[1]).max(initial=1))
    before: list[IntArray] = []
    after: list[IntArray] = []
    for lag in range(1, longest if every else min(longest, 2)):
        same = np.flatnonzero(unit[lag:] == unit[:-lag])
        before.append(same)
        after.append(same + lag)
    a = np.concatenate([*before, np.empty(0, np.int64)]).astype(np.int64)
    b = np.concatenate([*after, np.empty(0, np.int64)]).astype(np.int64)
    by_unit = np.lexsort((b, a))
    a, b = a[by_unit], b[by_unit]
    return Pairs(unit[a], period[a], period[b], rent[a], rent[b], strata[b], periods)


@dataclass(frozen=True, slots=True, eq=False)
class PairSums:
    """Additive statistics of pairs, one row for each cell (first, second) that has any, sorted by cell.

    `first`, `second`, `n` (c,): periods and number of pairs. `sum_u`, `sum_uu` (c,): sums of the change of the logarithm and of its square.
    """

    first: IntArray
    second: IntArray
    n: IntArray
    sum_u: FloatArray
    sum_uu: FloatArray
    periods: int

    @classmethod
    def of(cls, pairs: Pairs) -> "PairSums":
        """Sums of pairs."""
        change = pairs.change
        return _merged(pairs.first, pairs.second, np.ones(len(pairs), np.int64), (change, change * change), pairs.periods)

    def __add__(self, other: "PairSums") -> "PairSums":
        return self._with(other, 1)

    def __sub__(self, other: "PairSums") -> "PairSums":
        return self._with(other, -1)

    def _with(self, other: "PairSums", sign: int) -> "PairSums":
        if self.periods != other.periods:
            raise ValueError("sums over different periods do not add up")
        first, second = np.r_[self.first, other.first], np.r_[self.second, other.second]
        sums = np.r_[self.sum_u, sign * other.sum_u], np.r_[self.sum_uu, sign * other.sum_uu]
        merged = _merged(first, second, np.r_[self.n, sign * other.n], sums, self.periods)
        if (merged.n < 0).any():
            raise ValueError("more pairs are taken away than there are")
        return merged

    def touching(self) -> IntArray:
        """For each period how many pairs begin or end in it, (T,)."""
        return touching(self.first, self.second, self.n, self.periods)


def touching(first: IntArray, second: IntArray, n: IntArray, periods: int) -> IntArray:
    """For each period the sum of `n` (c,) over cells that begin or end in it, (T,)."""
    ends = np.bincount(first, n, periods) + np.bincount(second, n, periods)
    return ends.astype(np.int64)


def connected(first: IntArray, second: IntArray, periods: int) -> IntArray:
    """For each period the smallest period it is connected with by a chain of pairs, (T,), by union-find.

    Two periods with different answers have no index in common: a pseudo-inverse would invent one.
    """
    parent = list(range(periods))

    def root(period: int) -> int:
        while parent[period] != period:
            parent[period] = parent[parent[period]]
            period = parent[period]
        return period

    for cell in np.unique(first * periods + second).tolist():
        low, high = sorted((root(cell // periods), root(cell % periods)))
        parent[high] = low
    return np.array([root(period) for period in range(periods)], np.int64)


def _merged(first: IntArray, second: IntArray, n: IntArray, sums: tuple[FloatArray, FloatArray], periods: int) -> PairSums:
    """One row for each cell; cells without a pair are gone, and with them what rounding left in their sums."""
    cells, cell = np.unique(first * periods + second, return_inverse=True)
    counts = np.bincount(cell, n, len(cells)).astype(np.int64)
    kept = counts != 0
    u, uu = (np.bincount(cell, column, len(cells)).astype(np.float64)[kept] for column in sums)
    return PairSums(cells[kept] // periods, cells[kept] % periods, counts[kept], u, uu, periods)
