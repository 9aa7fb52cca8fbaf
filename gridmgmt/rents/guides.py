"""Guidance rents of a district: what a typical unit of each area lets for at the end of a quarter.

One regression over the last twelve months gives what attributes are worth. Each community's own level is shrunk towards its subdistrict's,
that towards the district's. The stock of every area, let or not, is valued with it, so that what happened to be let makes no difference.
"""

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from sqlalchemy.orm import Session

from gridmgmt.rents.believed import standing
from gridmgmt.rents.methods.guidance import Band, Bands, Source, Stock, bands, predict
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Regression, regress
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason
from gridmgmt.rents.methods.shrinkage import Shrunk, moments, shrink
from gridmgmt.rents.methods.threads import one_thread
from gridmgmt.rents.observations import ATTRIBUTES, MEASURES, MICRO
from gridmgmt.rents.samples import Part, Sample, Span
from gridmgmt.rents.statistics import CLASSES, NUMBER, fetch
from gridmgmt.rents.tree import Tree

WINDOW: Final = 12
"""Months before the end whose leases speak."""
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
    sample: Sample,
    tree: Tree,
    dwellings: Dwellings,
    end: dt.date,
    *,
    band: Band | None = None,
    hidden: Places = frozenset(),
    silent: Places = frozenset(),
) -> Guides:
    """The guidance rents of all areas for the quarter before `end`, from the leases of the twelve months before it.

    An area's own number is of all leases in it and of its whole stock, whatever is hidden below it. What is said of the areas at the places
    `hidden` is made of what is told of others: communities have the spread of the nearest area around them that is not hidden and
    has leases, and are drawn towards its level; those that are also `silent`, and all areas without leases, stand at that level with their
    own stock. A subdistrict that is hidden or has too few leases for a band has the district's.
    """
    span = Span((end.year * 12 + end.month - 1) - WINDOW, WINDOW, "month")
    part = sample.part(tree.communities(0), span)
    try:
        regression = regress(Moments.of(part.leases))
    except EstimationError as error:
        return _none(tree, part, error.reason)
    lowest, own = tree.at("community"), part.leases
    place = _places(tree, lowest, own.community)
    levels, trend = _levels(regression, part)
    effects = _effects(tree, lowest, place, levels)
    stock = _stock(tree, lowest, dwellings, regression, part)
    usual = predict(stock, np.r_[regression.slopes, 1.0], trend, np.zeros(len(lowest)))
    wider = _wider(tree, lowest, usual, stock, effects)
    told = _told(tree, lowest, wider, effects, hidden=hidden, silent=silent)
    today = own.y - regression.fit.coefficients[own.period] + _latest(regression)
    speaking = ~np.isin(place, [at for at, one in enumerate(lowest) if one in hidden])
    spreads = _spreads(tree, lowest, place, today, hidden=hidden)
    low = bands(usual + told, today[speaking], place[speaking], spreads, band=band, stocked=np.isfinite(usual))
    wide = _wide_bands(wider, place, today, band, hidden=hidden)
    errors, factors, counts = np.full(len(tree.areas), np.nan), np.ones(len(tree.areas)), np.zeros(len(tree.areas), np.int64)
    errors[wider.places] = [effects.error(shares) for shares in wider.shares]
    errors[lowest] = [effects.error(one) for one in np.eye(len(lowest))]
    factors[lowest] = np.where(np.isin(lowest, list(silent)), 0.0, effects.own.factors)
    counts[wider.places], counts[lowest] = wider.n, effects.n
    return Guides(_joined([(wider.places, wide), (lowest, low)]), errors, factors, counts, part)


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
    """Numbers of leases and mean levels (c,) of the communities, these shrunk towards the levels of the p subdistricts they are in, `group`
    (c,), and those towards the district's, whose mean has the standard error `whole`.
    """

    n: IntArray
    mean: FloatArray
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


def _effects(tree: Tree, lowest: list[int], place: IntArray, levels: FloatArray) -> _Effects:
    """Levels of the communities, shrunk towards their subdistrict's, which are shrunk towards the district's."""
    n, mean, squares = _within(place, levels, len(lowest))
    parents, group = np.unique(tree.parents[lowest], return_inverse=True)
    total, middle, _ = _within(group[place], levels, len(parents))
    whole = float(levels.mean())
    spread = np.bincount(group, squares + n * (mean - middle[group]) ** 2, minlength=len(parents)).astype(np.float64)
    upper = _shrink(total, middle, np.full(len(parents), whole), spread)
    own = _shrink(n, mean, upper.estimates[group], squares, centred=mean - middle[group])
    around = float(((levels - whole) ** 2).sum()) / max(len(levels) - 1, 1)
    return _Effects(n, mean, own, group, upper, np.sqrt(around / len(levels)))


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


