"""Vector tiles of a layer: the statement for one tile, and the tiles that were drawn lately."""

import datetime as dt
from collections import Counter, OrderedDict
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Double, Float, FromClause, Integer, Text, bindparam, cast, func, literal_column, select

from geo.crs import STORAGE, WEB
from geo.features import Look
from geo.tiles import Quad, around, envelope, quads, tile
from gridmgmt.layers import LAYERS
from gridmgmt.layers.far import cell_values, cells, far_properties, parents
from gridmgmt.layers.layer import Layer, Property
from gridmgmt.layers.selection import EVER, MOMENT, Period, Selection, days, rows_of
from gridmgmt.reads import Query, Template

SIDES: Final = ("west", "south", "east", "north")
OTHER_SIDES: Final = ("other_west", "other_south", "other_east", "other_north")
"""The tile with its buffer in the other reference system."""
OVERHEAD: Final = 400
"""Bytes of memory that a kept tile costs beside its own."""

ID: Final = Property("id", "string", "Id", "标识")
"""A property of tiles where ids are no integers, which alone the features of a tile may have for theirs."""

Key = tuple[str, str, int, int, int, dt.datetime | None, Period | None]
"""Layer, set, level, row, column, as of when, in force when."""


class Tiles:
    """The tiles that were drawn lately, each under its stamp, which holds the caller's scope, so that nobody is shown another's."""

    def __init__(self, most: int) -> None:
        """Keeps `most` bytes, and forgets what was not asked for longest."""
        self._most = most
        self._kept: OrderedDict[tuple[Key, bytes], bytes] = OrderedDict()
        self._known: Counter[Key] = Counter()
        self.size = 0

    def knows(self, key: Key) -> bool:
        """Whether the tile is kept under some stamp, so that it is worth asking for the present one first."""
        return key in self._known

    def find(self, key: Key, stamp: bytes) -> bytes | None:
        """The tile, None unless it is kept."""
        found = self._kept.get((key, stamp))
        if found is not None:
            self._kept.move_to_end((key, stamp))
        return found

    def keep(self, key: Key, stamp: bytes, drawn: bytes) -> None:
        """Keep a tile, unless it is larger than all that may be kept."""
        if len(drawn) + OVERHEAD > self._most or (key, stamp) in self._kept:
            return
        self._kept[key, stamp] = drawn
        self._known[key] += 1
        self.size += len(drawn) + OVERHEAD
        while self.size > self._most:
            (key, _), gone = self._kept.popitem(last=False)
            self.size -= len(gone) + OVERHEAD
            self._known[key] -= 1
            if not self._known[key]:
                del self._known[key]


def tile_of(
    layer: Layer, quad: Quad, level: int, row: int, column: int, *, moment: dt.datetime | None = None, period: Period | None = None
) -> Query:
    """The statement for a tile: one row with its bytes. It shows what is in force on the day, or in the period."""
    bounds = quad.bounds(level, row, column)
    values: dict[str, Any] = dict(zip(SIDES, bounds, strict=True)) | {"margin": quad.margin(level), "moment": moment}
    far, wide = is_far(layer, level), layer.by_level and level < layer.minzoom
    if far and layer.far == "cells":
        values |= cell_values(level, bounds if quad.srid == WEB else quad.other(bounds))
    since, until = period or EVER
    selection = Selection(
        layer.name, Look(()), then=moment is not None, since=since is not None, until=until is not None, ever=period == EVER
    )
    template = _template(selection, quad.name, far=far, wide=wide)
    if OTHER_SIDES[0] in template.names:
        values |= zip(OTHER_SIDES, quad.other(quad.padded(level, row, column)), strict=True)
    return template.bind(**values, since=since, until=until)


def is_far(layer: Layer, level: int) -> bool:
    """Whether something else stands for the layer's features at this level."""
    return layer.far is not None and level < layer.minzoom


def drawn_properties(layer: Layer) -> tuple[Property, ...]:
    """The properties that tiles carry besides the id."""
    return tuple(one for one in layer.properties if one.name in layer.drawn) if layer.drawn else layer.properties[:2]


@lru_cache(maxsize=200)
def _template(selection: Selection, quad_name: str, *, far: bool, wide: bool) -> Template:
    layer, quad = LAYERS[selection.layer], quads()[quad_name]
    rows = rows_of(selection)
    if layer.by_level:  # one area over another would hide it
        rows = select(rows).where(rows.c.level == literal_column("'subdistrict'" if wide else "'community'", Text)).subquery("areas")
    told = drawn_properties(layer)
    if far:
        moment = MOMENT if selection.then else None
        rows = cells(moment, days(selection)[0]) if layer.far == "cells" else parents(rows, moment)
        told = far_properties(layer)
    bounds: list[ColumnElement[Any]] = [bindparam(side, type_=Float) for side in SIDES]
    counted = far and layer.far == "cells"  # the cells were chosen by their numbers already, and fill a tile of their own set
    shape, met = _shape(rows, quad, bounds)
    in_steps = counted and quad.srid == WEB
    if in_steps:
        shape = rows.c.drawn
    # A decimal would come as text.
    columns: list[ColumnElement[Any]] = [
        cast(rows.c[one.name], Double).label(one.name) if one.type == "number" else rows.c[one.name] for one in told
    ]
    number = None
    if "id" in rows.c:
        if layer.id_type == "integer":
            number = rows.c.id
        else:
            columns.insert(0, cast(rows.c.id, Text).label(ID.name))
    where = () if counted else (met,)
    drawn = tile(
        rows, shape, layer=layer.name, bounds=bounds, srid=quad.srid, where=where, feature_id=number, told=columns, in_steps=in_steps
    )
    return Template.of(drawn, kept=True, binary=True)


def _shape(rows: FromClause, quad: Quad, bounds: list[Any]) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """What is drawn, and whether it comes near: by the column that is kept in the set's own system, where there is one."""
    box = around(bounds, bindparam("margin", type_=Float), quad.srid)
    kept, other, srid = ("geom", "geom_3857", WEB) if quad.srid == STORAGE else ("geom_3857", "geom", STORAGE)
    if kept in rows.c:
        return rows.c[kept], rows.c[kept].bool_op("&&")(box)
    turned = envelope([bindparam(side, type_=Float) for side in OTHER_SIDES], srid)
    return func.ST_Transform(rows.c[other], literal_column(str(quad.srid), Integer)), rows.c[other].bool_op("&&")(turned)
