"""Guidance rents of a district: what a typical unit of each area lets for at the end of a quarter.

One regression over the last twelve months gives what attributes are worth. Each community's own level is shrunk towards its subdistrict's,
that towards the district's. The stock of every area, let or not, is valued with it, so that what happened to be let makes no difference.
"""

import datetime as dt
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
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

    What is said of the areas at the places `hidden` is made of what is told of others. Communities have their subdistrict's spread, or the
    district's where that one is hidden too, and their level is drawn towards that of the nearest area around them that is not. The leases
    of those that are also `silent` do not speak at all: their level is that area's. A subdistrict's level is the district's for its own
    stock, with the district's band.
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
    effects, everywhere = _effects(tree, lowest, place, levels, hidden=hidden, silent=silent)
    stock, worth = _stock(tree, lowest, dwellings, regression, part), np.r_[regression.slopes, 1.0]
    centre = predict(stock, worth, trend, effects.estimates)
    speaking = ~np.isin(place, [at for at, one in enumerate(lowest) if one in hidden])
    today = own.y - regression.fit.coefficients[own.period] + _latest(regression)
    heard = ~np.isin(place, [at for at, one in enumerate(lowest) if one in silent])
    lows = bands(centre, today[speaking], place[speaking], _spreads(tree, lowest, place[heard], levels[heard], hidden))
    area = np.bincount(_places(tree, lowest, dwellings.community), dwellings.area, minlength=len(lowest)).astype(np.float64)
    guides = _with_parents(tree, lows, area, effects, _Rents(lowest, place, today, part))
    plain = predict(stock, worth, trend, np.full(len(lowest), everywhere))
    veiled = {at: [lowest.index(child) for child in tree.children(at)] for at in tree.at("subdistrict") if at in hidden}
    return replace(guides, bands=_veiled(guides.bands, veiled, plain, area))


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


def _effects(tree: Tree, lowest: list[int], place: IntArray, levels: FloatArray, *, hidden: Places, silent: Places) -> tuple[Shrunk, float]:
    """Levels of the communities, shrunk towards their subdistrict's, which are shrunk towards the district's; and the district's.

    Children of a hidden subdistrict are shrunk towards the district, and where that is hidden too, towards the communities that are told.
    """
    n = np.bincount(place, minlength=len(lowest))
    mean = np.bincount(place, levels, minlength=len(lowest)) / np.maximum(n, 1)
    squares = np.bincount(place, (levels - mean[place]) ** 2, minlength=len(lowest)).astype(np.float64)
    above = np.array([tree.areas[one].parent for one in lowest])
    parents = np.unique(above)
    group = np.searchsorted(parents, above)
    heard = np.where(np.isin(lowest, list(silent)), 0, n)
    veiled = np.isin(above, list(hidden))
    counted = np.where(veiled, heard, n)
    total = np.bincount(group, counted, minlength=len(parents)).astype(np.int64)
    middle = np.bincount(group, counted * mean, minlength=len(parents)) / np.maximum(total, 1)
    every = np.where(np.isin(lowest, list(hidden)), 0, n) if 0 in hidden else n
    whole = float((every * mean).sum() / max(every.sum(), 1))
    inside = np.where(counted > 0, squares, 0.0) + counted * (mean - middle[group]) ** 2
    spread = np.bincount(group, inside, minlength=len(parents)).astype(np.float64)
    upper = _shrink(total, middle, np.full(len(parents), whole), spread)
    towards = np.where(veiled, whole, upper.estimates[group])
    centred = mean - np.where(veiled, whole, middle[group])
    return _shrink(heard, mean, towards, np.where(heard > 0, squares, 0.0), centred=centred), whole


def _shrink(n: IntArray, mean: FloatArray, parent: FloatArray, squares: FloatArray, *, centred: FloatArray | None = None) -> Shrunk:
    try:
        found = moments(n, mean if centred is None else centred, squares)
    except EstimationError:  # one cell, or no cell with two leases: nothing tells what is its own
        return shrink(n, mean, parent, between=0.0 if len(n) > 1 else 1.0, within=0.0)
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


