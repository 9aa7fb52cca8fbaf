"""Leases."""

import datetime as dt
import uuid
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Flagged, Scoped, scope_indexes, scope_key, scope_key_index


class Lease(Entity, Scoped, Flagged, Base):
    """A lease (租赁合同) of one unit; a sublet names its head lease as parent."""

    __tablename__ = "lease"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("id", "unit_id"),
        scope_key("lease", "unit_id", "unit"),
        ForeignKeyConstraint(["parent_id", "unit_id"], ["reg.lease.id", "reg.lease.unit_id"], name="fk_lease_parent_id_unit_id"),
        scope_key_index("lease", "unit_id"),
        Index("ix_lease_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_lease_landlord_id", "landlord_id"),
        Index("ix_lease_lessee_id", "lessee_id"),
        *scope_indexes("lease"),
        Index(
            "ix_lease_counted",
            "grid_id",
            postgresql_include=["subdistrict_id", "valid_from", "valid_to", "ended_on", "filed_on", "parent_id"],
            postgresql_where=text("deleted_at IS NULL AND state <> 'drafted' AND state <> 'cancelled'"),
        ),
    )

    number: Mapped[str] = mapped_column(Text(collation="C"))
    unit_id: Mapped[uuid.UUID]
    parent_id: Mapped[uuid.UUID | None]
    landlord_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reg.landlord.id"))
    lessor_name: Mapped[str | None]
    lessee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reg.person.id"))
    rent_fen: Mapped[int] = mapped_column(BigInteger)
    rent_given: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    rent_unit: Mapped[str]
    area_basis_m2: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    deposit_fen: Mapped[int | None] = mapped_column(BigInteger)
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date]
    signed_on: Mapped[dt.date | None]
    filed_on: Mapped[dt.date | None]
    ended_on: Mapped[dt.date | None]
    state: Mapped[str]
    new_let: Mapped[bool]
