"""What stands for the features of a layer on levels of the map where they would be too many to draw.

Buildings are counted by cells of the map, at most 32 on a side of a tile; grids and areas by the area that they lie in. Both count what
the caller sees, because row-level security cuts the rows that are counted.
"""

import math
from typing import Any, Final

from sqlalchemy import ColumnElement, Double, FromClause, Integer, bindparam, cast, func, literal_column, or_, select

from geo.crs import WEB
from geo.tiles import EXTENT, Bounds
from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import Layer, Property
from gridmgmt.models import Area, Building, BuildingCell

CELL_LEVEL: Final = 17
"""Level of the map whose tiles are the cells that are counted: some 300 m wide."""
FINENESS: Final = 5
"""Levels between a tile and the cells that are drawn in it."""
HALF: Final = math.pi * 6_378_137.0
"""Half the side of Web Mercator in metres."""

HAIR: Final = 1e-6

_CELLS: Final = (
    Property("count", "integer", "Number of buildings in the cell", "格内楼栋数"),
    Property("rental", "integer", "Number of these that are let", "其中出租楼栋数"),
)
_PARENTS: Final = (
    Property("code", "string", "Code of the wider area", "上级区域代码"),
    Property("name", "string", "Name of the wider area", "上级区域名称"),
    Property("count", "integer", "Number of areas in it", "所含区域数"),
)


def far_properties(layer: Layer) -> tuple[Property, ...]:
    """What is told of them."""
    return _CELLS if layer.far == "cells" else _PARENTS


def cells(moment: ColumnElement[Any] | None, day: ColumnElement[Any] | None) -> FromClause:
    """Cells [x0] to [x1], [y0] to [y1] of level 17, grouped by 2^[shift], with the number of buildings that were not yet retired on a day.

    Without a day with the number of all that ever stood. Each is a square of Web Mercator (`geom_3857`), and one in steps of a tile of that
    set (`drawn`) whose first cell is [first_x], [first_y] and whose cells have sides of [steps]: they fill a tile exactly, so there is
    nothing to cut, and a tile of a thousand cells is drawn in a third of the time.
    """
    there: list[ColumnElement[bool]] = []
    if moment is None:
        kept = BuildingCell.__table__.c
        told, ends = (kept.x, kept.y, kept.buildings, kept.rental), kept.retired_on
    else:
        building = known(Building, moment).c  # pyright: ignore[reportArgumentType] -- bound later
        column, row = _cell(building.entrance)
        one = literal_column("1", Integer).label("buildings")
        told, ends = (column.label("x"), row.label("y"), one, cast(building.rental, Integer).label("rental")), building.retired_on
        there.append(building.deleted_at.is_(None))
    if day is not None:
        there.append(or_(ends.is_(None), ends > day))
    source = select(*told).where(*there).subquery("kept")
    x0, x1, y0, y1, shift = (bindparam(name, type_=Integer) for name in ("x0", "x1", "y0", "y1", "shift"))
    x, y = source.c.x.op(">>", return_type=Integer())(shift), source.c.y.op(">>", return_type=Integer())(shift)
    grouped = (
        select(x.label("x"), y.label("y"), func.sum(source.c.buildings).label("count"), func.sum(source.c.rental).label("rental"))
        .where(source.c.x.between(x0, x1), source.c.y.between(y0, y1))
        .group_by(x, y)
        .having(func.sum(source.c.buildings) > 0)
        .subquery("grouped")
    )
    side = cast(bindparam("cell", type_=Double), Double)
    half = literal_column(repr(HALF), Double)
    west, north = grouped.c.x * side - half, half - grouped.c.y * side
    square = func.ST_MakeEnvelope(west, north - side, west + side, north, literal_column(str(WEB), Integer))
    steps, first_x, first_y = (bindparam(name, type_=Integer) for name in ("steps", "first_x", "first_y"))
    right, down = (grouped.c.x - first_x) * steps, (grouped.c.y - first_y) * steps
    # From east to west: rows of a tile are counted downward, and there the ring runs clockwise as the format wants it.
    drawn = func.ST_MakeEnvelope(right + steps, down, right, down + steps)
    return select(square.label("geom_3857"), drawn.label("drawn"), grouped.c["count"], grouped.c.rental).subquery("cells")


def parents(rows: FromClause, moment: ColumnElement[Any] | None) -> FromClause:
    """The areas that `rows` lie in by their `parent_id`, with the number of these."""
    area = known(Area, moment)  # pyright: ignore[reportArgumentType] -- bound later
    counted = select(rows.c.parent_id, func.count().label("count")).group_by(rows.c.parent_id).subquery("counted")
    told = (area.c.id, area.c.code, area.c.name, area.c.geom, area.c.geom_3857, counted.c["count"])
    return select(*told).join(counted, counted.c.parent_id == area.c.id).subquery("parents")


def cell_values(level: int, bounds: Bounds) -> dict[str, int | float]:
    """The values for `cells` in a tile of that level with these bounds in Web Mercator."""
    deeper = min(CELL_LEVEL - level, FINENESS)
    shift = CELL_LEVEL - level - deeper
    west, south, east, north = bounds
    side = 2 * HALF / (1 << CELL_LEVEL)
    # A hair less than the tile, so that rounding does not take in the cells beyond its edge.
    x0, x1 = math.floor((west + HALF) / side + HAIR), math.floor((east + HALF) / side - HAIR)
    y0, y1 = math.floor((HALF - north) / side + HAIR), math.floor((HALF - south) / side - HAIR)
    whole = (1 << shift) - 1
    covered = {"x0": x0 & ~whole, "x1": x1 | whole, "y0": y0 & ~whole, "y1": y1 | whole}
    first = {"steps": EXTENT >> deeper, "first_x": x0 >> shift, "first_y": y0 >> shift}
    return {"shift": shift, "cell": side * (1 << shift), **covered, **first}


def _cell(place: ColumnElement[Any]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Column and row of the cell of a point in degrees, as the triggers that keep the counts have it."""
    across = (func.ST_X(place) + 180) / 360
    down = (1 - func.asinh(func.tan(func.radians(func.ST_Y(place)))) / func.pi()) / 2
    most = literal_column(str(1 << CELL_LEVEL), Integer)
    return cast(func.floor(across * most), Integer), cast(func.floor(down * most), Integer)
