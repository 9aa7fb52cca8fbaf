"""The regression beneath the hedonic indices: y = d_t + c_community + s_stratum + x'b + e, fitted from sums.

Dummies stand in full, see linear.py; residuals and robust errors take one pass over the leases.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import sparse

from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.linear import Fit, Normal, sandwich, solve
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason


class Errors(StrEnum):
    """What the standard errors allow for."""

    ORDINARY = "ordinary"
    """Leases independent, of one variance."""
    HC1 = "hc1"
    """Leases independent, of any variance."""
    UNIT = "unit"
    """Leases of one unit go together."""
    BUILDING = "building"
    """Leases of one building go together."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What the p columns of the equations stand for: T periods, then `communities`, then `strata` (codes, ascending), then k attributes."""

    periods: int
    communities: IntArray
    strata: IntArray
    attributes: int

    @property
    def size(self) -> int:
        """How many columns there are: p."""
        return self.periods + len(self.communities) + len(self.strata) + self.attributes

    @property
    def attributes_from(self) -> int:
        """The place of the first attribute."""
        return self.size - self.attributes

    def places(self, period: IntArray, community: IntArray, stratum: IntArray) -> IntArray:
        """For each row the columns of its three dummies, (n, 3). A community or stratum that has no column gets another's: see `has`."""
        first, second = self.periods, self.periods + len(self.communities)
        return np.column_stack((period, first + self._at(self.communities, community), second + self._at(self.strata, stratum)))

    def has(self, community: IntArray, stratum: IntArray) -> BoolArray:
        """Whether both have a column, (n,)."""
        return np.isin(community, self.communities) & np.isin(stratum, self.strata)

    @staticmethod
    def _at(codes: IntArray, wanted: IntArray) -> IntArray:
        return np.minimum(np.searchsorted(codes, wanted), len(codes) - 1).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """A fitted time-dummy model. `middle_y` and `middle_x` (k,) were taken off first, so that squares keep their digits.

    `counts` (T,): leases it was made from.
    """

    columns: Columns
    normal: Normal
    fit: Fit
    middle_y: float
    middle_x: FloatArray
    counts: IntArray

    @property
    def slopes(self) -> FloatArray:
        """The attributes' coefficients b, (k,)."""
        return self.fit.coefficients[self.columns.attributes_from :]

    def predictions(self, leases: Leases) -> FloatArray:
        """Fitted log rents (n,); NaN for a period, community or stratum that the fit does not know."""
        columns, known = self.columns, self.fit.coefficients
        places = columns.places(leases.period, leases.community, leases.stratum)
        fitted = self.middle_y + known[places].sum(axis=1) + (leases.x - self.middle_x) @ self.slopes
        had = columns.has(leases.community, leases.stratum) & (self.counts[leases.period] > 0)
        return np.where(had, fitted, np.nan)

    def residuals(self, leases: Leases) -> FloatArray:
        """y − fitted, (n,); 0 where the fit knows nothing of the lease's period, community or stratum, so that nobody calls it an error."""
        return np.nan_to_num(leases.y - self.predictions(leases), nan=0.0)

    def covariance(self, leases: Leases, errors: Errors) -> FloatArray:
        """Covariance (p, p) of the coefficients; `leases` are those of the fit."""
        if errors is Errors.ORDINARY:
            return self.fit.covariance
        residuals = self.residuals(leases)
        meat, clusters = np.zeros((self.columns.size, self.columns.size)), 0
        for places, starts in clusters_of(leases, errors):
            scores = self._rows(leases.where(places)).multiply(residuals[places, None]).tocsr()
            ends = np.append(starts, len(places))
            sums = sparse.csr_array((np.ones(len(places)), np.arange(len(places)), ends), shape=(len(starts), len(places))) @ scores
            meat += np.asarray((sums.T @ sums).toarray(), np.float64)
            clusters += len(starts)
        return sandwich(self.fit, meat, clusters=None if errors is Errors.HC1 else clusters)

    def _rows(self, leases: Leases) -> "sparse.csr_array[np.float64]":
        columns = self.columns
        places = columns.places(leases.period, leases.community, leases.stratum)
        n, k = leases.x.shape
        at = np.hstack((places, np.broadcast_to(columns.attributes_from + np.arange(k), (n, k))))
        values = np.hstack((np.ones((n, 3)), leases.x - self.middle_x))
        return sparse.csr_array((values.ravel(), at.ravel(), np.arange(0, n * (k + 3) + 1, k + 3)), shape=(n, columns.size))