def _spreads(tree: Tree, lowest: list[int], place: IntArray, levels: FloatArray, hidden: Places) -> FloatArray:
    """Standard deviation of log rents within a community, pooled over its subdistrict; over the district where that is thin or hidden."""
    n = np.bincount(place, minlength=len(lowest))
    mean = np.bincount(place, levels, minlength=len(lowest)) / np.maximum(n, 1)
    squares = np.bincount(place, (levels - mean[place]) ** 2, minlength=len(lowest))
    above = np.array([tree.areas[one].parent for one in lowest])
    everywhere = int((n - (n > 0)).sum())
    spread = np.full(len(lowest), np.sqrt(squares.sum() / everywhere) if everywhere >= LEAST else np.nan)
    for parent in np.unique(above):
        inside = above == parent
        freedom = int((n - (n > 0))[inside].sum())
        if freedom >= LEAST and parent not in hidden:
            spread[inside] = np.sqrt(squares[inside].sum() / freedom)
    return spread


@dataclass(frozen=True, slots=True, eq=False)
class _Rents:
    """Log rents of today (n,), the communities at the places `lowest` that they are from, (n,) places among these, and their leases."""

    lowest: list[int]
    place: IntArray
    logs: FloatArray
    part: Part


def _with_parents(tree: Tree, lows: Bands, area: FloatArray, effects: Shrunk, rents: _Rents) -> Guides:
    """Bands of all areas: a parent's median is its communities' mean weighted by stock, its width that of all its leases."""
    lowest, place, logs = rents.lowest, rents.place, rents.logs
    size = len(tree.areas)
    centre, errors, factors, counts = np.full(size, np.nan), np.full(size, np.nan), np.ones(size), np.zeros(size, np.int64)
    upper = [at for at in range(size) if at not in set(lowest)]
    members = {at: np.flatnonzero(np.isin([tree.areas[one].id for one in lowest], tree.communities(at))) for at in upper}
    for at, inside in members.items():
        known = inside[np.isfinite(lows.median[inside]) & (area[inside] > 0)]
        counts[at] = np.isin(place, inside).sum()
        if len(known):
            shares = area[known] / area[known].sum()
            centre[at] = np.log((shares * lows.median[known]).sum())
            errors[at] = np.sqrt((shares**2 * effects.errors[known] ** 2).sum())
    belongs = np.concatenate([np.isin(place, inside) for inside in members.values()]) if members else np.zeros(0, np.bool_)
    cell = np.repeat(np.arange(len(upper)), len(place))[belongs]
    wide = bands(centre[upper], np.tile(logs, len(upper))[belongs], cell, np.full(len(upper), np.nan))
    low, median, high = (np.full(size, np.nan) for _ in range(3))
    sources: list[Any] = [None] * size
    reasons: list[Any] = [None] * size
    for places, found in ((upper, wide), (lowest, lows)):
        low[places], median[places], high[places] = found.low, found.median, found.high
        for at, source, reason in zip(places, found.sources, found.reasons, strict=True):
            sources[at], reasons[at] = source, reason
    errors[lowest], factors[lowest] = effects.errors, effects.factors
    counts[lowest] = np.bincount(place, minlength=len(lowest))
    return Guides(Bands(low, median, high, tuple(sources), tuple(reasons)), errors, factors, counts, rents.part)


def _veiled(told: Bands, members: dict[int, list[int]], centre: FloatArray, area: FloatArray) -> Bands:
    """Bands in which those of hidden subdistricts, with their communities among the lowest, are the district's for their own stock.

    `centre`, `area`: log rent of the communities' stock at the district's level, and its floor area.
    """
    low, median, high = (column.copy() for column in (told.low, told.median, told.high))
    for at, inside in members.items():
        known = [one for one in inside if np.isfinite(centre[one]) and area[one] > 0]
        if told.reasons[at] is None and known:
            median[at] = np.average(np.exp(centre[known]), weights=area[known])
            low[at], high[at] = (median[at] * side / told.median[0] for side in (told.low[0], told.high[0]))
    return Bands(low, median, high, told.sources, told.reasons)


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
