"""Organisations."""

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity


class Organisation(Entity, Base):
    """A company or department; a department's role code outlives its name."""

    __tablename__ = "organisation"
    __table_args__ = (UniqueConstraint("credit_code"),)

    name: Mapped[str]
    credit_code: Mapped[str | None]
    role_code: Mapped[str | None]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    successor_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reg.organisation.id"))
