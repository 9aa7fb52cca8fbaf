"""Guidance rents of a district: what a typical unit of each area lets for at the end of a quarter.

One regression over the last twelve months gives what attributes are worth. Each community's own level is shrunk towards its subdistrict's,
that towards the district's. The stock of every area, let or not, is valued with it, so that what happened to be let makes no difference.
"""

import datetime as dt
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy.orm import Session

from gridmgmt.rents.believed import standing
from gridmgmt.rents.methods.guidance import Bands, Stock, bands, predict
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Regression, regress
from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason
from gridmgmt.rents.methods.shrinkage import Shrunk, moments, shrink
from gridmgmt.rents.methods.threads import one_thread
from gridmgmt.rents.observations import ATTRIBUTES, MEASURES, MICRO
from gridmgmt.rents.samples import Part, Sample, Span
from gridmgmt.rents.statistics import CLASSES, NUMBER, fetch
from gridmgmt.rents.tree import Tree

PARAMETERS: Final = {"window_months": 12, "low": 0.2, "high": 0.8}
Places = AbstractSet[int]
LEAST: Final = 10
"""Leases from which a spread is known."""
RECORD: Final = np.dtype([("fields", ">i2"), ("community", NUMBER), ("class_", NUMBER), ("x", NUMBER, (len(ATTRIBUTES),))])
MEASURED: Final = ", ".join(f"round(({MEASURES[name]}) * {MICRO})::bigint" for name in ATTRIBUTES)


@dataclass(frozen=True, slots=True, eq=False)
class Dwellings:
    """N units of a use that stand, let or not: ids of communities, places in CLASSES, and attributes (N, 10) as for a lease of a year."""

    community: IntArray
    class_: IntArray
    x: FloatArray

    @property
    def area(self) -> FloatArray:
        """Floor area in m², (N,)."""
        return 50 * np.exp(self.x[:, 0])


@dataclass(frozen=True, slots=True, eq=False)
class Guides:
    """Guidance rents of the a areas of a tree, in its order: bands, and of each the error of its logarithm, the weight of its own leases
    and their number.
    """

    bands: Bands
    errors: FloatArray
    factors: FloatArray
    counts: IntArray
    part: Part


def load_dwellings(session: Session, use: str, day: dt.date, cut: dt.datetime) -> Dwellings:
    """The stock of a use as it stood at a data cut, with attributes as on `day`."""
    query = f"""
        SELECT d.community_id::bigint, array_position(%(classes)s::text[], b.nature)::bigint - 1, {MEASURED}
          FROM {standing("%(cut)s")}
         CROSS JOIN LATERAL (SELECT u.area_m2, 1 AS rent_fen, %(day)s::date AS begins, %(day)s::date + 365 AS ends) o
         WHERE u.use = %(use)s"""  # noqa: S608 -- words of this package only
    values: dict[str, Any] = {"classes": list(CLASSES), "use": use, "day": day, "cut": cut}
    told = fetch(session, query, values, RECORD)
    x = told["x"]["value"].astype(np.int64)
    community, class_ = (told[name]["value"].astype(np.int64) for name in ("community", "class_"))
    order = np.lexsort((*x.T, class_, community))
    return Dwellings(community[order], class_[order], (x / MICRO)[order])


@one_thread()
def guide(
    sample: Sample, tree: Tree, dwellings: Dwellings, end: dt.date, *, hidden: Places = frozenset(), silent: Places = frozenset()
) -> Guides:
    """The guidance rents of all areas for the quarter before `end`, from the leases of the twelve months before it.

    The bands of communities at the places `hidden` have their subdistrict's spread. The leases of those that are also `silent` do not speak
    for them at all: their level is their subdistrict's too. They do speak for the areas above that are not hidden.
    """
    window = int(PARAMETERS["window_months"])
    span = Span((end.year * 12 + end.month - 1) - window, window, "month")
    part = sample.part(tree.communities(0), span)
    try:
        regression = regress(Moments.of(part.leases))
    except EstimationError as error:
        return _none(tree, part, error.reason)
    lowest, own = tree.at("community"), part.leases
    place = _places(tree, lowest, own.community)
    levels, trend = _levels(regression, part)
    effects = _effects(tree, lowest, place, levels, hidden=hidden, silent=silent)
    centre = predict(_stock(tree, lowest, dwellings, regression, part), np.r_[regression.slopes, 1.0], trend, effects.own.estimates)
    speaking = ~np.isin(place, [at for at, one in enumerate(lowest) if one in hidden])
    today = own.y - regression.fit.coefficients[own.period] + _latest(regression)
    spreads = _spreads(tree, lowest, place, today, hidden=hidden, silent=silent)
    lows = bands(centre, today[speaking], place[speaking], spreads)
    area = np.bincount(_places(tree, lowest, dwellings.community), dwellings.area, minlength=len(lowest)).astype(np.float64)
    return _with_parents(tree, _Low(lowest, lows, centre, area), effects, _Rents(place, today, part), hidden=hidden)


