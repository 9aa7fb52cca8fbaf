"""Where and since when layers have features, as far as the caller sees them."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlalchemy import func, null, select

from gridmgmt.database import Actor, Database
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.stamps import stamp_of
from gridmgmt.reads import Query, Record, Template

MOST: Final = 1000


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
            results = await database.read(actor, *(query for layer in lacking for query in (stamp_of(layer), extent_of(layer))))
            for layer, stamp, rows in zip(lacking, results[::2], results[1::2], strict=True):
                found[layer.name] = self._kept[layer.name, _word(stamp)] = _extent(rows)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return [extent for extent in found.values() if extent is not None]


@cache
def extent_of(layer: Layer) -> Query:
    """The statement for west, south, east, north and the first day in force: one row, NULL for what is not there."""
    rows = layer.rows(None).subquery("rows")
    box = func.ST_Extent(rows.c.geom)
    begins = layer.period[0]
    first = null() if begins is None else func.min(rows.c[begins])
    return Template.of(select(func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box), first), kept=True).bind()


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
