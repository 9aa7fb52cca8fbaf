"""How many people live in an area, as it is told to everybody."""

import datetime as dt

from sqlalchemy import ForeignKey, Identity, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base


class ResidentCount(Base):
    """One area in the release of one month. Rounded before it is written; a function of PostgreSQL's writes it and nobody else."""

    __tablename__ = "resident_count"
    __table_args__ = (UniqueConstraint("area_id", "month"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    area_id: Mapped[int] = mapped_column(ForeignKey("reg.area.id"))
    month: Mapped[dt.date]
    counted_on: Mapped[dt.date]
    residents: Mapped[int | None]
    """NULL where it is not told."""
    floating: Mapped[int | None]
    phase: Mapped[int | None] = mapped_column(SmallInteger)
    """Where the steps of ten begin: a secret that no class of user reads."""