def _levels(regression: Regression, part: Part) -> tuple[FloatArray, float]:
    """For each lease what its community must explain, (n,), and the level of a unit with usual attributes in the last three months."""
    leases, columns, known = part.leases, regression.columns, regression.fit.coefficients
    places = columns.places(leases.period, leases.community, leases.stratum)
    others = known[places[:, 0]] + known[places[:, 2]] + (leases.x - regression.middle_x) @ regression.slopes
    return leases.y - regression.middle_y - others, regression.middle_y + _latest(regression) - float(
        regression.middle_x @ regression.slopes
    )


def _latest(regression: Regression) -> float:
    """The time effect at the end: the mean over the last three months that have leases."""
    seen = np.flatnonzero(regression.counts > 0)[-3:]
    return float(regression.fit.coefficients[seen].mean())


@dataclass(frozen=True, slots=True, eq=False)
class _Effects:
    """Levels of the c communities, shrunk towards those of the p subdistricts they are in, `group` (c,), and these towards the district's,
    whose mean has the standard error `whole`.
    """

    own: Shrunk
    group: IntArray
    upper: Shrunk
    whole: float

    def error(self, shares: FloatArray) -> float:
        """Standard error of the mean of the communities by `shares` (c,), which add up to one: what is not a community's own is its
        subdistrict's, and what is not the subdistrict's own the district's.
        """
        borrowed = np.bincount(self.group, shares * (1 - self.own.factors), minlength=len(self.upper.errors))
        apart = (shares**2) @ (self.own.errors**2) + (borrowed**2) @ (self.upper.errors**2)
        return float(np.sqrt(apart + (borrowed @ (1 - self.upper.factors)) ** 2 * self.whole**2))


def _effects(tree: Tree, lowest: list[int], place: IntArray, levels: FloatArray, *, hidden: Places, silent: Places) -> _Effects:
    """Levels of the communities, shrunk towards their subdistrict's, which are shrunk towards the district's.

    What a hidden parent's children are shrunk towards has not heard the silent ones: it would show what is hidden.
    """
    n, mean, squares = _within(place, levels, len(lowest))
    above = tree.parents[lowest]
    parents = np.unique(above)
    group = np.searchsorted(parents, above)
    heard = np.where(np.isin(lowest, list(silent)), 0, n)
    counted = np.where(np.isin(above, list(hidden)), heard, n)
    total = np.bincount(group, counted, minlength=len(parents)).astype(np.int64)
    middle = np.bincount(group, counted * mean, minlength=len(parents)) / np.maximum(total, 1)
    every = heard if 0 in hidden else n
    whole = float((every * mean).sum() / max(every.sum(), 1))
    inside = np.where(counted > 0, squares, 0.0) + counted * (mean - middle[group]) ** 2
    spread = np.bincount(group, inside, minlength=len(parents)).astype(np.float64)
    upper = _shrink(total, middle, np.full(len(parents), whole), spread)
    own = _shrink(heard, mean, upper.estimates[group], np.where(heard > 0, squares, 0.0), centred=mean - middle[group])
    around = float(np.where(every > 0, squares, 0.0).sum() + (every * (mean - whole) ** 2).sum())
    return _Effects(own, group, upper, np.sqrt(around / max(every.sum() - 1, 1) / max(every.sum(), 1)))


def _shrink(n: IntArray, mean: FloatArray, parent: FloatArray, squares: FloatArray, *, centred: FloatArray | None = None) -> Shrunk:
    try:
        found = moments(n, mean if centred is None else centred, squares)
    except EstimationError:  # one cell, or no cell with two leases: nothing tells what is its own
        return shrink(n, mean, parent, between=0.0, within=0.0)
    return shrink(n, mean, parent, between=found.between, within=found.within)


