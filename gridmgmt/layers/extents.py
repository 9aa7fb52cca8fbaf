"""Where and since when layers have features, as far as the caller sees them."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Text, func, literal_column, null, select

from geo.bbox import COARSE
from geo.crs import STORAGE
from gridmgmt.database import Actor, Database
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.selection import WHOLE
from gridmgmt.layers.stamps import stamp_of
from gridmgmt.reads import Query, Record, Template

MOST: Final = 1000

_WORLD: Final = tuple(
    (told, outermost, f"'SRID={STORAGE};LINESTRING({line})'")
    for told, outermost, line in (
        ("ST_XMin", "min", "-180 -90,-180 90"),
        ("ST_YMin", "min", "-180 -90,180 -90"),
        ("ST_XMax", "max", "180 -90,180 90"),
        ("ST_YMax", "max", "-180 90,180 90"),
    )
)
"""The edges of the world, with what is told of a feature next to each and which of several it is."""


@dataclass(frozen=True)
class Extent:
    """Where and since when a layer has features."""

    box: tuple[float, float, float, float] | None
    """West, south, east and north in degrees (EPSG:4490); None without features."""
    first: dt.date | None
    """The first day in force, where that is known."""


class Extents:
    """Extents that are kept as long as their layers' stamps are the same: the caller's scope is in the stamp."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bytes], Extent] = OrderedDict()

    async def read(self, database: Database, actor: Actor, layers: Sequence[Layer]) -> list[Extent]:
        """The extents of layers that the actor sees, of features of all periods, because `datetime` reaches them all."""
        if not layers:
            return []
        stamps = [_word(rows) for rows in await database.read(actor, *(stamp_of(layer) for layer in layers))]
        found = {layer.name: self._kept.get((layer.name, stamp)) for layer, stamp in zip(layers, stamps, strict=True)}
        lacking = [layer for layer in layers if found[layer.name] is None]
        if lacking:
            # Stamps and extents of one snapshot: what is kept belongs to the stamp that it is kept under.
            results = await database.read(actor, *(query for layer in lacking for query in (stamp_of(layer), extent_of(layer, actor))))
            for layer, stamp, rows in zip(lacking, results[::2], results[1::2], strict=True):
                found[layer.name] = self._kept[layer.name, _word(stamp)] = _extent(rows)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return [extent for extent in found.values() if extent is not None]


def extent_of(layer: Layer, actor: Actor) -> Query:
    """The statement for west, south, east, north and the first day in force: one row, NULL for what is not there.

    Of 300,000 buildings somebody who sees all of them is told in a millisecond, by the spatial index, where looking at each takes half a
    second after every write. Who sees a part is told by the index of the grids: the other way would lead through everybody else's.
    """
    return _outermost(layer) if layer.far == "cells" and actor.scope == WHOLE else _enclosing(layer)


@cache
def _enclosing(layer: Layer) -> Query:
    rows = layer.rows(None).subquery("rows")
    box = func.ST_Extent(rows.c.geom)
    edges = (func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box))
    return Template.of(select(*edges, _first(layer, rows)), kept=True).bind()


@cache
def _outermost(layer: Layer) -> Query:
    """By the feature whose box lies nearest to each of the four edges of the world, as the index has them in order.

    The index compares in single precision, so the edge is that of whatever lies in a strip where it found one.
    """
    edges: list[ColumnElement[Any]] = []
    for told, outermost, line in _WORLD:
        first, rows = layer.rows(None).subquery("first"), layer.rows(None).subquery("rows")
        nearest = first.c.geom.op("<#>")(func.geometry(literal_column(line, Text)))
        strip = _strip(getattr(func, told)(first.c.geom), upright="X" in told)
        found = select(strip).where(first.c.geom.is_not(None)).order_by(nearest).limit(literal_column("1")).scalar_subquery()
        edge = getattr(func, outermost)(getattr(func, told)(rows.c.geom))
        edges.append(select(edge).where(rows.c.geom.bool_op("&&")(found)).scalar_subquery())
    assert layer.period[0] is None  # it would be one look at all features more
    return Template.of(select(*edges, null()), kept=True).bind()


def _strip(place: ColumnElement[Any], *, upright: bool) -> ColumnElement[Any]:
    """What lies so near to a longitude, or to a latitude, that the index cannot tell them apart."""
    least, most = place - literal_column(str(COARSE)), place + literal_column(str(COARSE))
    across, along = (literal_column("-180"), literal_column("180")), (literal_column("-90"), literal_column("90"))
    (west, east), (south, north) = ((least, most), along) if upright else (across, (least, most))
    return func.ST_MakeEnvelope(west, south, east, north, literal_column(str(STORAGE)))


def _first(layer: Layer, rows: FromClause) -> ColumnElement[Any]:
    begins = layer.period[0]
    return null() if begins is None else func.min(rows.c[begins])


def _word(rows: Sequence[Record]) -> bytes:
    [(stamp,)] = rows
    assert stamp is not None
    return stamp


def _extent(rows: Sequence[Record]) -> Extent:
    [(west, south, east, north, first)] = rows
    box = None
    if west is not None and south is not None and east is not None and north is not None:
        box = (float(west), float(south), float(east), float(north))
    return Extent(box, None if first is None else dt.date.fromisoformat(first.decode()))
