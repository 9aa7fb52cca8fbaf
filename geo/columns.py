"""Mapped geometry columns that are never NULL: `geom: Mapped[MultiPolygonGeometry]`. A column that may be states its `Geometry` itself,
because SQLAlchemy settles for an annotated type where it is first used whether it may be NULL.

GeoAlchemy2 would make an index of its own for each column, with a name that Alembic then wants to make once more. So no column
here asks for one; `spatial_index` states it, named, in the table.
"""

from typing import Annotated

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import Computed, Index
from sqlalchemy.orm import MappedColumn, mapped_column

from geo.crs import STORAGE, WEB

PointGeometry = Annotated[WKBElement, mapped_column(Geometry("POINT", srid=STORAGE, spatial_index=False))]
"""A point in degrees (EPSG:4490)."""

MultiPolygonGeometry = Annotated[WKBElement, mapped_column(Geometry("MULTIPOLYGON", srid=STORAGE, spatial_index=False))]
"""One or more polygons in degrees (EPSG:4490)."""


def web_mercator(source: str = "geom") -> MappedColumn[WKBElement | None]:
    """The column that PostgreSQL keeps equal to `source` in Web Mercator (EPSG:3857), for tiles; loaded only when asked for.

    `source` is a column or an SQL expression of columns, as in `coalesce(footprint, entrance)`.

    The expression is written as PostgreSQL gives it back when `public` is on the search path; else Alembic would see a difference.
    """
    kept = Computed(f"st_transform({source}, {WEB})", persisted=True)
    return mapped_column(Geometry("GEOMETRY", srid=WEB, spatial_index=False), kept, deferred=True)


def spatial_index(name: str, column: str = "geom") -> Index:
    """A GiST index called `name` over `column`."""
    return Index(name, column, postgresql_using="gist")
