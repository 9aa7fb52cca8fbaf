"""Building managers."""

import datetime as dt
import uuid

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Scoped, scope_indexes, scope_key, scope_key_index


class Manager(Entity, Scoped, Base):
    """One appointment of a building manager (楼管员): a person, a building, a period."""

    __tablename__ = "manager"
    __table_args__ = (
        UniqueConstraint("id", "grid_id", "subdistrict_id"),
        scope_key("manager", "building_id", "building"),
        scope_key_index("manager", "building_id"),
        Index("ix_manager_person_id", "person_id"),
        *scope_indexes("manager"),
    )

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.person.id"))
    building_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'candidate'"))
    archive_number: Mapped[str | None]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    police_contact: Mapped[str | None]
    office_contact: Mapped[str | None]
