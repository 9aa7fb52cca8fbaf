"""Indexes of areas from those of their parts: a Laspeyres index weighted by the value of the stock, up a tree, chained at links.

A part without a number in a period moves as its parent does, and that is told: it is never left out of the weights, which would let the
others speak for it unseen. Weights are moved on by prices between links, so that within a year the index is Σ N·p_t ÷ Σ N·p_0 exactly; at
a link, each January by default, new weights come in after that period's index has been formed from the old ones.
Sources: Consumer Price Index Manual (IMF 2020), chapters 6 (imputation from the parent, self-correcting) and 8 (higher-level indices);
Balk (2008), Price and Quantity Index Numbers; RPPI handbook (Eurostat 2013), chapter 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason, Series, contrast, errors_of


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Weights of m parts from links on: `values` (l, m), stock in m² × rent at the link, and `links` (l,), periods from 0 upwards.

    The first link is period 0. Raises ValueError for shapes, links or weights (negative, not finite) that are not so; EstimationError
    (no_stock) when a link's weights are all zero.
    """

    values: FloatArray
    links: IntArray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.links.shape != (len(self.values),):
            raise ValueError("one row of weights belongs to each link")
        if not len(self.links) or self.links[0] != 0 or (np.diff(self.links) <= 0).any():
            raise ValueError("links begin with period 0 and go upwards")
        if not (np.isfinite(self.values) & (self.values >= 0)).all():
            raise ValueError("a weight is negative or not finite")
        if not (self.values.sum(axis=1) > 0).all():
            raise EstimationError(Reason.NO_STOCK)

    @classmethod
    def fixed(cls, values: FloatArray) -> "Weights":
        """Weights (m,) for all time."""
        return cls(values[None, :], np.zeros(1, np.int64))


def januaries(periods: int, *, first_month: int = 1, per_year: int = 12) -> IntArray:
    """Links at period 0 and at each first period of a year, for a series that begins in month (or quarter) `first_month`, from 1."""
    months = np.arange(periods) + first_month - 1
    return np.union1d([0], np.flatnonzero(months % per_year == 0)).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Aggregated:
    """Indexes of a tree's a nodes over T periods.

    `relatives` (T, a): index of each period on the one before, 1 in the first. `values` (T, a): chained, 100 in the first; NaN from a
    period on in which no part of the whole tree had a number. `imputed` (T, a): whether the node moved as its parent did.
    """

    relatives: FloatArray
    values: FloatArray
    imputed: BoolArray


def aggregate(relatives: FloatArray, parents: IntArray, weights: Weights) -> Aggregated:
    """Aggregate relatives (T, m) of m leaves on the period before (NaN where none; the first row is not read) up a tree.

    Nodes are numbered leaves first and each before its parent; `parents` (a,) names each one's parent, the root, the last, is -1. Raises
    ValueError for a tree that is not so numbered.
    """
    return _Chain(relatives, parents, weights, levels=False).run()


def combine(parts: Sequence[Series], weights: Weights) -> Series:
    """Laspeyres index of m parts' series, such as a district of its subdistricts; period 0 = 100.

    A part that comes back after a gap is linked to where it was, not to where its parent carried it: what was imputed is corrected.
    Errors by the delta method through weights, imputations and links from the parts' covariances, the parts being independent; NaN when a
    part has none. Raises EstimationError (base_empty) when no part has a number in the first period, ValueError for parts of different
    lengths.
    """
    values = np.array([part.values for part in parts]).T
    if not np.isfinite(values[0]).any():
        raise EstimationError(Reason.BASE_EMPTY)
    covariances = [part.covariance for part in parts if part.covariance is not None]
    derived = len(covariances) == len(parts)
    chain = _Chain(values, np.r_[np.full(len(parts), len(parts)), -1], weights, levels=True, derived=derived)
    index = chain.run().values[:, -1]
    covariance = None
    errors = np.full(len(index), np.nan)
    if derived:
        covariance = np.zeros((len(index), len(index)))
        for part, known in enumerate(covariances):
            slopes = chain.slopes[:, part]
            covariance += slopes @ np.where(np.isfinite(known), known, 0.0) @ slopes.T
        covariance[np.isnan(index), :] = np.nan
        covariance[:, np.isnan(index)] = np.nan
        covariance = contrast(covariance, np.eye(len(index))[0])
        errors = errors_of(covariance)
    errors[0] = 0.0
    seen = [bool(np.isfinite(row).any()) for row in values]
    reasons = [None if np.isfinite(v) else Reason.DISCONNECTED if s else Reason.NO_OBSERVATIONS for v, s in zip(index, seen, strict=True)]
    counts = np.sum([part.counts for part in parts], axis=0)
    trimmed = np.sum([part.trimmed for part in parts], axis=0)
    return Series(index, errors, counts, trimmed, tuple(reasons), covariance)


