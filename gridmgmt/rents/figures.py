"""From values to figures: what of an index may be published, and in which form, so that nobody finds a single lease in it.

Cells that add up are judged together, a quarter at a time: all areas' quarters, the months of district and subdistricts, and new lets
beside all leases, because what is left of a parent less its children, of a quarter less its months or of all less the new follows from
them. Guidance rents are judged over the areas, with the leases of their twelve months. Both are judged beside what earlier releases told of
the same cells or of windows that share some months, from the leases that were known then.
"""

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, Final

import numpy as np

from gridmgmt.rents.district import Local, hushed
from gridmgmt.rents.earlier import Earlier, Told, together
from gridmgmt.rents.extracts import Extract
from gridmgmt.rents.guides import Dwellings, Guides, guide
from gridmgmt.rents.methods.disclosure import GRAVE, Rules, Showing, complete, judge, primary
from gridmgmt.rents.methods.guidance import Band
from gridmgmt.rents.methods.overlay import Held, Overlay, overlay
from gridmgmt.rents.methods.series import IntArray
from gridmgmt.rents.methods.tables import Sum, Table
from gridmgmt.rents.releases import HELD_BACK, Carried, Figure
from gridmgmt.rents.samples import Floorspace, Lets, Sample, Span
from gridmgmt.rents.tree import Tree

Kind = tuple[int, str, str, int]
"""Place of an area, kind of let (all, new, renewed), frequency, period."""
LETS: Final = ("all", "new", "renewed")


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """The index of all areas of a tree in one frequency and kind of let, in the tree's order; communities are there for quarters only."""

    span: Span
    lets: Lets
    locals: Sequence[Local]


@dataclass(frozen=True)
class Judged:
    """By the first month of a quarter, counted from year 0: what may be shown of its cells, and the counts to print.

    Quarters without counts were published earlier: of these only the grave cells are told. `changed`: for a quarter and the data cut of
    what was told of it, the cells whose leases were known otherwise then. `open`: hidden cells that earlier releases narrow down.
    """

    showings: dict[int, dict[Kind, Showing]] = field(default_factory=dict)
    counts: dict[int, dict[Kind, int]] = field(default_factory=dict)
    changed: dict[tuple[int, dt.datetime], set[Told]] = field(default_factory=dict)
    open: set[Told] = field(default_factory=set)


@dataclass
class _Layout:
    """Where each cell of a quarter's table stands, and its sums."""

    tree: Tree
    cells: dict[Kind, int] = field(default_factory=dict)

    def place(self, kind: Kind) -> int:
        return self.cells.setdefault(kind, len(self.cells))

    def table(self, quarter: int, months: Sequence[int]) -> Table:
        sums: list[Sum] = []
        for place, area in enumerate(self.tree.areas):
            below = self.tree.children(place)
            coarse = area.level != "community"
            for lets in LETS:
                whole = self.place((place, lets, "quarter", quarter))
                if coarse:
                    sums.append((whole, tuple(self.place((place, lets, "month", month)) for month in months)))
                if below:
                    sums.append((whole, tuple(self.place((child, lets, "quarter", quarter)) for child in below)))
                if below and self.tree.areas[below[0]].level != "community":
                    for month in months:
                        parts = tuple(self.place((child, lets, "month", month)) for child in below)
                        sums.append((self.place((place, lets, "month", month)), parts))
            for frequency, period in [("quarter", quarter), *(("month", month) for month in months if coarse)]:
                total, *parts = (self.place((place, lets, frequency, period)) for lets in LETS)
                sums.append((total, tuple(parts)))
        return Table(len(self.cells), tuple(sums))


def index_figures(
    sample: Sample, tree: Tree, indexed: Sequence[Indexed], judgements: Judged, *, rules: Rules | None = None
) -> list[Figure]:
    """The figures of all series, the quarterly ones `discreet`, for the quarters that were judged; the newest month may be held back."""
    rules = rules or Rules()
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
                        made.append(_figure(series, tree, (sample.use, key, period), showings, counts[key]))
    return _held_back(made, sample, months["all"].span, rules)


