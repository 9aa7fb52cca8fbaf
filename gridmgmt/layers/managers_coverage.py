"""Coverage by building managers (楼管员覆盖率): how many of a grid's rental buildings have one who is at work."""

import datetime as dt

from sqlalchemy import ColumnElement, FromClause, and_, exists, func, or_, select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.counted import DAY, GRID, day_of, per_grid, percent
from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.style import Shade, Style
from gridmgmt.models import Building, Grid, Manager, Unit


def _rows(moment: dt.datetime | None, wanted: ColumnElement[dt.date] | None = None) -> Statement:
    day = day_of(moment, wanted)
    building, unit, manager = known(Building, moment), known(Unit, moment), known(Manager, moment)
    # The grid is the building's. Said so, the index of the foreign key finds them.
    inhabitable = (
        exists().where(unit.c.building_id == building.c.id, unit.c.grid_id == building.c.grid_id, *_standing(unit, day)).correlate(building)
    )
    built = or_(building.c.built_year.is_(None), building.c.built_year <= func.date_part("year", day))
    at_work = select(manager.c.building_id).where(
        manager.c.deleted_at.is_(None),
        # Whoever resigned or was dismissed was at work until then. A candidate never was, and had no contacts yet.
        or_(
            manager.c.state == "active",
            and_(
                or_(manager.c.state == "resigned", manager.c.state == "dismissed"),
                manager.c.police_contact.is_not(None),
                manager.c.office_contact.is_not(None),
            ),
        ),
        manager.c.valid_from <= day,
        or_(manager.c.valid_to.is_(None), manager.c.valid_to > day),
    )
    if moment is None:  # those of the grid that is counted, found once and hashed
        grid = known(Grid)
        at_work = at_work.where(manager.c.grid_id == grid.c.id).correlate(grid)
    managed = building.c.id.in_(at_work)
    source = select(
        building.c.grid_id, func.count().label("rental_buildings"), func.count().filter(managed).label("managed_buildings")
    ).where(building.c.rental, *_standing(building, day), built, inhabitable)
    _, [counted], statement = per_grid(moment, day, source)
    rental, managed_ = (func.coalesce(counted.c[name], 0) for name in ("rental_buildings", "managed_buildings"))
    return statement.add_columns(
        rental.label("rental_buildings"), managed_.label("managed_buildings"), percent(managed_, rental).label("coverage")
    )


def _standing(rows: FromClause, day: ColumnElement[dt.date]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return rows.c.deleted_at.is_(None), or_(rows.c.retired_on.is_(None), rows.c.retired_on > day)


LAYER = Layer(
    name="managers-coverage",
    title="Coverage by building managers",
    title_zh="楼管员覆盖率",
    description=(
        "For each base grid the rental buildings that stand and have a unit, how many of them have a building manager whose appointment "
        "is active on the day, and the share of these in percent. The day is today, or the last of `datetime` where that is earlier; "
        "buildings are counted in the grid in which they lie now, from their year of construction on"
    ),
    properties=(
        *GRID,
        DAY,
        Property("rental_buildings", "integer", "Rental buildings that stand and have a unit", "在用出租楼栋数"),
        Property("managed_buildings", "integer", "Of these, with an active building manager", "其中有在岗楼管员的楼栋数"),
        Property("coverage", "number", "Share with an active building manager, in percent", "楼管员覆盖率（%）"),
    ),
    rows=_rows,
    rows_on=_rows,
    nouns=("area", "building", "grid", "manager", "unit"),
    period=("valid_from", "valid_to"),
    id_type="integer",
    drawn=("rental_buildings", "managed_buildings", "coverage"),
    minzoom=10,
    styles=(
        Style(
            "coverage",
            "Coverage",
            "覆盖率",
            "#d9d9d9",
            property="coverage",
            shades=(
                Shade(0, "#ca0020", "Under half", "不足 50%"),
                Shade(50, "#f4a582", "50–79 %", "50%–79%"),
                Shade(80, "#c7e0ee", "80–89 %", "80%–89%"),
                Shade(90, "#2b83ba", "90 % or more", "90% 及以上"),
            ),
        ),
    ),
)
