"""Areas: district, subdistrict, community, with validity and lineage."""

import datetime as dt

from geoalchemy2 import WKBElement
from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from geo.columns import MultiPolygonGeometry, spatial_index, web_mercator
from gridmgmt.models.base import Base, Versioned


class Area(Versioned, Base):
    """A district (区), subdistrict (街道) or community (社区) under one code for one period."""

    __tablename__ = "area"
    __table_args__ = (
        UniqueConstraint("id", "parent_id"),
        UniqueConstraint("id", "level"),
        Index("ix_area_parent_id", "parent_id"),
        spatial_index("ix_area_geom"),
        spatial_index("ix_area_geom_3857", "geom_3857"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    level: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("reg.area.id"))
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    approximate: Mapped[bool] = mapped_column(server_default=text("false"))
    geom: Mapped[MultiPolygonGeometry]
    geom_3857: Mapped[WKBElement | None] = web_mercator()


class AreaLineage(Base):
    """What an area came from: split, merge or renumber."""

    __tablename__ = "area_lineage"
    __table_args__ = (Index("ix_area_lineage_successor_id", "successor_id"),)

    predecessor_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"), primary_key=True)
    successor_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"), primary_key=True)
    kind: Mapped[str]
    happened_on: Mapped[dt.date]
