"""The audit trail and the change log."""

import datetime as dt
import uuid

from sqlalchemy import BigInteger, FetchedValue, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from gridmgmt.models.base import Base, Json


class Xid8(UserDefinedType[str]):
    """A transaction number that never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name of the type in DDL."""
        return "xid8"


class Audit(Base):
    """One look or one change. Actor, time and transaction are set by PostgreSQL and cannot be named in an INSERT."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor_id_action_at", "actor_id", "action", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    at: Mapped[dt.datetime] = mapped_column(primary_key=True, server_default=text("clock_timestamp()"))
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    xid: Mapped[str] = mapped_column(Xid8, server_default=FetchedValue())
    actor_id: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
    db_role: Mapped[str] = mapped_column(Text, server_default=FetchedValue())
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str | None]
    purpose: Mapped[str | None]
    outcome: Mapped[str]
    n_rows: Mapped[int | None]
    detail: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))


class Change(Base):
    """A pointer: something of this kind changed in this grid. The feed of the handhelds reads it."""

    __tablename__ = "change_log"
    __table_args__ = (
        Index("ix_change_log_entity", "scope_id", "kind", "entity_id", "xid", "seq"),
        Index("ix_change_log_number", text("((xid::text)::bigint)"), "scope_id"),
        {"schema": "sync"},
    )

    scope_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    xid: Mapped[str] = mapped_column(Xid8, primary_key=True, server_default=FetchedValue())
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    entity_id: Mapped[uuid.UUID]
    at: Mapped[dt.datetime] = mapped_column(server_default=text("clock_timestamp()"))
    version: Mapped[int] = mapped_column(server_default=text("0"))


class LayerChange(Base):
    """A transaction that wrote a table. The stamp of a layer is made of these."""

    __tablename__ = "layer_change"

    noun: Mapped[str] = mapped_column(primary_key=True)
    xid: Mapped[str] = mapped_column(Xid8, primary_key=True, server_default=FetchedValue())