def _spreads(tree: Tree, lowest: list[int], place: IntArray, logs: FloatArray, *, hidden: Places) -> FloatArray:
    """Standard deviation of log rents within a community, pooled over its subdistrict, or over the district where that is thin or hidden.

    All leases of an area that is not hidden speak for its spread, as they do for its own band, and none of one that is: a hidden district
    has those of the communities that are not. NaN where there are too few.
    """
    n, _, squares = _within(place, logs, len(lowest))
    above = tree.parents[lowest]
    heard = ~np.isin(lowest, list(hidden)) if 0 in hidden else np.ones(len(lowest), np.bool_)
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
class _Wider:
    """The u areas above the communities, at `places` of the tree, the district first: the `shares` (u, c) of their stock that stand in each
    community, NaN for areas without any, their numbers of leases `n` (u,), and logarithms of the mean rent over their stock (u,): `usual`,
    were all communities alike, and their own.
    """

    places: list[int]
    members: BoolArray
    shares: FloatArray
    n: IntArray
    usual: FloatArray
    own: FloatArray

    @property
    def effects(self) -> FloatArray:
        """How much dearer each area is than it would be, were all communities alike, (u,)."""
        return self.own - self.usual


def _wider(tree: Tree, lowest: list[int], usual: FloatArray, stock: Stock, effects: _Effects) -> _Wider:
    """An area's rent is its communities' mean weighted by stock: it speaks though each of them is too thin to."""
    places = [at for at in range(len(tree.areas)) if at not in set(lowest)]
    ids = [tree.areas[one].id for one in lowest]
    members = np.array([np.isin(ids, tree.communities(at)) for at in places]).reshape(len(places), len(lowest))
    area = members * np.bincount(stock.cell, stock.area, minlength=len(lowest))
    total = area.sum(axis=1, keepdims=True)
    shares = area / np.where(total > 0, total, np.nan)
    rents = np.exp(np.where(np.isfinite(usual), usual, 0.0))
    own = np.log(shares @ (rents * np.exp(effects.own.estimates)))
    return _Wider(places, members, shares, members @ effects.n, np.log(shares @ rents), own)


def _told(tree: Tree, lowest: list[int], wider: _Wider, effects: _Effects, *, hidden: Places, silent: Places) -> FloatArray:
    """The effect that each community is told with, (c,), NaN where nobody around it may speak."""
    lent = np.full(len(lowest), wider.effects[0])
    if 0 in hidden:
        heard = np.where(np.isin(lowest, list(hidden)), 0, effects.n)
        lent[:] = (heard @ effects.mean) / heard.sum() if heard.any() else np.nan
    for at, inside, n, effect in zip(wider.places, wider.members, wider.n, wider.effects, strict=True):
        if at not in {0, *hidden} and n > 0:
            lent[inside] = effect
    drawn = lent + effects.own.factors * (effects.mean - lent)
    own = np.where(np.isin(tree.parents[lowest], list(hidden)), drawn, effects.own.estimates)
    return np.where((effects.n > 0) & ~np.isin(lowest, list(silent)), own, lent)


def _wide_bands(wider: _Wider, place: IntArray, logs: FloatArray, band: Band | None, *, hidden: Places) -> Bands:
    """Bands of the areas above the communities, as wide as all their leases are, whose log rents are `logs` (n,), or as the district's."""
    own = (wider.n > 0) & ~np.isin(wider.places, list(hidden - {0}))
    lent = np.nan if 0 in hidden else wider.effects[0]
    cell, row = np.nonzero(wider.members[:, place] & own[:, None])
    centre = np.where(own, wider.own, wider.usual + lent)
    found = bands(centre, logs[row], cell, np.full(len(own), np.nan), band=band, stocked=np.isfinite(wider.usual))
    sources, reasons = list(found.sources), list(found.reasons)
    for at in np.flatnonzero(np.isfinite(centre) & ~np.isfinite(found.median)):
        if 0 not in hidden and reasons[0] is None:
            found.median[at] = np.exp(centre[at])
            found.low[at], found.high[at] = (found.median[at] * side[0] / found.median[0] for side in (found.low, found.high))
            sources[at], reasons[at] = Source.PARENT, None
    return replace(found, sources=tuple(sources), reasons=tuple(reasons))


def _joined(parts: Sequence[tuple[list[int], Bands]]) -> Bands:
    """Bands of areas at some places, put together in the order of the places."""
    order = np.argsort(np.concatenate([places for places, _ in parts]))
    low, median, high = (np.concatenate([getattr(one, name) for _, one in parts])[order] for name in ("low", "median", "high"))
    sources, reasons = ([told for _, one in parts for told in getattr(one, name)] for name in ("sources", "reasons"))
    return Bands(low, median, high, tuple(sources[at] for at in order), tuple(reasons[at] for at in order))


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