def judged(
    sample: Sample,
    tree: Tree,
    span: Span,
    *,
    since: int,
    earlier: Sequence[Earlier] = (),
    standing: AbstractSet[tuple[str, int]] = frozenset(),
    rules: Rules | None = None,
) -> Judged:
    """What may be shown of the cells of each quarter of a span, from month `since` on, counted from year 0; before, which are grave.

    `earlier`: what public releases told. `standing`: frequency and first month of the numbers that are not told anew.
    """
    rules, found = rules or Rules(), Judged()
    counting = sample.extract.where(sample.kept)
    for first in range(span.first, span.first + 3 * span.periods, 3):
        quarter = _Quarter.of(counting, tree, first)
        if first >= since:
            _judge(quarter, rules, earlier, standing, found)
        else:
            over, _ = _overlaid(quarter, (), frozenset())
            causes = zip(quarter.layout.cells, primary(over.cells, rules), strict=True)
            found.showings[first] = {kind: Showing.PARENT for kind, cause in causes if cause in GRAVE}
    return found


def discreet(tree: Tree, indexed: Indexed, floorspace: Floorspace, judgements: Judged) -> Indexed:
    """Quarterly series as they may be published: communities' numbers know nothing of the leases that may not speak."""
    silent = {
        (place, (first - indexed.span.first) // 3)
        for first, showings in judgements.showings.items()
        for (place, lets, frequency, _), showing in showings.items()
        if showing is Showing.PARENT and (lets, frequency) == (indexed.lets, "quarter") and tree.areas[place].level == "community"
    }
    return replace(indexed, locals=hushed(tree, indexed.locals, floorspace, silent))


@dataclass(frozen=True)
class _Quarter:
    """A quarter by its first month: all observations that count, and its cells."""

    first: int
    counting: Extract
    layout: _Layout
    table: Table

    @classmethod
    def of(cls, counting: Extract, tree: Tree, first: int) -> "_Quarter":
        layout = _Layout(tree)
        return cls(first, counting, layout, layout.table(first, range(first, first + 3)))

    def inside(self, rows: Extract) -> Extract:
        """Observations of the quarter."""
        return rows.where((rows.month >= self.first) & (rows.month < self.first + 3))


def _judge(quarter: _Quarter, rules: Rules, earlier: Sequence[Earlier], standing: AbstractSet[tuple[str, int]], found: Judged) -> None:
    """Add to `found` what may be shown of the cells of a quarter."""
    first, layout = quarter.first, quarter.layout
    mattering = [one for one in earlier if any(first <= told[3] < first + 3 for told in one.index)]
    over, names = _overlaid(quarter, mattering, standing)
    verdicts = judge(over.table, over.cells, rules, withheld=over.withheld)
    found.showings[first] = {kind: verdicts.showings[at] for kind, at in layout.cells.items()}
    found.counts[first] = {kind: int(verdicts.counts[at]) for kind, at in layout.cells.items()}
    found.open.update(name for name, at in names.items() if verdicts.unprotected[at] and not over.withheld[at])
    for place, one in enumerate(mattering):
        found.changed[first, one.cut] = {name for name, at in names.items() if over.changed[at, place]}


def _overlaid(quarter: _Quarter, earlier: Sequence[Earlier], standing: AbstractSet[tuple[str, int]]) -> tuple[Overlay, dict[Told, int]]:
    """The table of a quarter over those that were told earlier, and where each number's cell is in it."""
    layout = quarter.layout
    extract, known = together([quarter.inside(one) for one in (quarter.counting, *(one.extract for one in earlier))])
    cell, row = _lowest(extract, layout, quarter.first)
    names: dict[Told, int] = {
        (layout.tree.areas[place].id, lets, frequency, month): at for (place, lets, frequency, month), at in layout.cells.items()
    }
    told = [np.array([name in one.index for name in names]) for one in earlier]
    # renewals, which are all lets less the new, are said by nobody, but they follow
    withheld = np.array([lets == "renewed" or (frequency, month) in standing for _, lets, frequency, month in names])
    held = Held(cell, extract.landlord[row], extract.rents[row], known[row])
    return overlay(quarter.table, held, told, withheld=withheld), names


def _lowest(extract: Extract, layout: _Layout, first: int) -> tuple[IntArray, IntArray]:
    """For each lease of the quarter, twice, its cell in the areas' quarters and in the subdistricts' months; and its place."""
    tree = layout.tree
    by_id = {area.id: place for place, area in enumerate(tree.areas)}
    cells: list[int] = []
    rows: list[int] = []
    for row, (community, month, new) in enumerate(
        zip(extract.community.tolist(), extract.month.tolist(), extract.new_let.tolist(), strict=True)
    ):
        place = by_id.get(community)
        if place is None:
            continue
        lets = "new" if new else "renewed"
        cells += [layout.cells[place, lets, "quarter", first], layout.cells[tree.areas[place].parent, lets, "month", month]]
        rows += [row, row]
    return np.array(cells, np.int64), np.array(rows, np.int64)


def _figure(indexed: Indexed, tree: Tree, cell: tuple[str, Kind, int], showings: dict[Kind, Showing], count: int) -> Figure:
    """The figure of a use, a cell and its period in the series."""
    use, kind, period = cell
    place, showing = kind[0], showings[kind]
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
        return replace(blank, reason="no_observations" if reason is None else reason.value)
    if showing in {Showing.DIRECT, Showing.FLAGGED}:
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
    above = area.parent  # whoever is hidden moves as the nearest area around it that is not, and tells nothing of itself
    while above >= 0 and showings[(above, *kind[1:])] not in {Showing.DIRECT, Showing.FLAGGED}:
        above = tree.areas[above].parent
    if above < 0 or not np.isfinite(indexed.locals[above].series.values[period]):
        return replace(blank, reason="suppressed")
    around = indexed.locals[above].series.values
    from_base = 100 * around[period] / around[int(np.argmax(np.isfinite(series.values)))]
    value = from_base if np.isfinite(from_base) else around[period]
    told: dict[str, Any] = {one.name: getattr(blank, one.name) for one in fields(Figure)} | {"value": _cents(value), "basis": "model"}
    return Carried(**told, along=tree.areas[above].id)


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
    sample: Sample, tree: Tree, dwellings: Dwellings, end: dt.date, earlier: Sequence[Earlier] = (), *, band: Band | None = None
) -> list[Figure]:
    """The guidance rents of all areas for the quarter before `end`, as they may be published.

    `earlier`: what public releases told; of interest are those whose windows share months with this one.
    """
    size = len(tree.areas)
    over = _windows(sample, tree, end, earlier)
    verdicts = judge(over.table, over.cells, withheld=over.withheld)
    hidden = frozenset(np.flatnonzero(verdicts.hidden[:size]).tolist())
    silent = frozenset(at for at in hidden if verdicts.showings[at] is Showing.PARENT)
    guides = guide(sample, tree, dwellings, end, band=band, hidden=hidden, silent=silent)
    start = Span((end.year * 12 + end.month - 1) - 3, 1, "quarter").days[0]
    made: list[Figure] = []
    for at, area in enumerate(tree.areas):
        blank = Figure("guide", "quarter", area.id, sample.use, "all", start, None, None, None, None, None, "none", None, None)
        reason = guides.bands.reasons[at]
        if reason is not None:
            made.append(replace(blank, reason=reason.value))
        elif at in hidden and area.level != "community":
            made.append(replace(blank, reason="suppressed"))
        else:
            made.append(_guided(blank, guides, at, verdicts.showings[at], int(verdicts.counts[at])))
    return made


