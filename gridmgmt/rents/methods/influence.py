"""What each lease has to do with each number of an index.

A log index number that is estimated in steps (windows spliced on to each other, years chained) is a sum over leases of weight × log rent.
Followed through all steps, the weights give its exact variance, whatever the leases that the steps share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular

from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.linear import Normal
from gridmgmt.rents.methods.regression import Columns, Errors, clusters_of
from gridmgmt.rents.methods.series import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """T numbers, each a mean of earlier ones and combinations of what regressions found.

    `shares` (T, T): which earlier numbers each is laid on. `terms`: for each combination its number, the first period of its regression,
    and the combination times the regression's inverse: a part for each of the periods, then one for each community, stratum and attribute.
    """

    columns: Columns
    shares: FloatArray
    terms: list[tuple[int, int, FloatArray, FloatArray]] = field(default_factory=list)

    @classmethod
    def none(cls, periods: int, columns: Columns) -> "Influence":
        """No lease has to do with any number."""
        return cls(columns, np.zeros((periods, periods)))

    def lay(self, number: int, earlier: IntArray) -> None:
        """Lay a number on the mean of earlier ones."""
        self.shares[number, earlier] = 1 / len(earlier)

    def add(self, number: int, start: int, length: int, row: FloatArray) -> None:
        """Add to a number a combination of what a regression over the periods start..start+length−1 found.

        `row` (length + q,): the combination times the regression's inverse.
        """
        self.terms.append((number, start, row[:length], row[length:]))

    def covariance(self, normals: Sequence[Normal]) -> FloatArray:
        """Covariance (T, T) of the numbers in units of s², the variance of a lease, for leases with these normal equations by periods."""
        among = np.zeros((len(self.terms), len(self.terms)))
        for period, normal in enumerate(normals):
            inside = [at for at, (_, start, own, _) in enumerate(self.terms) if start <= period < start + len(own)]
            if inside and normal.n:
                rows = np.array([np.append(own[period - start], rest) for _, start, own, rest in (self.terms[at] for at in inside)])
                among[np.ix_(inside, inside)] += rows @ normal.matrix @ rows.T
        return self._followed(among)

    def robust(self, leases: Leases, residuals: FloatArray, errors: Errors, middle_x: FloatArray) -> FloatArray:
        """Covariance (T, T) of the numbers from residuals (n,), Σ_g (Σ_i weight·e)², without a correction for a small sample."""
        periods = np.zeros((len(self.terms), leases.periods))
        inside = np.zeros((len(self.terms), leases.periods))
        for at, (_, start, own, _) in enumerate(self.terms):
            periods[at, start : start + len(own)] = own
            inside[at, start : start + len(own)] = 1.0
        rest = np.array([rest for *_, rest in self.terms]).reshape(len(self.terms), self.columns.size - self.columns.periods)
        among = np.zeros((len(self.terms), len(self.terms)))
        for places, starts in clusters_of(leases, errors, size=5_000):
            part = leases.where(places)
            at = self.columns.places(part.period, part.community, part.stratum)[:, 1:] - self.columns.periods
            weights = rest[:, at[:, 0]] + rest[:, at[:, 1]]
            weights += rest[:, rest.shape[1] - self.columns.attributes :] @ (part.x - middle_x).T
            weights = periods[:, part.period] + inside[:, part.period] * weights
            sums = np.add.reduceat(weights * residuals[places], starts, axis=1)
            among += sums @ sums.T
        return self._followed(among)

    def _followed(self, among: FloatArray) -> FloatArray:
        """The numbers' covariance (T, T) from that of the terms: numbers = shares·numbers + terms."""
        size = len(self.shares)
        own = np.zeros((size, len(self.terms)))
        own[[number for number, *_ in self.terms], np.arange(len(self.terms))] = 1.0
        through = solve_triangular(np.eye(size) - self.shares, own, lower=True, unit_diagonal=True)
        return through @ among @ through.T
