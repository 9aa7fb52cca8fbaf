"""Duty reports of building managers."""

import datetime as dt
import uuid

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from gridmgmt.models.base import Base, Entity, Scoped, scope_indexes, scope_key, scope_key_index


class DutyReport(Entity, Scoped, Base):
    """One entry in a building manager's duty log (楼管员日志). It is added or struck out, never corrected."""

    __tablename__ = "duty_report"
    __table_args__ = (
        scope_key("duty_report", "manager_id", "manager"),
        scope_key("duty_report", "unit_id", "unit"),
        scope_key_index("duty_report", "manager_id"),
        scope_key_index("duty_report", "unit_id", optional=True),
        *scope_indexes("duty_report"),
        Index("ix_duty_report_happened_on", "happened_on"),
    )

    manager_id: Mapped[uuid.UUID]
    unit_id: Mapped[uuid.UUID | None]
    kind: Mapped[str]
    happened_on: Mapped[dt.date]
    persons: Mapped[int | None]
    note: Mapped[str | None]
