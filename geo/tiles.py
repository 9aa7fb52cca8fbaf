"""Vector tiles (Mapbox Vector Tile 2.1): which box a tile covers, and the statement that draws it.

Tiles are counted as OGC Two Dimensional Tile Matrix Set says: rows from the north, columns from the west, level 0 the coarsest. Both
sets here are quad trees: each tile has four below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import morecantile
from sqlalchemy import ColumnElement, FromClause, LargeBinary, Select, func, literal, literal_column, select
from sqlalchemy.types import Integer, Text

from geo.crs import LONLAT, STORAGE, WEB, transformer

EXTENT: Final = 4096
"""Steps of a tile's side."""
BUFFER: Final = 64
"""Steps beyond each side that are drawn too, so that lines along the edge have no seam."""
DEEPEST: Final = 22
"""Deepest level that is drawn: a step of a tile is 2 mm."""
MEDIA_TYPE: Final = "application/vnd.mapbox-vector-tile"
NAMES: Final = ("WebMercatorQuad", "WorldCRS84Quad")

DEGREES_END: Final = (180.0, 85.05)
MERCATOR_ENDS: Final = (20_037_508.342789244, 20_037_508.342789244)

Bounds = tuple[float, float, float, float]
"""West, south, east, north in the unit of the set."""


@dataclass(frozen=True)
class Quad:
    """A tile matrix set that halves at each level."""

    name: str
    title: str
    uri: str
    crs: str
    srid: int
    """What geometries are stored in to be drawn in it: degrees are EPSG:4490, which CRS84 is taken for."""
    west: float
    north: float
    side: float
    """Side of a tile of level 0, in metres or degrees."""
    columns: int
    """Columns of level 0, which has one row."""
    deepest: int

    def holds(self, level: int, row: int, column: int) -> bool:
        """Whether there is such a tile."""
        return 0 <= level <= self.deepest and 0 <= row < 1 << level and 0 <= column < self.columns << level

    def bounds(self, level: int, row: int, column: int) -> Bounds:
        """The box of a tile."""
        side = self.side / (1 << level)
        return (
            self.west + column * side,
            self.north - (row + 1) * side,
            self.west + (column + 1) * side,
            self.north - row * side,
        )

    def margin(self, level: int) -> float:
        """Width of the buffer around a tile."""
        return self.side / (1 << level) * BUFFER / EXTENT

    def padded(self, level: int, row: int, column: int) -> Bounds:
        """The box of a tile with its buffer."""
        (west, south, east, north), margin = self.bounds(level, row, column), self.margin(level)
        return west - margin, south - margin, east + margin, north + margin

    def other(self, bounds: Bounds) -> Bounds:
        """A box of this set in degrees (EPSG:4490) if this is Web Mercator, else in Web Mercator; cut off where either ends."""
        west, south, east, north = bounds
        source, target, (across, along) = (WEB, STORAGE, MERCATOR_ENDS) if self.srid == WEB else (STORAGE, WEB, DEGREES_END)
        west, east = max(west, -across), min(east, across)
        south, north = max(south, -along), min(north, along)
        (west, east), (south, north) = transformer(source, target).transform([west, east], [south, north])
        return west, south, east, north

    def limits(self, level: int, bounds: Bounds) -> tuple[int, int, int, int]:
        """First and last row, first and last column of the tiles that a box in degrees (EPSG:4490) meets."""
        side = self.side / (1 << level)
        west, south, east, north = bounds
        if self.srid != STORAGE:
            (west, east), (south, north) = transformer(STORAGE, self.srid).transform([west, east], [south, north])
        rows, columns = (1 << level) - 1, (self.columns << level) - 1
        return (
            min(max(int((self.north - north) / side), 0), rows),
            min(max(int((self.north - south) / side), 0), rows),
            min(max(int((west - self.west) / side), 0), columns),
            min(max(int((east - self.west) / side), 0), columns),
        )


@cache
def quads() -> Mapping[str, Quad]:
    """The sets that are offered, by name."""
    return {name: _quad(morecantile.tms.get(name)) for name in NAMES}


@cache
def definition(name: str) -> Mapping[str, Any]:
    """The whole definition of a set as OGC's JSON."""
    return morecantile.tms.get(name).model_dump(mode="json", exclude_none=True)


def tile(
    rows: FromClause,
    shape: ColumnElement[Any],
    *,
    layer: str,
    bounds: Sequence[ColumnElement[float]],
    srid: int,
    where: Sequence[ColumnElement[bool]] = (),
    feature_id: ColumnElement[Any] | None = None,
    told: Sequence[ColumnElement[Any]] = (),
    in_steps: bool = False,
) -> Select[Any]:
    """One tile of `rows` drawn by `shape` (a geometry of `srid`): one row with the tile's bytes, empty when nothing lies in it.

    Which rows come near is said by `where` (see `around`); what of them lies beyond the buffer is cut away. `feature_id` is an integer.
    With `in_steps` the shape is in steps of the tile already, rings as the format has them, and is taken as it is.
    """
    sizes = (literal_column(str(EXTENT), Integer), literal_column(str(BUFFER), Integer), literal_column("true"))
    drawing = shape if in_steps else func.ST_AsMVTGeom(shape, envelope(bounds, srid), *sizes)
    columns = [drawing.label("geom"), *told]
    names = [literal(layer, Text), literal_column(str(EXTENT), Integer), literal_column("'geom'", Text)]
    if feature_id is not None:
        columns.append(feature_id.label("fid"))
        names.append(literal_column("'fid'", Text))
    drawn = select(*columns).select_from(rows).where(*where).subquery("drawn")
    return select(func.ST_AsMVT(drawn.table_valued(), *names, type_=LargeBinary))  # leaves out what came to nothing


def envelope(bounds: Sequence[ColumnElement[float]], srid: int) -> ColumnElement[Any]:
    """The box of a tile as a geometry."""
    return func.ST_MakeEnvelope(*bounds, literal_column(str(srid), Integer))


def around(bounds: Sequence[ColumnElement[float]], margin: ColumnElement[float], srid: int) -> ColumnElement[Any]:
    """The box of a tile with its buffer. `column && box` is all that needs to be asked: ST_AsMVTGeom looks at the vertices anyway."""
    return func.ST_Expand(envelope(bounds, srid), margin)


def _quad(tms: morecantile.TileMatrixSet) -> Quad:
    first = tms.matrix(0)
    west, north = first.pointOfOrigin
    srid = WEB if tms.id == "WebMercatorQuad" else STORAGE
    crs = LONLAT.uri if srid == STORAGE else f"http://www.opengis.net/def/crs/EPSG/0/{WEB}"
    return Quad(
        name=str(tms.id),
        title=str(tms.title),
        uri=str(tms.uri),
        crs=crs,
        srid=srid,
        west=west,
        north=north,
        side=first.cellSize * first.tileWidth,
        columns=first.matrixWidth,
        deepest=min(tms.maxzoom, DEEPEST),
    )
