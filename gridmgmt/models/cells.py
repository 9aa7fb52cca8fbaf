"""How many buildings stand in each cell of the map."""

import datetime as dt

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base


class BuildingCell(Base):
    """A difference in the number of buildings of a cell: to be added up. PostgreSQL's triggers write it and nobody else."""

    __tablename__ = "building_cell"
    __table_args__ = (Index("ix_building_cell_x_y", "x", "y"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    x: Mapped[int]
    """Column, and y the row, of the tile of level 17 in Web Mercator in which the entrances lie."""
    y: Mapped[int]
    grid_id: Mapped[int]
    subdistrict_id: Mapped[int]
    retired_on: Mapped[dt.date | None]
    buildings: Mapped[int]
    rental: Mapped[int]