class _Chain:
    """The state of a tree while it goes through the periods; with `derived`, derivatives of every logarithm by the leaves' too."""

    def __init__(self, rows: FloatArray, parents: IntArray, weights: Weights, *, levels: bool, derived: bool = False) -> None:
        self.rows, self.parents, self.weights, self.levels, self.derived = rows, parents, weights, levels, derived
        self.periods, self.leaves = rows.shape
        size = len(parents)
        inner = np.arange(self.leaves, size)
        if (
            size <= self.leaves
            or parents[-1] != -1
            or (parents[:-1] <= np.arange(size - 1)).any()
            or (parents[:-1] >= size).any()
            or not np.isin(inner, parents).all()
            or (parents[:-1] < self.leaves).any()
            or weights.values.shape[1] != self.leaves
        ):
            raise ValueError("nodes are numbered leaves first, each before its parent, the root last; weights are the leaves'")
        self.children = [np.flatnonzero(parents == node) for node in range(size)]
        parameters = (self.leaves, self.periods) if derived else (0, 0)
        self.weight = np.zeros(size)
        self.weight_by = np.zeros((size, *parameters))  # derivatives of ln weight
        self.carried = rows[0].copy()  # level at which each leaf stands, own or imputed
        self.carried_by = np.zeros((self.leaves, *parameters))
        if derived:
            self.carried_by[np.arange(self.leaves), np.arange(self.leaves), 0] = 1.0
        self.slopes = np.zeros((self.periods, *parameters))

    def run(self) -> Aggregated:
        size = len(self.parents)
        relatives, imputed = np.ones((self.periods, size)), np.zeros((self.periods, size), np.bool_)
        self._reweight(0)
        for period in range(1, self.periods):
            move, move_by = self._leaves(period)
            for node in range(self.leaves, size):
                self._up(node, move, move_by)
            for node in range(size - 2, -1, -1):
                if np.isnan(move[node]):
                    imputed[period, node] = np.isfinite(move[self.parents[node]])
                    move[node], move_by[node] = move[self.parents[node]], move_by[self.parents[node]]
            relatives[period] = move
            self._on(period, move, move_by)
        return Aggregated(relatives, 100 * np.cumprod(relatives, axis=0, dtype=np.float64), imputed)

    def _reweight(self, link: int) -> None:
        self.weight[: self.leaves] = self.weights.values[link]
        self.weight_by[: self.leaves] = 0.0
        self._add_up()

    def _add_up(self) -> None:
        for node in range(self.leaves, len(self.parents)):
            below = self.children[node]
            self.weight[node] = self.weight[below].sum()
            if self.derived and self.weight[node] > 0:
                self.weight_by[node] = np.tensordot(self.weight[below] / self.weight[node], self.weight_by[below], 1)

    def _leaves(self, period: int) -> tuple[FloatArray, FloatArray]:
        """Relatives of all nodes, those of inner nodes yet unknown, and their logarithms' derivatives."""
        move, move_by = np.full(len(self.parents), np.nan), np.zeros_like(self.weight_by)
        move[: self.leaves] = self.rows[period] / self.carried if self.levels else self.rows[period]
        if self.derived:
            move_by[: self.leaves] = -self.carried_by
            move_by[np.arange(self.leaves), np.arange(self.leaves), period] += 1.0
        return move, move_by

    def _up(self, node: int, move: FloatArray, move_by: FloatArray) -> None:
        below = self.children[node]
        below = below[np.isfinite(move[below]) & (self.weight[below] > 0)]
        if not len(below):
            return
        before, after = self.weight[below], self.weight[below] * move[below]
        move[node] = after.sum() / before.sum()
        if self.derived:
            old = np.tensordot(before / before.sum(), self.weight_by[below], 1)
            move_by[node] = np.tensordot(after / after.sum(), self.weight_by[below] + move_by[below], 1) - old

    def _on(self, period: int, move: FloatArray, move_by: FloatArray) -> None:
        moved = np.where(np.isfinite(move), move, 1.0)[: self.leaves]
        new = np.isnan(self.carried) & np.isfinite(self.rows[period])
        self.carried = np.where(new, self.rows[period], self.carried * moved)
        self.weight[: self.leaves] *= moved
        if self.derived:
            self.carried_by += move_by[: self.leaves]
            self.carried_by[new] = 0.0
            self.carried_by[new, new.nonzero()[0], period] = 1.0
            self.weight_by[: self.leaves] += move_by[: self.leaves]
            self.slopes[period] = self.slopes[period - 1] + move_by[-1]
        link = np.flatnonzero(self.weights.links == period)
        if len(link):
            self._reweight(int(link[0]))
        else:
            self._add_up()