def regress(moments: Moments, columns: Columns | None = None, middle_x: FloatArray | None = None) -> Regression:
    """Fit the time-dummy model, with the columns of the cells and their own middle unless others are given.

    Raises EstimationError (no_observations).
    """
    n = float(moments.n.sum())
    if not n:
        raise EstimationError(Reason.NO_OBSERVATIONS)
    columns = columns or columns_of(moments)
    middle_y = float(moments.sum_y.sum() / n)
    middle = np.asarray(moments.sum_x.sum(axis=0) / n, np.float64) if middle_x is None else middle_x
    normal = normal_of(moments, columns, middle_y, middle)
    return Regression(columns, normal, solve(normal), middle_y, middle, moments.counts)


def by_periods(moments: Moments, columns: Columns, middle_y: float, middle_x: FloatArray) -> list[Normal]:
    """The normal equations of each period by itself, with one column for it and the same others: windows are put together from them."""
    alone = replace(columns, periods=1)
    return [normal_of(moments.between(period, period + 1), alone, middle_y, middle_x) for period in range(moments.periods)]


def joined(normals: Sequence[Normal], columns: Columns, middle_y: float, middle_x: FloatArray) -> Regression:
    """Fit the time-dummy model to periods that follow each other, of which these are the equations; `columns` are of as many periods.

    Raises EstimationError (no_observations).
    """
    periods = len(normals)
    matrix, right = np.zeros((columns.size, columns.size)), np.zeros(columns.size)
    for period, normal in enumerate(normals):
        matrix[period, period], right[period] = normal.matrix[0, 0], normal.right[0]
        matrix[period, periods:] = matrix[periods:, period] = normal.matrix[0, 1:]
        matrix[periods:, periods:] += normal.matrix[1:, 1:]
        right[periods:] += normal.right[1:]
    counts = np.array([normal.n for normal in normals], np.int64)
    whole = Normal(matrix, right, sum(normal.total for normal in normals), int(counts.sum()))
    return Regression(columns, whole, solve(whole), middle_y, middle_x, counts)


def clusters_of(leases: Leases, errors: Errors, *, size: int = 20_000) -> Iterator[tuple[IntArray, IntArray]]:
    """Leases by their clusters, in blocks of about `size`: the places of a block's leases, and where among these each cluster starts.

    A block ends with a cluster. Leases are clusters of their own unless `errors` names units or buildings.
    """
    own = {Errors.UNIT: leases.unit, Errors.BUILDING: leases.building}.get(errors, np.arange(len(leases)))
    order = np.lexsort((leases.y, leases.period, own))
    starts = np.flatnonzero(np.diff(own[order], prepend=own.min(initial=0) - 1))
    ends = np.append(starts[1:], len(order))
    first = 0
    while first < len(starts):
        last = min(int(np.searchsorted(ends, starts[first] + size)), len(starts) - 1)
        yield order[starts[first] : ends[last]], starts[first : last + 1] - starts[first]
        first = last + 1


def columns_of(moments: Moments) -> Columns:
    """The columns that the cells need."""
    return Columns(moments.periods, np.unique(moments.community), np.unique(moments.stratum), moments.attributes)


def normal_of(moments: Moments, columns: Columns, middle_y: float, middle_x: FloatArray) -> Normal:
    """The normal equations of the dummies and the attributes, with y and x counted from `middle_y` and `middle_x` (k,)."""
    size, dummies = columns.size, columns.attributes_from
    places = columns.places(moments.period, moments.community, moments.stratum)
    n = moments.n.astype(np.float64)
    y = moments.sum_y - n * middle_y
    x = moments.sum_x - n[:, None] * middle_x

    matrix, right = np.zeros((size, size)), np.zeros(size)
    for one in places.T:
        right[:dummies] += np.bincount(one, y, minlength=dummies)
        for other in places.T:
            matrix[:dummies, :dummies] += np.bincount(one * dummies + other, n, minlength=dummies * dummies).reshape(dummies, dummies)
        for attribute in range(moments.attributes):
            matrix[:dummies, dummies + attribute] += np.bincount(one, x[:, attribute], minlength=dummies)
    matrix[dummies:, :dummies] = matrix[:dummies, dummies:].T

    xx = np.zeros((moments.attributes, moments.attributes))
    xx[np.triu_indices(moments.attributes)] = moments.sum_xx.sum(axis=0)
    xx += np.triu(xx, 1).T
    sum_x, total = moments.sum_x.sum(axis=0), n.sum()
    shift = np.outer(middle_x, sum_x)
    matrix[dummies:, dummies:] = xx - shift - shift.T + total * np.outer(middle_x, middle_x)
    right[dummies:] = moments.sum_xy.sum(axis=0) - middle_x * moments.sum_y.sum() - middle_y * x.sum(axis=0)
    squares = moments.sum_yy.sum() - 2 * middle_y * moments.sum_y.sum() + total * middle_y**2
    return Normal(matrix, right, float(squares), int(moments.n.sum()))
