"""Additive sufficient statistics of leases: what a hedonic regression needs to know of them, and no lease.

One row for each cell (period, community, stratum). Rows of any area and any window add up to the area's own; a correction is a subtraction
and an addition. The regression of hedonic.py is solved from these sums alone and gives the same index and ordinary errors as the leases.
"""

from dataclasses import dataclass, replace

import numpy as np

from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over the leases of m cells with k attributes, in ascending order of (period, community, stratum), each cell once.

    `period`, `community`, `stratum`, `n` (m,); `sum_y`, `sum_yy` (m,) of the log rents; `sum_x`, `sum_xy` (m, k); `sum_xx` (m, k·(k+1)/2):
    the upper triangle of Σ x_k·x_l by rows, (0,0), (0,1) … (1,1), (1,2) … Raises ValueError when shapes differ or a period is out of range.
    """

    period: IntArray
    community: IntArray
    stratum: IntArray
    n: IntArray
    sum_y: FloatArray
    sum_yy: FloatArray
    sum_x: FloatArray
    sum_xy: FloatArray
    sum_xx: FloatArray
    periods: int

    def __post_init__(self) -> None:
        m = len(self.period)
        for name in ("community", "stratum", "n", "sum_y", "sum_yy"):
            if getattr(self, name).shape != (m,):
                raise ValueError(f"{name} has the shape {getattr(self, name).shape}, not ({m},)")
        if self.sum_x.ndim != 2 or len(self.sum_x) != m:
            raise ValueError(f"sum_x has the shape {self.sum_x.shape}, not ({m}, k)")
        k = self.sum_x.shape[1]
        if self.sum_xy.shape != (m, k) or self.sum_xx.shape != (m, k * (k + 1) // 2):
            raise ValueError(f"sum_xy and sum_xx do not fit {k} attributes of {m} cells")
        if m and not (self.period.min() >= 0 and self.period.max() < self.periods):
            raise ValueError(f"period is not within 0..{self.periods - 1}")

    @property
    def attributes(self) -> int:
        """How many attributes the sums are of: k."""
        return self.sum_x.shape[1]

    @property
    def counts(self) -> IntArray:
        """Leases in each period, (periods,)."""
        return np.rint(np.bincount(self.period, self.n, minlength=self.periods)).astype(np.int64)

    @classmethod
    def of(cls, leases: Leases) -> "Moments":
        """The sums of leases."""
        rows, columns = np.triu_indices(leases.x.shape[1])
        y, x = leases.y, leases.x
        keys, cell = _cells(leases.period, leases.community, leases.stratum)
        m = len(keys[0])

        def summed(weights: FloatArray) -> FloatArray:
            return np.bincount(cell, weights, minlength=m).astype(np.float64)

        return cls(
            *keys,
            n=np.bincount(cell, minlength=m),
            sum_y=summed(y),
            sum_yy=summed(y * y),
            sum_x=_stacked([summed(column) for column in x.T], m),
            sum_xy=_stacked([summed(column * y) for column in x.T], m),
            sum_xx=_stacked([summed(x[:, i] * x[:, j]) for i, j in zip(rows, columns, strict=True)], m),
            periods=leases.periods,
        )

    def __add__(self, other: "Moments") -> "Moments":
        """The sums of both; periods are counted from the same one. Raises ValueError when they have other attributes or periods."""
        return self._joined(other, 1)

    def __sub__(self, other: "Moments") -> "Moments":
        """The sums without those of the other; cells of no lease go. Raises ValueError when a cell would have fewer than none."""
        return self._joined(other, -1)

    def where(self, kept: BoolArray) -> "Moments":
        """The cells for which the mask `kept` (m,) holds."""
        return Moments(
            self.period[kept],
            self.community[kept],
            self.stratum[kept],
            self.n[kept],
            self.sum_y[kept],
            self.sum_yy[kept],
            self.sum_x[kept],
            self.sum_xy[kept],
            self.sum_xx[kept],
            self.periods,
        )

    def between(self, first: int, end: int) -> "Moments":
        """The cells of the periods first..end−1, which become 0..end−first−1."""
        inside = self.where((self.period >= first) & (self.period < end))
        return replace(inside, period=inside.period - first, periods=end - first)

    def _joined(self, other: "Moments", sign: int) -> "Moments":
        if (self.attributes, self.periods) != (other.attributes, other.periods):
            raise ValueError("moments of other attributes or periods do not add up")
        keys, cell = _cells(
            np.concatenate((self.period, other.period)),
            np.concatenate((self.community, other.community)),
            np.concatenate((self.stratum, other.stratum)),
        )

        def summed(own: FloatArray, others: FloatArray) -> FloatArray:
            total = np.zeros((len(keys[0]), *own.shape[1:]))
            np.add.at(total, cell[: len(own)], own)
            np.add.at(total, cell[len(own) :], sign * others)
            return total

        n = np.rint(summed(self.n.astype(float), other.n.astype(float))).astype(np.int64)
        if len(n) and n.min() < 0:
            raise ValueError("more leases are taken away than are there")
        joined = Moments(
            *keys,
            n=n,
            sum_y=summed(self.sum_y, other.sum_y),
            sum_yy=summed(self.sum_yy, other.sum_yy),
            sum_x=summed(self.sum_x, other.sum_x),
            sum_xy=summed(self.sum_xy, other.sum_xy),
            sum_xx=summed(self.sum_xx, other.sum_xx),
            periods=self.periods,
        )
        return joined.where(n > 0)


def _cells(period: IntArray, community: IntArray, stratum: IntArray) -> tuple[tuple[IntArray, IntArray, IntArray], IntArray]:
    """Each cell once in ascending order, and for each row the place of its cell."""
    communities = 1 + int(community.max(initial=0))
    strata = 1 + int(stratum.max(initial=0))
    codes, cell = np.unique((period * communities + community) * strata + stratum, return_inverse=True)
    rest, own_stratum = np.divmod(codes, strata)
    own_period, own_community = np.divmod(rest, communities)
    return (own_period, own_community, own_stratum), cell


def _stacked(columns: list[FloatArray], rows: int) -> FloatArray:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))