def _windows(sample: Sample, tree: Tree, end: dt.date, earlier: Sequence[Earlier]) -> Overlay:
    """The areas with the leases of the twelve months before `end`, over those of earlier windows of which something was told."""
    last = end.year * 12 + end.month - 1
    place = {area.id: at for at, area in enumerate(tree.areas)}
    windows = [(sample.extract.where(sample.kept), last)]
    told: list[AbstractSet[int]] = []
    for one in earlier:
        for month, areas in one.guide.items():
            if month + 3 > last - 12:
                windows.append((one.extract, month + 3))
                told.append(areas)
    communities = tree.communities(0)
    inside = [rows.where((rows.month >= ends - 12) & (rows.month < ends) & np.isin(rows.community, communities)) for rows, ends in windows]
    extract, known = together(inside)
    cell = np.array([place[one] for one in extract.community.tolist()], np.int64)
    table = Table(len(place), tuple((at, tuple(below)) for at in range(len(place)) if (below := tree.children(at))))
    stand = [np.array([area.id in areas for area in tree.areas]) for areas in told]
    return overlay(table, Held(cell, extract.landlord, extract.rents, known), stand)


def _guided(blank: Figure, guides: Guides, at: int, showing: Showing, count: int) -> Figure:
    told = replace(blank, value=_cents(guides.bands.median[at]), low=_cents(guides.bands.low[at]), high=_cents(guides.bands.high[at]))
    if showing not in {Showing.DIRECT, Showing.FLAGGED}:
        return replace(told, basis="model")
    se = Decimal(f"{guides.errors[at]:.4f}")
    return replace(told, se=se, n_told=count, basis="direct", flag="few" if showing is Showing.FLAGGED else None)
