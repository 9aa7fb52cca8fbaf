"""What each lease has to do with each number of an index.

A log index number that is estimated in steps (windows spliced on to each other, years chained) is a sum over leases of weight × log rent.
Followed through all steps, the weights give its exact variance, whatever the leases that the steps share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.leases import Leases
from gridmgmt.rents.linear import Normal
from gridmgmt.rents.regression import Columns, Errors, clusters_of
from gridmgmt.rents.series import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Influence:
    """`weights` (T, T, q): for each number and each period of leases the parts of a lease's weight, which add up to it: for being of that
    period, of each community and stratum of `columns`, and for a unit of each attribute beyond its middle."""

    weights: FloatArray
    columns: Columns

    @classmethod
    def none(cls, periods: int, columns: Columns) -> "Influence":
        """No lease has to do with any number."""
        return cls(np.zeros((periods, periods, 1 + columns.size - columns.periods)), columns)

    def mean(self, numbers: IntArray) -> FloatArray:
        """Weights (T, q) of the mean of numbers."""
        return self.weights[numbers].mean(axis=0)

    def add(self, number: int, start: int, length: int, row: FloatArray) -> None:
        """Add to a number a combination of what a regression over the periods start..start+length−1 found.

        `row` (length + q − 1,): the combination times the regression's inverse.
        """
        self.weights[number, start : start + length, 0] += row[:length]
        self.weights[number, start : start + length, 1:] += row[length:]

    def covariance(self, normals: Sequence[Normal]) -> FloatArray:
        """Covariance (T, T) of the numbers in units of s², the variance of a lease, for leases with these normal equations by periods."""
        total = np.zeros((len(self.weights), len(self.weights)))
        for period, normal in enumerate(normals):
            if normal.n:
                weights = self.weights[:, period]
                total += weights @ normal.matrix @ weights.T
        return total

    def of_leases(self, leases: Leases, middle_x: FloatArray) -> FloatArray:
        """What each lease's log rent counts for in each number, (T, n)."""
        at = self.columns.places(leases.period, leases.community, leases.stratum)[:, 1:] - self.columns.periods + 1
        weights = self.weights[:, leases.period, 0]
        for dummy in at.T:
            weights = weights + self.weights[:, leases.period, dummy]
        for attribute, x in enumerate((leases.x - middle_x).T, self.weights.shape[2] - self.columns.attributes):
            weights += self.weights[:, leases.period, attribute] * x
        return weights

    def robust(self, leases: Leases, residuals: FloatArray, errors: Errors, middle_x: FloatArray) -> FloatArray:
        """Covariance (T, T) of the numbers from residuals (n,), Σ_g (Σ_i weight·e)², without a correction for a small sample."""
        total = np.zeros((len(self.weights), len(self.weights)))
        for places, starts in clusters_of(leases, errors, size=5_000):
            sums = np.add.reduceat(self.of_leases(leases.where(places), middle_x) * residuals[places], starts, axis=1)
            total += sums @ sums.T
        return total
