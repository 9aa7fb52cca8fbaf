"""Density of leases (租赁密度): leases in force and let units of a grid, against its size and its units.

Not public, and not suppressed: whoever sees a grid here sees its leases one by one.
"""

import datetime as dt

from sqlalchemy import ColumnElement, func, or_, select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.counted import DAY, GRID, day_of, per_grid, percent, square_kilometres
from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.style import Shade, Style
from gridmgmt.models import Lease, Unit


def _rows(moment: dt.datetime | None, wanted: ColumnElement[dt.date] | None = None) -> Statement:
    day = day_of(moment, wanted)
    lease, unit = known(Lease, moment), known(Unit, moment)
    # A unit has one lease at a time besides its sublets, which never stand without it: heads count the units.
    leases = select(
        lease.c.grid_id,
        func.count().label("leases"),
        func.count().filter(lease.c.filed_on <= day).label("filed_leases"),
        func.count().filter(lease.c.parent_id.is_(None)).label("let_units"),
    ).where(
        lease.c.deleted_at.is_(None),
        lease.c.state != "drafted",
        lease.c.state != "cancelled",
        lease.c.valid_from <= day,
        func.coalesce(lease.c.ended_on, lease.c.valid_to) > day,
    )
    units = select(unit.c.grid_id, func.count().label("units")).where(
        unit.c.deleted_at.is_(None), or_(unit.c.retired_on.is_(None), unit.c.retired_on > day)
    )
    grid, [let, stood], statement = per_grid(moment, day, leases, units)
    count, filed, taken = (func.coalesce(let.c[name], 0) for name in ("leases", "filed_leases", "let_units"))
    there = func.coalesce(stood.c.units, 0)
    return statement.add_columns(
        count.label("leases"),
        filed.label("filed_leases"),
        taken.label("let_units"),
        there.label("units"),
        percent(taken, there).label("let_share"),
        func.round(taken / square_kilometres(grid)).label("let_units_per_km2"),
    )


LAYER = Layer(
    name="lease-density",
    title="Density of leases",
    title_zh="租赁密度",
    description=(
        "For each base grid the leases in force on the day, sublets among them, how many are filed, the units let by them, "
        "and the share and the number a square kilometre of these. The day is today, or the last of `datetime` where that is earlier"
    ),
    properties=(
        *GRID,
        DAY,
        Property("leases", "integer", "Leases in force, sublets among them", "在租合同数（含转租）"),
        Property("filed_leases", "integer", "Of these, filed", "其中已备案合同数"),
        Property("let_units", "integer", "Units that are let", "已出租单元数"),
        Property("units", "integer", "Units that stand", "单元总数"),
        Property("let_share", "number", "Share of units that are let, in percent", "出租单元占比（%）"),
        Property("let_units_per_km2", "number", "Let units a square kilometre", "每平方公里出租单元数"),
    ),
    rows=_rows,
    rows_on=_rows,
    nouns=("area", "grid", "lease", "unit"),
    period=("valid_from", "valid_to"),
    id_type="integer",
    drawn=("leases", "let_units", "let_units_per_km2"),
    minzoom=10,
    styles=(
        Style(
            "density",
            "Let units a square kilometre",
            "每平方公里出租单元",
            "#d9d9d9",
            property="let_units_per_km2",
            shades=(
                Shade(0, "#f2f0f7", "Under 20", "不足 20"),
                Shade(20, "#cbc9e2", "20–99", "20–99"),
                Shade(100, "#9e9ac8", "100–499", "100–499"),
                Shade(500, "#756bb1", "500–1,999", "500–1999"),
                Shade(2_000, "#54278f", "2,000 or more", "2000 及以上"),
            ),
        ),
    ),
)
