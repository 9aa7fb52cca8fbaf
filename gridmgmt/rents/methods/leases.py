"""Leases as the arithmetic sees them: columns of numbers.

Who asks for an index makes them from the observations: logarithms of rents, and codes instead of names.
"""

from dataclasses import dataclass, replace

import numpy as np

from gridmgmt.rents.methods.series import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Leases:
    """n leases 租赁 with k attributes over `periods` periods.

    `y` (n,): natural logarithm of the rent in yuan per m² and month. `period` (n,): 0..periods−1. `community`, `stratum` (n,): codes from 0
    on (the stratum joins use, class and new let). `x` (n, k): attributes, best counted from a usual value (floors above the third, years
    before 2000), so that sums of squares keep their digits. `unit`, `building` (n,): codes for pairs and clusters. `size` (n,): floor area
    in m², what a lease weighs where values count. Raises ValueError when shapes differ, a number is not finite or a code is out of range.
    """

    y: FloatArray
    period: IntArray
    community: IntArray
    stratum: IntArray
    x: FloatArray
    unit: IntArray
    building: IntArray
    size: FloatArray
    periods: int

    def __post_init__(self) -> None:
        n = len(self.y)
        for name in ("y", "period", "community", "stratum", "unit", "building", "size"):
            column = getattr(self, name)
            if column.shape != (n,):
                raise ValueError(f"{name} has the shape {column.shape}, not ({n},)")
            if not np.isfinite(column).all():
                raise ValueError(f"{name} is not finite everywhere")
        if self.x.ndim != 2 or len(self.x) != n:
            raise ValueError(f"x has the shape {self.x.shape}, not ({n}, k)")
        if not np.isfinite(self.x).all():
            raise ValueError("x is not finite everywhere")
        if self.periods < 1:
            raise ValueError("there is no period")
        if n and not (self.period.min() >= 0 and self.period.max() < self.periods):
            raise ValueError(f"period is not within 0..{self.periods - 1}")
        if n and min(self.community.min(), self.stratum.min()) < 0:
            raise ValueError("community and stratum are codes from 0 on")
        if n and self.size.min() <= 0:
            raise ValueError("size is not positive everywhere")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def counts(self) -> IntArray:
        """Leases in each period, (periods,)."""
        return np.bincount(self.period, minlength=self.periods)

    def where(self, kept: BoolArray | IntArray) -> "Leases":
        """The leases for which the mask `kept` (n,) holds, or those at the places it lists."""
        return replace(
            self,
            y=self.y[kept],
            period=self.period[kept],
            community=self.community[kept],
            stratum=self.stratum[kept],
            x=self.x[kept],
            unit=self.unit[kept],
            building=self.building[kept],
            size=self.size[kept],
        )

    def between(self, first: int, end: int) -> "Leases":
        """The leases of the periods first..end−1, which become 0..end−first−1."""
        inside = self.where((self.period >= first) & (self.period < end))
        return replace(inside, period=inside.period - first, periods=end - first)


def leases_of(
    y: FloatArray,
    period: IntArray,
    *,
    periods: int,
    community: IntArray | None = None,
    stratum: IntArray | None = None,
    x: FloatArray | None = None,
    unit: IntArray | None = None,
    building: IntArray | None = None,
    size: FloatArray | None = None,
) -> Leases:
    """Leases where what is not given is one community, one stratum, no attributes, a unit and a building for each lease, and 1 m²."""
    n = len(y)
    own, one = np.arange(n, dtype=np.int64), np.zeros(n, np.int64)
    return Leases(
        y=np.asarray(y, np.float64),
        period=np.asarray(period, np.int64),
        community=one if community is None else np.asarray(community, np.int64),
        stratum=one if stratum is None else np.asarray(stratum, np.int64),
        x=np.zeros((n, 0)) if x is None else np.asarray(x, np.float64),
        unit=own if unit is None else np.asarray(unit, np.int64),
        building=own if building is None else np.asarray(building, np.int64),
        size=np.ones(n) if size is None else np.asarray(size, np.float64),
        periods=periods,
    )
