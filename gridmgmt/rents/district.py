"""The index of a whole district: of each subdistrict by its own leases, of the district by theirs, of communities by borrowing.

Subdistricts are estimated by themselves, with the default method. The district is their Laspeyres aggregate by the value of the stock,
chained each January. A community has too few leases to move by itself: it moves as its subdistrict does, times its own deviation from it,
shrunk by how much is known of it; then children are scaled so that weighted by their stock they are their parent again.
"""

from dataclasses import dataclass, replace

import numpy as np

from gridmgmt.rents.catalogue import DEFAULT, METHODS, Parameters
from gridmgmt.rents.material import Material, estimate
from gridmgmt.rents.methods.aggregation import Weights, combine
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Regression, regress
from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason, Series
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
    """The series of a method with what was trimmed; where nothing can be estimated at all, one of reasons."""
    try:
        series = estimate(material, method, parameters)
    except EstimationError as error:
        return nothing(material.part, error.reason)
    return replace(series, counts=material.part.leases.counts, trimmed=material.part.trimmed)


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


def _combined(tree: Tree, span: Span, children: dict[int, Local], floorspace: Floorspace, part: Part) -> Series:
    """The district by its subdistricts: weights are stock × mean rent in the base year × index at each link."""
    below = {child: local for child, local in children.items() if len(local.part.leases)}
    if not below:
        return nothing(part, Reason.NO_OBSERVATIONS)
    values = np.array([local.series.values for local in below.values()])
    stock = np.array([floorspace.of(tree.communities(child)) for child in below])
    level = np.array([np.exp(local.part.leases.y.mean()) for local in below.values()])
    first = span.first % 12 // (12 // span.per_year)
    links = np.array([t for t in range(span.periods) if t == 0 or (t + first) % span.per_year == 0], np.int64)
    carried = np.where(np.isfinite(values), values, 100.0)
    try:
        series = combine([local.series for local in below.values()], Weights(stock * level * carried[:, links].T, links))
    except EstimationError as error:
        return nothing(part, error.reason)
    return replace(series, counts=part.leases.counts, trimmed=part.trimmed)


def _communities(tree: Tree, place: int, parent: Local, floorspace: Floorspace, parts: dict[int, Part]) -> dict[int, Local]:
    """The communities of a subdistrict: its movement times their own shrunk deviations."""
    children = tree.children(place)
    ids = np.array([tree.areas[child].id for child in children], np.int64)
    known = np.isfinite(parent.series.values)
    if not known.any():
        return {child: Local(nothing(part, Reason.NO_PARENT), part, np.zeros(parent.series.periods)) for child, part in parts.items()}
    regression = regress(Moments.of(parent.part.leases))
    n, mean, within = _deviations(regression, parent.part, ids)
    deviations, factors, errors = _shrunk(n, mean, within)
    logs = parent.series.logs[:, None] + deviations - deviations[0]
    levels = 100 * np.exp(logs)
    stock = np.array([floorspace.of(np.array([one])) for one in ids])
    if stock.sum() > 0:
        for t in np.flatnonzero(known):
            levels[t] = benchmark(levels[t], stock, float(parent.series.values[t]))
        levels *= np.where(np.isfinite(levels[0]), 100 / levels[0], 1.0)
    spread = np.sqrt(parent.series.errors[:, None] ** 2 + errors**2 + errors[0] ** 2)
    spread[0] = 0.0
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


def _deviations(regression: Regression, part: Part, ids: IntArray) -> tuple[IntArray, FloatArray, float]:
    """Numbers of leases (T, c), means (T, c) of their residuals, and the variance of one lease, within the cells."""
    leases = part.leases
    residuals = regression.residuals(leases)
    cell = leases.period * len(ids) + np.searchsorted(ids, leases.community)
    size = leases.periods * len(ids)
    n = np.bincount(cell, minlength=size)
    mean = np.bincount(cell, residuals, minlength=size) / np.maximum(n, 1)
    squares = np.bincount(cell, (residuals - mean[cell]) ** 2, minlength=size)
    freedom = int((n - (n > 0)).sum())
    within = float(squares.sum() / freedom) if freedom else np.nan
    return n.reshape(-1, len(ids)), mean.reshape(-1, len(ids)), within


def _shrunk(n: IntArray, mean: FloatArray, within: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Deviations, factors and errors, (T, c) each: those of a subdistrict's cells have one variance between them."""
    flat, means = n.ravel(), mean.ravel()
    try:
        between = moments(flat, means, within * np.maximum(flat - 1, 0)).between
    except EstimationError:
        between = 0.0
    shrunk = shrink(flat, means, np.zeros(len(flat)), between=between, within=0.0 if np.isnan(within) else within)
    return tuple(column.reshape(n.shape) for column in (shrunk.estimates, shrunk.factors, shrunk.errors))  # pyright: ignore[reportReturnType]
