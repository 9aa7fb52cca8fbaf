"""From values to figures: what of an index may be published, and in which form, so that nobody finds a single lease in it.

What may be told of each cell is judged before (`judging`). Here a number that may not be told is replaced by one made of numbers that may.
"""

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

import numpy as np

from gridmgmt.rents.district import Local, Shown, hushed, lean
from gridmgmt.rents.earlier import Earlier, Told
from gridmgmt.rents.guides import Dwellings, Guides, guide
from gridmgmt.rents.judging import OWN, Judged, Kind, guide_verdicts
from gridmgmt.rents.methods.disclosure import Rules, Showing, complete, held_by_few
from gridmgmt.rents.methods.guidance import Band
from gridmgmt.rents.methods.series import BoolArray
from gridmgmt.rents.releases import HELD_BACK, Carried, Figure
from gridmgmt.rents.samples import Floorspace, Lets, Part, Sample, Span
from gridmgmt.rents.tree import Tree


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """The index of all areas of a tree in one frequency and kind of let, in the tree's order; communities are there for quarters only.

    `shown`: what may be told of their movement; empty before it was judged.
    """

    span: Span
    lets: Lets
    locals: Sequence[Local]
    shown: Sequence[Shown] = ()


def index_figures(sample: Sample, tree: Tree, indexed: Sequence[Indexed], judgements: Judged, *, rules: Rules) -> list[Figure]:
    """The figures of all series, which are `discreet`, for the quarters that were judged; the newest month may be held back."""
    months = {one.lets: one for one in indexed if one.span.frequency == "month"}
    quarters = {one.lets: one for one in indexed if one.span.frequency == "quarter"}
    span = quarters["all"].span
    made: list[Figure] = []
    for quarter in range(span.periods):
        first = span.first + 3 * quarter
        if first in judgements.counts:
            showings, counts = judgements.showings[first], judgements.counts[first]
            for lets in ("all", "new"):
                for series, period in [(quarters[lets], quarter), *((months[lets], first + m - months[lets].span.first) for m in range(3))]:
                    at = series.span.first + period * (12 // series.span.per_year)
                    for place in range(len(series.locals)):
                        key = (place, lets, series.span.frequency, at)
                        made.append(_figure(series, tree, (sample.use, key, period), showings[key], counts[key], rules=rules))
    return _held_back(made, sample, months["all"].span, rules)


def discreet(
    tree: Tree, indexed: Indexed, floorspace: Floorspace, judgements: Judged, told: AbstractSet[Told] = frozenset(), *, rules: Rules
) -> Indexed:
    """Series as they may be published: communities' numbers know nothing of the leases that may not speak, nor of a number around them that
    is not told. `told`: numbers of areas' own in the quarters that were not judged.
    """
    silent = {
        (place, (first - indexed.span.first) // 3)
        for first, showings in judgements.showings.items()
        for (place, lets, frequency, _), showing in showings.items()
        if showing is Showing.PARENT and (lets, frequency) == (indexed.lets, "quarter") and tree.areas[place].level == "community"
    }
    own = _own(tree, indexed, judgements, told)
    _hide_movements(own, tree, indexed, floorspace, rules)
    locals_ = indexed.locals
    if indexed.span.frequency == "quarter":
        locals_ = hushed(tree, locals_, floorspace, silent, lean(tree, locals_, own))
    return replace(indexed, locals=locals_, shown=lean(tree, locals_, own))


def _own(tree: Tree, indexed: Indexed, judgements: Judged, told: AbstractSet[Told]) -> BoolArray:
    """Whose own numbers may be told by their leases, and when, (areas, periods)."""
    span = indexed.span
    own = np.zeros((len(indexed.locals), span.periods), np.bool_)
    for period in range(span.periods):
        month = span.first + period * (12 // span.per_year)
        showings = judgements.showings[month - month % 3] if month - month % 3 in judgements.counts else None
        for place in range(len(indexed.locals)):
            if showings is None:
                own[place, period] = (tree.areas[place].id, indexed.lets, span.frequency, month) in told
            else:
                own[place, period] = showings[place, indexed.lets, span.frequency, month] in OWN
    return own & [np.isfinite(local.series.values) for local in indexed.locals]


def _hide_movements(own: BoolArray, tree: Tree, indexed: Indexed, floorspace: Floorspace, rules: Rules) -> None:
    """Take from `own` the numbers that only few have moved, however many leases their periods have.

    A subdistrict moves by the leases of communities that had some before, so these must be of several landlords too. The district moves by
    its subdistricts that had a number before, and tells what is left of it less those that are told: not where only one is hidden, nor
    where an unsafe one outweighs the other hidden ones so far that they are known well enough beforehand. Weights are stock × mean rent of
    all periods, so that what is told does not hang on the hidden numbers themselves.
    """
    locals_ = indexed.locals
    unsafe = np.zeros(own.shape, np.bool_)
    for place in tree.at("subdistrict"):
        part = locals_[place].part
        moved_by_few = _held_by_few(part.moving(), rules)
        own[place] &= ~moved_by_few
        unsafe[place] = moved_by_few | _held_by_few(part, rules) | (part.leases.counts <= rules.few)
    for place in tree.at("district"):
        below = [child for child in tree.children(place) if len(locals_[child].part.leases)]
        if below:
            known = np.array([np.isfinite(locals_[child].series.values) for child in below])
            moving = known & (np.cumsum(known, axis=1) > known)
            weights = [floorspace.of(tree.communities(child)) * np.exp(locals_[child].part.leases.y.mean()) for child in below]
            hidden = np.where(moving & ~own[below], np.array(weights)[:, None], 0.0)
            others = hidden.sum(axis=0) - hidden
            enough = np.where(unsafe[below], others * rules.prior >= hidden * rules.margin, others > 0)
            own[place] &= ((hidden == 0) | enough).all(axis=0)


def _held_by_few(part: Part, rules: Rules) -> BoolArray:
    """Periods (T,) with leases that are held by few."""
    counts = part.leases.counts
    return (counts > 0) & held_by_few(counts, *part.holders(), rules)


def _figure(indexed: Indexed, tree: Tree, cell: tuple[str, Kind, int], showing: Showing, count: int, *, rules: Rules) -> Figure:
    """The figure of a use, a cell and its period in the series."""
    use, kind, period = cell
    place = kind[0]
    area, series = tree.areas[place], indexed.locals[place].series
    blank = Figure(
        "index",
        indexed.span.frequency,
        area.id,
        use,
        indexed.lets,
        indexed.span.days[period],
        None,
        None,
        None,
        None,
        None,
        "none",
        None,
        None,
    )
    if not np.isfinite(series.values[period]):
        reason = series.reasons[period]
        hidden = area.level == "community" and reason is None  # its subdistrict has a number, and there is none to lean on
        return replace(blank, reason="suppressed" if hidden else "no_observations" if reason is None else reason.value)
    shown = indexed.shown[place]
    if shown.along[period] == place:
        low, high = series.interval()
        return replace(
            blank,
            value=_cents(series.values[period]),
            low=_cents(low[period]),
            high=_cents(high[period]),
            se=Decimal(f"{series.errors[period]:.4f}") if np.isfinite(series.errors[period]) else None,
            n_told=count,
            basis="direct",
            flag="few" if showing is Showing.FLAGGED else None,
        )
    if showing is Showing.MODEL and area.level == "community":
        return replace(blank, value=_cents(series.values[period]), basis="model")
    # whoever is hidden moves as the nearest area around it that is not, and tells nothing of itself
    along, value = int(shown.along[period]), shown.values[period]
    if along < 0 or not np.isfinite(value) or not rules.roll_up:
        return replace(blank, reason="suppressed")
    told: dict[str, Any] = {one.name: getattr(blank, one.name) for one in fields(Figure)} | {"value": _cents(value), "basis": "model"}
    return Carried(**told, along=tree.areas[along].id)


def _held_back(made: list[Figure], sample: Sample, span: Span, rules: Rules) -> list[Figure]:
    """The newest month waits until most of its leases are registered, and its quarter with it, from which it would follow."""
    registered = np.bincount(span.period(sample.extract.month)[span.period(sample.extract.month) >= 0], minlength=span.periods)
    if complete(registered.tolist(), rules):
        return made
    newest = span.days[-2]
    held = {
        "value": None,
        "low": None,
        "high": None,
        "se": None,
        "n_told": None,
        "basis": "none",
        "flag": HELD_BACK,
        "reason": HELD_BACK,
    }
    waiting = {("month", newest), ("quarter", newest.replace(month=(newest.month - 1) // 3 * 3 + 1))}
    return [replace(one, **held) if (one.frequency, one.period) in waiting else one for one in made]


def _cents(number: float) -> Decimal | None:
    return Decimal(f"{number:.2f}") if np.isfinite(number) else None


def guide_figures(
    sample: Sample,
    tree: Tree,
    dwellings: Dwellings,
    end: dt.date,
    earlier: Sequence[Earlier] = (),
    *,
    rules: Rules,
    band: Band | None = None,
) -> tuple[list[Figure], dict[dt.datetime, set[int]]]:
    """The guidance rents of all areas for the quarter before `end`, as they may be published; and by data cut of what was told of this
    quarter the ids of areas whose leases have changed since.

    `earlier`: what public releases told; of interest are those whose windows share months with this one.
    """
    size = len(tree.areas)
    stock = np.array([dwellings.area[np.isin(dwellings.community, tree.communities(at))].sum() for at in range(size)])
    verdicts, changed = guide_verdicts(sample, tree, stock, end, earlier=earlier, rules=rules)
    hidden = frozenset(np.flatnonzero(verdicts.hidden[:size]).tolist())
    silent = frozenset(at for at in hidden if verdicts.showings[at] is Showing.PARENT)
    veiled = {at for at in hidden if tree.areas[at].level != "community"}
    guides = guide(sample, tree, dwellings, end, band=band, hidden=hidden, silent=silent)
    start = Span((end.year * 12 + end.month - 1) - 3, 1, "quarter").days[0]
    made: list[Figure] = []
    for at, area in enumerate(tree.areas):
        blank = Figure("guide", "quarter", area.id, sample.use, "all", start, None, None, None, None, None, "none", None, None)
        reason = guides.bands.reasons[at]
        if reason is not None:
            made.append(replace(blank, reason=reason.value))
        elif not _leans(tree, at, hidden) or (at in silent | veiled and not rules.roll_up):
            made.append(replace(blank, reason="suppressed"))
        else:
            made.append(_guided(blank, guides, at, verdicts.showings[at], int(verdicts.counts[at])))
    return made, changed


def _leans(tree: Tree, place: int, hidden: AbstractSet[int]) -> bool:
    """Whether an area's own number, or one around it, is told."""
    while place in hidden:
        place = tree.areas[place].parent
    return place >= 0


def _guided(blank: Figure, guides: Guides, at: int, showing: Showing, count: int) -> Figure:
    told = replace(blank, value=_cents(guides.bands.median[at]), low=_cents(guides.bands.low[at]), high=_cents(guides.bands.high[at]))
    if showing not in OWN:
        return replace(told, basis="model")
    se = Decimal(f"{guides.errors[at]:.4f}")
    return replace(told, se=se, n_told=count, basis="direct", flag="few" if showing is Showing.FLAGGED else None)
