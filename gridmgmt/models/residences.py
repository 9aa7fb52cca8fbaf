"""Residences."""

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Flagged, Scoped, scope_indexes, scope_key, scope_key_index


class Residence(Entity, Scoped, Flagged, Base):
    """A person in a unit from `valid_from` to the day before `valid_to`, with who declared it and who verified it."""

    __tablename__ = "residence"
    __table_args__ = (
        scope_key("residence", "unit_id", "unit"),
        scope_key_index("residence", "unit_id"),
        Index("ix_residence_person_id", "person_id"),
        *scope_indexes("residence"),
    )

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.person.id"))
    unit_id: Mapped[uuid.UUID]
    main: Mapped[bool] = mapped_column(server_default=text("true"))
    basis: Mapped[str] = mapped_column(server_default=text("'other'"))
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    declared_by: Mapped[str | None]
    declared_on: Mapped[dt.date | None]
    verified_by: Mapped[int | None] = mapped_column(ForeignKey("reg.account.id"))
    verified_at: Mapped[dt.datetime | None]
