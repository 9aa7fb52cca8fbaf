"""Landlords."""

import uuid

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity


class Landlord(Entity, Base):
    """Who lets in a subdistrict (出租人): a person or an organisation."""

    __tablename__ = "landlord"
    __table_args__ = (UniqueConstraint("subdistrict_id", "name"),)

    subdistrict_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"))
    kind: Mapped[str]
    name: Mapped[str]
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reg.organisation.id"))
