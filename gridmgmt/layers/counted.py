"""Layers that count what lies in each base grid, as far as the caller sees it.

A base grid is the smallest area whose rows a caller sees all or none of, so that no count is ever of a part.
"""

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Date, FromClause, Numeric, Select, cast, func, select, true

from geo.crs import METRIC
from gridmgmt.history.beliefs import known, today
from gridmgmt.layers.layer import Property, Statement
from gridmgmt.models import Area, Grid

GRID: Final = (
    Property("code", "string", "Code of the grid, fifteen digits", "网格编码"),
    Property("name", "string", "Name of the grid", "网格名称"),
    Property("community", "string", "Code of the community", "所属社区代码"),
)
DAY: Final = Property("day", "string", "Day that the counts hold for", "统计日期", "date")


def day_of(moment: dt.datetime | None, wanted: ColumnElement[dt.date] | None = None) -> ColumnElement[dt.date]:
    """The day to count for: the district's day of what is believed now, or was at a moment, or an earlier one that is wanted."""
    latest = today() if moment is None else func.date(func.timezone("Asia/Shanghai", moment))
    return latest if wanted is None else select(func.least(wanted, latest, type_=Date)).scalar_subquery()


def square_kilometres(grid: FromClause) -> ColumnElement[float]:
    """The size of a grid, by the metric reference system."""
    return func.ST_Area(func.ST_Transform(grid.c.geom, METRIC)) / 1_000_000


def percent(part: ColumnElement[int], whole: ColumnElement[int]) -> ColumnElement[Decimal]:
    """A share in percent with one decimal, also where that is 0: who guesses types by the first features sees no whole number.

    NULL of nothing.
    """
    return func.round(cast(part, Numeric) * 100 / func.nullif(whole, 0), 1, type_=Numeric)


def per_grid(
    moment: dt.datetime | None, day: ColumnElement[dt.date], *sources: Select[*tuple[Any, ...]]
) -> tuple[FromClause, list[FromClause], Statement]:
    """Base grids beside what `sources` count of them, each a SELECT of `grid_id` and aggregates without GROUP BY.

    Gives the grids, the counts as something to select from, and the statement of the grids' own columns over all of them. What is
    believed now is counted grid by grid, so that a page of a hundred grids counts a hundred; a past moment has no index by grid.
    """
    grid, community = known(Grid, moment), known(Area, moment)
    joined: FromClause = grid.join(community, community.c.id == grid.c.community_id)
    counted: list[FromClause] = []
    for number, source in enumerate(sources):
        grid_id, *aggregates = source.selected_columns
        if moment is None:
            one = source.with_only_columns(*aggregates).where(grid_id == grid.c.id).correlate(grid).lateral(f"counted{number}")
            joined = joined.outerjoin(one, true())
        else:
            one = source.group_by(grid_id).subquery(f"counted{number}")
            joined = joined.outerjoin(one, one.c.grid_id == grid.c.id)
        counted.append(one)
    statement = (
        select(
            grid.c.id,
            grid.c.version,
            grid.c.geom,
            grid.c.geom_3857,
            grid.c.code,
            grid.c.name,
            community.c.code.label("community"),
            grid.c.valid_from,
            grid.c.valid_to,
            day.label("day"),
        )
        .select_from(joined)
        .where(grid.c.kind == "base", grid.c.deleted_at.is_(None))
    )
    return grid, counted, statement