def _stock(tree: Tree, lowest: list[int], dwellings: Dwellings, regression: Regression, part: Part) -> Stock:
    """The stock by communities; beside the attributes stands what its class is worth, averaged over new lets and renewals as they occur."""
    columns = regression.columns
    worth = regression.fit.coefficients[columns.periods + len(columns.communities) : columns.attributes_from]
    stratum = np.searchsorted(columns.strata, part.leases.stratum)
    n = np.bincount(stratum, minlength=len(columns.strata))
    by_class = np.full(len(CLASSES), float((n * worth).sum() / n.sum()))
    for class_ in np.unique(columns.strata // 2):
        mine = columns.strata // 2 == class_
        by_class[class_] = (n * worth)[mine].sum() / n[mine].sum()
    return Stock(np.column_stack((dwellings.x, by_class[dwellings.class_])), _places(tree, lowest, dwellings.community), dwellings.area)


def _spreads(tree: Tree, lowest: list[int], place: IntArray, logs: FloatArray, *, hidden: Places, silent: Places) -> FloatArray:
    """Standard deviation of log rents within a community, pooled over its subdistrict, or over the district where that is thin or hidden.

    All leases of an area that is not hidden speak for its spread, as they do for its own band, and none of one that is. A hidden district
    has those that are not silent. NaN where there are too few.
    """
    n, _, squares = _within(place, logs, len(lowest))
    above = tree.parents[lowest]
    heard = ~np.isin(lowest, list(silent)) if 0 in hidden else np.ones(len(lowest), np.bool_)
    spread = np.full(len(lowest), _pooled(n[heard], squares[heard]))
    for parent in set(above.tolist()) - hidden:
        own = _pooled(n[above == parent], squares[above == parent])
        if np.isfinite(own):
            spread[above == parent] = own
    return spread


def _within(cell: IntArray, logs: FloatArray, cells: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Numbers, means and sums of squares about them, (cells,) each, of logarithms (n,) in cells (n,)."""
    n = np.bincount(cell, minlength=cells)
    mean = np.bincount(cell, logs, minlength=cells) / np.maximum(n, 1)
    return n, mean, np.bincount(cell, (logs - mean[cell]) ** 2, minlength=cells).astype(np.float64)


def _pooled(n: IntArray, squares: FloatArray) -> float:
    """Standard deviation within cells of `n` (c,) leases with `squares` (c,) about their means; NaN where too few know of it."""
    freedom = int((n - (n > 0)).sum())
    return float(np.sqrt(squares.sum() / freedom)) if freedom >= LEAST else np.nan


@dataclass(frozen=True, slots=True, eq=False)
class _Low:
    """The communities at the places `lowest`: their bands, the logarithms that these lie around, and their stock in m², (c,) each."""

    lowest: list[int]
    bands: Bands
    centre: FloatArray
    area: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Rents:
    """The n leases: their communities' places among the lowest, their log rents as of today, (n,) each, and all that is known of them."""

    place: IntArray
    logs: FloatArray
    part: Part


def _with_parents(tree: Tree, low: _Low, effects: _Effects, rents: _Rents, *, hidden: Places) -> Guides:
    """Bands of all areas: a parent's median is its communities' mean weighted by stock, its width that of all its leases.

    A parent speaks though each of its communities is too thin to: its number is of all its leases. One without enough of them has the
    spread within the subdistricts of the district, unless that is hidden.
    """
    size, lowest, place = len(tree.areas), low.lowest, rents.place
    centre, errors, factors, counts = np.full(size, np.nan), np.full(size, np.nan), np.ones(size), np.zeros(size, np.int64)
    upper = [at for at in range(size) if at not in set(lowest)]
    members = {at: np.isin([tree.areas[one].id for one in lowest], tree.communities(at)) for at in upper}
    for at, inside in members.items():
        known = inside & np.isfinite(low.centre) & (low.area > 0)
        counts[at] = inside[place].sum()
        if known.any():
            shares = np.where(known, low.area, 0.0) / low.area[known].sum()
            centre[at] = np.log((shares[known] * np.exp(low.centre[known])).sum())
            errors[at] = effects.error(shares)
    cell, row = np.nonzero(np.array([inside[place] for inside in members.values()]).reshape(len(upper), len(place)))
    n, _, squares = _within(effects.group[place], rents.logs, len(effects.upper.errors))
    around = np.nan if 0 in hidden else _pooled(n, squares)
    wide = bands(centre[upper], rents.logs[row], cell, np.where(tree.parents[upper] == 0, around, np.nan))
    low_, median, high = (np.full(size, np.nan) for _ in range(3))
    sources: list[Any] = [None] * size
    reasons: list[Any] = [None] * size
    for places, found in ((upper, wide), (lowest, low.bands)):
        low_[places], median[places], high[places] = found.low, found.median, found.high
        for at, source, reason in zip(places, found.sources, found.reasons, strict=True):
            sources[at], reasons[at] = source, reason
    errors[lowest] = [effects.error(one) for one in np.eye(len(lowest))]
    factors[lowest] = effects.own.factors
    counts[lowest] = np.bincount(place, minlength=len(lowest))
    return Guides(Bands(low_, median, high, tuple(sources), tuple(reasons)), errors, factors, counts, rents.part)


def _places(tree: Tree, lowest: list[int], communities: IntArray) -> IntArray:
    """For each community's id its place among `lowest`."""
    ids = np.array([tree.areas[one].id for one in lowest], np.int64)
    order = np.argsort(ids)
    return order[np.searchsorted(ids[order], communities)]


def _none(tree: Tree, part: Part, reason: Reason) -> Guides:
    size = len(tree.areas)
    empty = np.full(size, np.nan)
    told = Bands(empty, empty, empty, (None,) * size, (reason,) * size)
    return Guides(told, empty, np.zeros(size), np.zeros(size, np.int64), part)
