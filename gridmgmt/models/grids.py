"""Grids with validity and lineage, and the version of the base layer."""

import datetime as dt

from geoalchemy2 import WKBElement
from sqlalchemy import BigInteger, FetchedValue, ForeignKey, ForeignKeyConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from geo.columns import MultiPolygonGeometry, spatial_index, web_mercator
from gridmgmt.models.base import Base, Versioned
from gridmgmt.models.trail import Xid8


class Grid(Versioned, Base):
    """A grid (网格) of a scheme. Base grids tile their community and never overlap; a retired code is never used again."""

    __tablename__ = "grid"
    __table_args__ = (
        UniqueConstraint("id", "subdistrict_id"),
        UniqueConstraint("scheme", "code"),
        ForeignKeyConstraint(
            ["community_id", "subdistrict_id"],
            ["reg.area.id", "reg.area.parent_id"],
            name="fk_grid_community_id_subdistrict_id",
            onupdate="CASCADE",
        ),
        Index("ix_grid_community_id_subdistrict_id", "community_id", "subdistrict_id"),
        Index("ix_grid_subdistrict_id_code", "subdistrict_id", "code"),
        spatial_index("ix_grid_geom"),
        spatial_index("ix_grid_geom_3857", "geom_3857"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str]
    scheme: Mapped[str] = mapped_column(server_default=text("'base'"))
    kind: Mapped[str]
    name: Mapped[str]
    community_id: Mapped[int]
    subdistrict_id: Mapped[int]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    geom: Mapped[MultiPolygonGeometry]
    geom_3857: Mapped[WKBElement | None] = web_mercator()


class GridLineage(Base):
    """What a grid came from: split, merge or renumber."""

    __tablename__ = "grid_lineage"
    __table_args__ = (Index("ix_grid_lineage_successor_id", "successor_id"),)

    predecessor_id: Mapped[int] = mapped_column(ForeignKey("reg.grid.id"), primary_key=True)
    successor_id: Mapped[int] = mapped_column(ForeignKey("reg.grid.id"), primary_key=True)
    kind: Mapped[str]
    happened_on: Mapped[dt.date]


class Layer(Base):
    """Version of a layer of polygons; whoever changes the layer takes its row first."""

    __tablename__ = "layer"

    layer: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    xid: Mapped[str] = mapped_column(Xid8, server_default=FetchedValue())
