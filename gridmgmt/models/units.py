"""Units of buildings."""

import datetime as dt
import uuid
from decimal import Decimal

from sqlalchemy import Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Flagged, Scoped, scope_indexes, scope_key, scope_key_index


class Unit(Entity, Scoped, Flagged, Base):
    """A dwelling, shop or other part of a building that can be let on its own, under a 25-digit code (单元编码)."""

    __tablename__ = "unit"
    __table_args__ = (
        UniqueConstraint("code"),
        UniqueConstraint("id", "grid_id", "subdistrict_id"),
        scope_key("unit", "building_id", "building"),
        scope_key_index("unit", "building_id"),
        *scope_indexes("unit"),
        Index(
            "ix_unit_counted",
            "grid_id",
            postgresql_include=["subdistrict_id", "retired_on"],
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    building_id: Mapped[uuid.UUID]
    code: Mapped[str] = mapped_column(Text(collation="C"))
    floor: Mapped[int]
    room: Mapped[str]
    area_m2: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    use: Mapped[str]
    max_occupants: Mapped[int | None]
    retired_on: Mapped[dt.date | None]
