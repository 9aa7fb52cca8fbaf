"""The index of a whole district: of each subdistrict by its own leases, of the district by theirs, of communities by borrowing.

Subdistricts are estimated by themselves, with the default method. The district is their Laspeyres aggregate by the value of the stock,
chained each January. A community has too few leases to move by itself: it moves as its subdistrict does, times its own deviation from it,
shrunk by how much is known of it; then children are scaled so that weighted by their stock they are their parent again.

What a run computes is one thing, what is published another: communities that lean on a subdistrict give its number away. Published ones
lean on the nearest area around them whose own number is told.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from gridmgmt.rents.catalogue import DEFAULT, METHODS, Parameters
from gridmgmt.rents.material import Material, estimate
from gridmgmt.rents.methods.aggregation import Weights, combine
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Regression, regress
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason, Series
from gridmgmt.rents.methods.shrinkage import benchmark, moments, shrink
from gridmgmt.rents.methods.threads import one_thread
from gridmgmt.rents.samples import Floorspace, Lets, Part, Sample, Span
from gridmgmt.rents.tree import Tree


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """An area's series with its own leases; `factors` (T,): how much of the number is its own, 1 where all of it."""

    series: Series
    part: Part
    factors: FloatArray


def nothing(part: Part, reason: Reason) -> Series:
    """A series without a single number."""
    counts = part.leases.counts
    empty = np.full(part.leases.periods, np.nan)
    reasons = tuple(reason if count else Reason.NO_OBSERVATIONS for count in counts)
    return Series(empty, empty, counts, part.trimmed, reasons)


def series_of_part(material: Material, method: str, parameters: Parameters) -> Series:
    """The series of a method with what was trimmed; where nothing can be estimated at all, one of reasons.

    An area without leases in the first periods begins, and has its base, where it has the first one.
    """
    part, span = material.part, material.span
    begins = int(np.argmax(part.leases.counts > 0))
    later = replace(part, leases=part.leases.between(begins, span.periods), trimmed=part.trimmed[begins:])
    try:
        series = estimate(replace(material, part=later, span=span.since(begins)), method, parameters)
    except EstimationError as error:
        return nothing(part, error.reason)
    return _begun_later(replace(series, counts=later.leases.counts, trimmed=later.trimmed), begins, part.trimmed)


def _begun_later(series: Series, begins: int, trimmed: IntArray) -> Series:
    """A series with `begins` periods before it that have no number."""
    covariance = None if series.covariance is None else np.pad(series.covariance, ((begins, 0), (begins, 0)), constant_values=np.nan)
    values, errors = (np.pad(column, (begins, 0), constant_values=np.nan) for column in (series.values, series.errors))
    reasons = (Reason.NO_OBSERVATIONS,) * begins + series.reasons
    return Series(values, errors, np.pad(series.counts, (begins, 0)), trimmed, reasons, covariance)


