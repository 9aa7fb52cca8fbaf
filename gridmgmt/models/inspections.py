"""Inspections of buildings."""

import datetime as dt
import uuid

from sqlalchemy import ARRAY, Double, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Scoped, scope_indexes, scope_key, scope_key_index


class Inspection(Entity, Scoped, Base):
    """One visit to a building or a unit (巡查). It is added or struck out, never corrected."""

    __tablename__ = "inspection"
    __table_args__ = (
        scope_key("inspection", "building_id", "building"),
        scope_key("inspection", "unit_id", "unit"),
        scope_key_index("inspection", "building_id"),
        scope_key_index("inspection", "unit_id", optional=True),
        *scope_indexes("inspection"),
        Index("ix_inspection_visited_at", "visited_at"),
    )

    building_id: Mapped[uuid.UUID]
    unit_id: Mapped[uuid.UUID | None]
    kind: Mapped[str]
    outcome: Mapped[str]
    visited_at: Mapped[dt.datetime]
    findings: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    note: Mapped[str | None]
    lon: Mapped[float | None] = mapped_column(Double)
    lat: Mapped[float | None] = mapped_column(Double)
    datum: Mapped[str | None]
    distance_m: Mapped[float | None] = mapped_column(Double)
