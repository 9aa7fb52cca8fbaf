"""Buildings."""

import datetime as dt

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import Computed, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from geo.columns import PointGeometry, spatial_index, web_mercator
from geo.crs import STORAGE
from gridmgmt.models.base import Base, Entity, Flagged, Scoped, grid_key, scope_indexes

SHAPE = "COALESCE(footprint, entrance)"


class Building(Entity, Scoped, Flagged, Base):
    """A building under its 19-digit house code (房屋编码). A trigger finds its base grid from the entrance."""

    __tablename__ = "building"
    __table_args__ = (
        UniqueConstraint("house_code"),
        UniqueConstraint("id", "grid_id", "subdistrict_id"),
        grid_key("building"),
        spatial_index("ix_building_geom"),
        spatial_index("ix_building_geom_3857", "geom_3857"),
        *scope_indexes("building"),
    )

    house_code: Mapped[str] = mapped_column(Text(collation="C"))
    name: Mapped[str]
    address: Mapped[str]
    entrance: Mapped[PointGeometry]
    footprint: Mapped[WKBElement | None] = mapped_column(Geometry("MULTIPOLYGON", srid=STORAGE, spatial_index=False))
    datum: Mapped[str] = mapped_column(server_default=text("'CGCS2000'"))
    source_x: Mapped[float]
    source_y: Mapped[float]
    floors_above: Mapped[int]
    floors_below: Mapped[int] = mapped_column(server_default=text("0"))
    built_year: Mapped[int | None]
    nature: Mapped[str]
    rental: Mapped[bool]
    retired_on: Mapped[dt.date | None]
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry("GEOMETRY", srid=STORAGE, spatial_index=False), Computed(SHAPE, persisted=True), deferred=True
    )
    geom_3857: Mapped[WKBElement | None] = web_mercator(SHAPE)