@one_thread()
def tree_index(sample: Sample, tree: Tree, floorspace: Floorspace, span: Span, lets: Lets) -> list[Local]:
    """The series of every area of the tree, in its order; communities for quarters only, they are too thin for months."""
    found: dict[int, Local] = {}
    middle = tree.at("subdistrict")
    for place in middle:
        part = sample.part(tree.communities(place), span, lets)
        series = series_of_part(Material(part, span, floorspace), DEFAULT, METHODS[DEFAULT].parameters)
        found[place] = Local(series, part, np.ones(span.periods))
    for place in tree.at("district"):
        part = sample.part(tree.communities(place), span, lets)
        found[place] = Local(
            _combined(tree, span, {child: found[child] for child in tree.children(place)}, floorspace, part), part, np.ones(span.periods)
        )
    if span.frequency == "quarter":
        for place in middle:
            parts = {child: sample.part(tree.communities(child), span, lets) for child in tree.children(place)}
            found.update(_communities(tree, place, found[place], floorspace, parts))
    return [found[place] for place in sorted(found)]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What may be told of an area's movement, (T,) each: `values`, index numbers, and `errors`; `along`: the place of the area whose own
    number it is, the area itself or the nearest around it of which one is told; −1 where there is none, and no number.
    """

    values: FloatArray
    errors: FloatArray
    along: IntArray


def lean(tree: Tree, locals_: Sequence[Local], own: BoolArray) -> list[Shown]:
    """What may be told of each area's movement, in the tree's order; `own` (a, T): whose own number is told, and when.

    Whoever is not told moves as the area that it leans on does since its own base. Where that area's number of the base is not told
    either, it stands at that area's number.
    """
    made: list[Shown] = []
    for place, local in enumerate(locals_):
        series, around = local.series, tree.areas[place].parent
        along = np.where(own[place], place, made[around].along if around >= 0 else -1)
        values, errors = (np.where(own[place], column, np.nan) for column in (series.values, series.errors))
        base = int(np.argmax(np.isfinite(series.values)))
        for other in np.unique(along[(along >= 0) & (along != place)]).tolist():
            theirs, here = locals_[other].series, along == other
            first = int(np.argmax(np.isfinite(theirs.values)))
            start = theirs.values[base] if own[other, base] or base == first else np.nan
            values[here] = theirs.values[here] * (100 / start if np.isfinite(start) else 1.0)
            errors[here] = theirs.errors[here]
        if np.isfinite(series.values[base]):
            values[base] = 100.0  # so it is everywhere, and says nothing
        made.append(Shown(values, errors, along))
    return made


@one_thread()
def hushed(
    tree: Tree, locals_: Sequence[Local], floorspace: Floorspace, silent: AbstractSet[tuple[int, int]], shown: Sequence[Shown]
) -> list[Local]:
    """The quarterly series anew, communities leaning on what is `shown` of their subdistricts, and with nothing in them of the leases of
    `silent`: places of communities and periods.

    Where all of an area speaks and its own numbers are told, its series are what they were.
    """
    found = dict(enumerate(locals_))
    quiet = {at for at, _ in silent}
    for place in tree.at("subdistrict"):
        children = tree.children(place)
        if quiet.intersection(children) or (shown[place].along != place).any():
            parts = {child: locals_[child].part for child in children}
            found.update(_communities(tree, place, found[place], floorspace, parts, silent=silent, shown=shown[place]))
    return [found[place] for place in sorted(found)]


def _combined(tree: Tree, span: Span, children: dict[int, Local], floorspace: Floorspace, part: Part) -> Series:
    """The district by its subdistricts: weights are stock × mean rent at each link, that of all leases brought there by the index."""
    below = {child: local for child, local in children.items() if len(local.part.leases)}
    if not below:
        return nothing(part, Reason.NO_OBSERVATIONS)
    values = np.array([local.series.values for local in below.values()])
    stock = np.array([floorspace.of(tree.communities(child)) for child in below])
    level = np.array([_base_rent(local) for local in below.values()])
    begins = int(np.argmax(np.isfinite(values).any(axis=0)))
    later = span.since(begins)
    first = later.first % 12 // (12 // span.per_year)
    links = np.array([t for t in range(later.periods) if t == 0 or (t + first) % span.per_year == 0], np.int64)
    carried = _filled(values)[:, begins:]
    try:
        weights = Weights(stock * level * carried[:, links].T, links)
        series = _begun_later(combine([_begun(local.series, begins) for local in below.values()], weights), begins, part.trimmed)
    except EstimationError as error:
        return nothing(part, error.reason)
    told = zip(*(local.series.reasons for local in below.values()), strict=True)
    reasons = tuple(
        None if np.isfinite(value) else next((one for one in theirs if one not in {None, Reason.NO_OBSERVATIONS}), own)
        for value, own, theirs in zip(series.values, series.reasons, told, strict=True)
    )
    return replace(series, counts=part.leases.counts, trimmed=part.trimmed, reasons=reasons)


def _filled(values: FloatArray) -> FloatArray:
    """Index numbers (m, T), those that are missing standing where the last one stood, or at 100 before the first."""
    last = np.maximum.accumulate(np.where(np.isfinite(values), np.arange(values.shape[1]), -1), axis=1)
    return np.where(last < 0, 100.0, np.take_along_axis(values, np.maximum(last, 0), axis=1))


def _base_rent(local: Local) -> float:
    """Geometric mean rent in yuan per m² and month when the index is 100: rents of all periods, each divided by its index."""
    leases, logs = local.part.leases, local.series.logs
    moved = leases.y - logs[leases.period]
    known = np.isfinite(moved)
    return float(np.exp(moved[known].mean() if known.any() else leases.y.mean()))


def _begun(series: Series, begins: int) -> Series:
    """A series from a period on."""
    covariance = None if series.covariance is None else series.covariance[begins:, begins:]
    counts, trimmed = series.counts[begins:], series.trimmed[begins:]
    return Series(series.values[begins:], series.errors[begins:], counts, trimmed, series.reasons[begins:], covariance)


def _communities(
    tree: Tree,
    place: int,
    parent: Local,
    floorspace: Floorspace,
    parts: dict[int, Part],
    *,
    silent: AbstractSet[tuple[int, int]] = frozenset(),
    shown: Shown | None = None,
) -> dict[int, Local]:
    """The communities of a subdistrict: its movement times their own shrunk deviations; of the leases of `silent` they know nothing.

    Where another movement than its own is `shown` of the subdistrict it is that from which they deviate, and they are not scaled to it.
    """
    whole = parent.series
    told = Shown(whole.values, whole.errors, np.full(whole.periods, place)) if shown is None else shown
    children = tree.children(place)
    ids = np.array([tree.areas[child].id for child in children], np.int64)
    known = np.isfinite(whole.values) & np.isfinite(told.values)
    if not known.any():
        return {child: Local(nothing(part, Reason.NO_PARENT), part, np.zeros(parent.series.periods)) for child, part in parts.items()}
    quiet = np.zeros((parent.series.periods, len(children)), np.bool_)
    for at, child in enumerate(children):
        quiet[[period for where, period in silent if where == child], at] = True
    own = parent.part.leases
    base = int(np.argmax(known))
    lent = np.where(told.along == place, np.nan, np.log(told.values / 100))
    n, mean, within = _deviations(own.where(~quiet[own.period, np.searchsorted(ids, own.community)]), ids, lent, base)
    deviations, factors, errors = _shrunk(n, mean, within)
    logs = np.log(told.values / 100)[:, None] + deviations - deviations[base]
    levels = 100 * np.exp(logs)
    stock = np.array([floorspace.of(np.array([one])) for one in ids])
    if stock.sum() > 0:
        for t in np.flatnonzero(known & (told.along == place)):
            levels[t] = benchmark(levels[t], stock, float(whole.values[t]))
    levels[~known] = np.nan
    spread = np.sqrt(told.errors[:, None] ** 2 + errors**2 + errors[base] ** 2)
    spread[base] = 0.0
    return {
        child: Local(
            Series(
                levels[:, at],
                np.where(known, spread[:, at], np.nan),
                parts[child].leases.counts,
                parts[child].trimmed,
                parent.series.reasons,
            ),
            parts[child],
            factors[:, at],
        )
        for at, child in enumerate(children)
    }


def _deviations(leases: Leases, ids: IntArray, lent: FloatArray, base: int) -> tuple[IntArray, FloatArray, float]:
    """Numbers of leases (T, c), means (T, c) of their residuals, and the variance of one lease, within the cells.

    `lent` (T,): logarithms of a movement that is not that of these leases, NaN where it is; there residuals are from it. Where nothing can
    be estimated no cell deviates.
    """
    try:
        regression = regress(Moments.of(leases))
        residuals, moved = regression.residuals(leases), _moved(regression, base) - lent
        known = np.isfinite(moved) | np.isnan(lent)
        residuals = residuals + np.nan_to_num(moved)[leases.period]
        leases, residuals = leases.where(known[leases.period]), residuals[known[leases.period]]
    except EstimationError:
        leases, residuals = leases.where(np.zeros(len(leases), np.bool_)), np.zeros(0)
    cell = leases.period * len(ids) + np.searchsorted(ids, leases.community)
    size = leases.periods * len(ids)
    n = np.bincount(cell, minlength=size)
    mean = np.bincount(cell, residuals, minlength=size) / np.maximum(n, 1)
    squares = np.bincount(cell, (residuals - mean[cell]) ** 2, minlength=size)
    freedom = int((n - (n > 0)).sum())
    within = float(squares.sum() / freedom) if freedom else 0.0
    return n.reshape(-1, len(ids)), mean.reshape(-1, len(ids)), within


def _moved(regression: Regression, base: int) -> FloatArray:
    """Logarithms of the movement since the base that the leases of a fit have, (T,); NaN where nothing links a period to it."""
    size, periods = regression.columns.size, regression.columns.periods
    contrasts = np.eye(periods, size) - np.eye(1, size, base)
    linked = (regression.counts > 0) & (regression.counts[base] > 0) & regression.fit.determines(contrasts)
    return np.where(linked, contrasts @ regression.fit.coefficients, np.nan)


def _shrunk(n: IntArray, mean: FloatArray, within: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Deviations, factors and errors, (T, c) each: those of a subdistrict's cells have one variance between them."""
    flat, means = n.ravel(), mean.ravel()
    try:
        between = moments(flat, means, within * np.maximum(flat - 1, 0)).between
    except EstimationError:
        between = 0.0
    shrunk = shrink(flat, means, np.zeros(len(flat)), between=between, within=within)
    return tuple(column.reshape(n.shape) for column in (shrunk.estimates, shrunk.factors, shrunk.errors))  # pyright: ignore[reportReturnType]
