"""Persons, what is sealed of them, and discrepancies between sources."""

import uuid

from sqlalchemy import ForeignKey, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Entity, Flagged, Scoped, grid_key, scope_indexes, scope_key, scope_key_index


class Identity(Base):
    """One human being with an identity number, sealed. No application role may read it: functions do, by name."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("id_bi"), Index("ix_identity_kv", "kv"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id_bi: Mapped[bytes]
    id_enc: Mapped[bytes]
    kv: Mapped[int] = mapped_column(SmallInteger)


class Person(Entity, Scoped, Flagged, Base):
    """What is seen of a person in the grid where the person lives (实有人口)."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("id", "grid_id", "subdistrict_id"),
        grid_key("person"),
        Index("ix_person_name", "name", "id"),
        Index("ix_person_grid_id_name", "grid_id", "name", "id"),
        *scope_indexes("person"),
    )

    name: Mapped[str] = mapped_column(Text(collation="C"))
    sex: Mapped[str | None]
    birth_year: Mapped[int | None]
    id_mask: Mapped[str | None]
    phone_mask: Mapped[str | None]
    registration: Mapped[str]


class PersonSecret(Base):
    """The sealed side of a person: the identity and the phone."""

    __tablename__ = "person_secret"
    __table_args__ = (Index("ix_person_secret_identity_id", "identity_id"), Index("ix_person_secret_kv", "kv"))

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("reg.person.id"), primary_key=True)
    identity_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("reg.identity.id"))
    phone_enc: Mapped[bytes | None]
    kv: Mapped[int] = mapped_column(SmallInteger)
    req_hash: Mapped[bytes]
    is_first: Mapped[bool]


class Discrepancy(Entity, Scoped, Base):
    """Two sources say different things of one person; both are kept until somebody decides."""

    __tablename__ = "discrepancy"
    __table_args__ = (
        UniqueConstraint("person_id", "grid_id", "field", "theirs"),
        scope_key("discrepancy", "person_id", "person"),
        scope_key_index("discrepancy", "person_id"),
        *scope_indexes("discrepancy"),
    )

    person_id: Mapped[uuid.UUID]
    field: Mapped[str]
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    source: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
