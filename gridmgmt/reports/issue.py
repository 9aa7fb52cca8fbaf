"""What a release says, read once, for every form that it is told in."""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.history.beliefs import known
from gridmgmt.models import Area, RentFigure
from gridmgmt.registers.terms import USES
from gridmgmt.rents.releases import find_release, quarter_start, runs_of


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure: a guidance rent in yuan per m² and month, or an index number; `reason` where there is none."""

    product: str
    frequency: str
    area: int
    use: str
    lets: str
    period: dt.date
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    se: Decimal | None
    n_told: int | None
    basis: str
    flag: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An area that figures are of, and its shape in EPSG:3857."""

    id: int
    code: str
    name: str
    level: str
    parent: int | None
    shape: shapely.Geometry


@dataclass(frozen=True, eq=False)
class Issue:
    """A release with its figures and areas, the areas as they were known at its data cut."""

    release: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    cells: Sequence[Cell]
    places: Sequence[Place]
    demo: bool
    """Whether it is of demo data, which must be said on every page."""

    @property
    def start(self) -> dt.date:
        """First day of the release's quarter."""
        return quarter_start(self.release["quarter"])

    @property
    def root(self) -> Place:
        """The widest area, the district."""
        return self.places[0]

    @property
    def uses(self) -> list[str]:
        """Uses that figures are of, in the order of the list of codes."""
        found = {one.use for one in self.cells}
        return [use for use in USES if use in found]

    def at(self, *levels: str) -> list[Place]:
        """The areas of some levels, the wider first, then by code."""
        return [one for one in self.places if one.level in levels]

    def guides(self, use: str) -> dict[int, Cell]:
        """Guidance rents of the release's quarter, by area."""
        return {one.area: one for one in self.cells if (one.product, one.use, one.period) == ("guide", use, self.start)}

    def series(self, use: str, frequency: str, lets: str = "all") -> dict[int, dict[dt.date, Cell]]:
        """Index numbers by area and period, the earliest first."""
        found: dict[int, dict[dt.date, Cell]] = {}
        for one in sorted(self._index(use, frequency, lets), key=lambda cell: cell.period):
            found.setdefault(one.area, {})[one.period] = one
        return found

    def _index(self, use: str, frequency: str, lets: str) -> Iterable[Cell]:
        return (one for one in self.cells if (one.product, one.use, one.frequency, one.lets) == ("index", use, frequency, lets))


LEVELS = ("district", "subdistrict", "community")


def read_issue(session: Session, release_id: uuid.UUID, *, demo: bool) -> Issue:
    """All that a release says. Raises NotFoundError for one that the actor may not see."""
    release = find_release(session, release_id)
    runs = runs_of(session, release_id)
    table = RentFigure.__table__
    told = (
        table.c.product, table.c.frequency, table.c.area_id, table.c.use, table.c.lets, table.c.period, table.c.value, table.c.low,
        table.c.high, table.c.se, table.c.n_told, table.c.basis, table.c.flag, table.c.reason,
    )  # fmt: skip
    figures = session.execute(select(*told).where(table.c.release_id == release_id).order_by(table.c.id)).all()
    cut = max((run["data_cut"] for run in runs), default=None)
    area = known(Area, cut)
    rows = session.execute(
        select(area.c.id, area.c.code, area.c.name, area.c.level, area.c.parent_id, func.ST_AsBinary(area.c.geom_3857)).where(
            area.c.id.in_({row.area_id for row in figures})
        )
    ).all()
    places = [Place(*row[:5], shapely.from_wkb(bytes(row[5]))) for row in rows]
    ordered = sorted(places, key=lambda one: (LEVELS.index(one.level), one.code))
    return Issue(
        cast("Mapping[str, Any]", release), cast("Sequence[Mapping[str, Any]]", runs), [Cell(*row) for row in figures], ordered, demo
    )
