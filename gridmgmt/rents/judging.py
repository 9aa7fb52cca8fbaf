"""Disclosure control of a release: which of its cells may be told, beside each other and beside all that earlier releases told.

Cells that add up are judged together, a quarter at a time: all areas' quarters, the months of district and subdistricts, and new lets
beside all leases, because what is left of a parent less its children, of a quarter less its months or of all less the new follows from
them. Guidance rents are judged over the areas, with the leases of their twelve months. Both are judged beside what earlier releases told of
the same cells or of windows that share some months, from the leases that were known then.
"""

import datetime as dt
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from gridmgmt.rents.earlier import Earlier, Told, together
from gridmgmt.rents.extracts import Extract
from gridmgmt.rents.methods.disclosure import GRAVE, Rules, Showing, Verdicts, judge, primary
from gridmgmt.rents.methods.overlay import Held, Overlay, overlay
from gridmgmt.rents.methods.series import FloatArray, IntArray
from gridmgmt.rents.methods.tables import Sum, Table
from gridmgmt.rents.observations import MICRO
from gridmgmt.rents.samples import Sample, Span
from gridmgmt.rents.tree import Tree

Kind = tuple[int, str, str, int]
"""Place of an area, kind of let (all, new, renewed), frequency, period."""
LETS: Final = ("all", "new", "renewed")
OWN: Final = frozenset({Showing.DIRECT, Showing.FLAGGED})
"""Of these cells the number of their own is told."""


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


def judged(
    sample: Sample,
    tree: Tree,
    span: Span,
    *,
    since: int,
    earlier: Sequence[Earlier] = (),
    standing: AbstractSet[tuple[str, int]] = frozenset(),
    rules: Rules,
) -> Judged:
    """What may be shown of the cells of each quarter of a span, from month `since` on, counted from year 0; before, which are grave.

    `earlier`: what public releases told. `standing`: frequency and first month of the numbers that are not told anew.
    """
    found = Judged()
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


def guide_verdicts(
    sample: Sample, tree: Tree, stock: FloatArray, end: dt.date, *, earlier: Sequence[Earlier], rules: Rules
) -> tuple[Verdicts, dict[dt.datetime, set[int]]]:
    """What may be told of the guidance rents of all areas, in the tree's order before any others, for the quarter before `end`.

    `stock` (a,): floor area in m² of each area of the tree, by which communities count in the numbers of the areas around them. `earlier`:
    what public releases told; of interest are those whose windows share months with this one. With it, by data cut of what was told of this
    quarter, the ids of areas whose leases were known otherwise then.
    """
    over, cuts = _windows(sample, tree, stock, end, earlier)
    changed = {
        cut: {area.id for at, area in enumerate(tree.areas) if over.changed[at, place]}
        for place, (cut, ends) in enumerate(cuts)
        if ends == end.year * 12 + end.month - 1
    }
    return judge(over.table, over.cells, rules, withheld=over.withheld), changed


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


def _windows(
    sample: Sample, tree: Tree, stock: FloatArray, end: dt.date, earlier: Sequence[Earlier]
) -> tuple[Overlay, list[tuple[dt.datetime, int]]]:
    """The areas with the leases of the twelve months before `end`, over those of earlier windows of which something was told; and of these
    the data cuts and the months before which they end.
    """
    last = end.year * 12 + end.month - 1
    place = {area.id: at for at, area in enumerate(tree.areas)}
    windows = [(sample.extract.where(sample.kept), last)]
    told, cuts = list[AbstractSet[int]](), list[tuple[dt.datetime, int]]()
    for one in earlier:
        for month, areas in one.guide.items():
            if month + 3 > last - 12:
                windows.append((one.extract, month + 3))
                told.append(areas)
                cuts.append((one.cut, month + 3))
    communities = tree.communities(0)
    inside = [rows.where((rows.month >= ends - 12) & (rows.month < ends) & np.isin(rows.community, communities)) for rows, ends in windows]
    extract, known = together(inside)
    cell = np.array([place[one] for one in extract.community.tolist()], np.int64)
    table = Table(len(place), tuple((at, tuple(below)) for at in range(len(place)) if (below := tree.children(at))))
    stand = [np.array([area.id in areas for area in tree.areas]) for areas in told]
    # a community's whole is stock × mean rent, however many leases say so; without stock it says nothing, and nobody hides behind it
    amounts = np.exp(extract.log_rent / MICRO) * (stock / np.maximum(np.bincount(cell, minlength=len(place)), 1))[cell]
    return overlay(table, Held(cell, extract.landlord, amounts, known), stand), cuts
