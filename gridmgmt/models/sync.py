"""The handhelds' synchronisation: devices, what they sent and what became of it. Named functions write these tables."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import BigInteger, FetchedValue, ForeignKey, ForeignKeyConstraint, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Json
from gridmgmt.models.trail import Xid8

NOW = text("clock_timestamp()")
NEW = text("reg.uuid7()")


def _in_grid(noun: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["grid_id", "subdistrict_id"],
        ["reg.grid.id", "reg.grid.subdistrict_id"],
        name=f"fk_{noun}_grid_id_subdistrict_id",
        onupdate="CASCADE",
    )


class Device(Base):
    """A worker's handheld (手持终端), known by its public key. Hashes of refresh tokens are never selected."""

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("public_key"), Index("ix_device_account_id", "account_id"), {"schema": "sync"})

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW)
    account_id: Mapped[int] = mapped_column(ForeignKey("reg.account.id"))
    label: Mapped[str]
    public_key: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    refresh_hash: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    refresh_before: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    app_version: Mapped[str | None]
    schema_version: Mapped[int | None]
    enrolled_at: Mapped[dt.datetime] = mapped_column(server_default=NOW)
    seen_at: Mapped[dt.datetime] = mapped_column(server_default=NOW)
    last_push_at: Mapped[dt.datetime | None]
    last_pull_at: Mapped[dt.datetime | None]
    clock_skew_ms: Mapped[int | None] = mapped_column(BigInteger)
    wiped_at: Mapped[dt.datetime | None]
    locked_at: Mapped[dt.datetime | None]
    """Since when no refresh token is taken: one came twice, and a supervisor must let the device in again."""


class Enrolment(Base):
    """A one-time code by which a handheld is let in."""

    __tablename__ = "enrolment"
    __table_args__ = ({"schema": "sync"},)

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("reg.account.id"))
    issued_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
    issued_at: Mapped[dt.datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[dt.datetime]
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("sync.device.id"))
    request_key: Mapped[str | None]
    request_hash: Mapped[bytes | None]


class Mutation(Base):
    """What a device sent under a number of its own, and what became of it."""

    __tablename__ = "mutation"
    __table_args__ = (
        UniqueConstraint("mutation_id"),
        Index("ix_mutation_device_id_xid", "device_id", "xid", "client_seq"),
        Index("ix_mutation_device_id_entity_id", "device_id", "entity_id", "version"),
        Index("ix_mutation_received_at", "received_at", postgresql_where=text("result IS NOT NULL")),
        {"schema": "sync"},
    )

    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sync.device.id"), primary_key=True)
    client_seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    mutation_id: Mapped[uuid.UUID]
    xid: Mapped[str] = mapped_column(Xid8, server_default=FetchedValue())
    req_hash: Mapped[bytes]
    kind: Mapped[str]
    entity_id: Mapped[uuid.UUID | None]
    version: Mapped[int | None]
    status: Mapped[str]
    result: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    captured_at: Mapped[dt.datetime | None]
    captured_at_corrected: Mapped[dt.datetime | None]
    received_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))


class Conflict(Base):
    """Two values for one field, both kept until somebody decides."""

    __tablename__ = "conflict"
    __table_args__ = (
        _in_grid("conflict"),
        Index("ix_conflict_grid_id_id", "grid_id", "id"),
        Index("ix_conflict_subdistrict_id_id", "subdistrict_id", "id"),
        Index("ix_conflict_entity_id", "entity_id", postgresql_where=text("state = 'open'")),
        Index("ix_conflict_entity_id_kind", "entity_id", "kind"),
        Index("ix_conflict_phone_enc", "id", postgresql_where=text("yours ->> 'phone_enc' IS NOT NULL")),
        {"schema": "sync"},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW)
    code: Mapped[str]
    kind: Mapped[str]
    entity_id: Mapped[uuid.UUID]
    grid_id: Mapped[int]
    subdistrict_id: Mapped[int]
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sync.device.id"))
    client_seq: Mapped[int] = mapped_column(BigInteger)
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    base: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    theirs: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    yours: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=NOW)
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("reg.account.id"))
    resolved_at: Mapped[dt.datetime | None]
    resolution: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    request_key: Mapped[str | None]
    request_hash: Mapped[bytes | None]


class DeadLetter(Base):
    """A mutation that could not be taken, whole and sealed, with the reason."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        _in_grid("dead_letter"),
        Index("ix_dead_letter_device_id", "device_id", "client_seq"),
        Index("ix_dead_letter_grid_id", "grid_id", "created_at"),
        Index("ix_dead_letter_subdistrict_id", "subdistrict_id", "created_at"),
        Index("ix_dead_letter_kv", "kv"),
        Index("ix_dead_letter_account_id", "account_id", "created_at"),
        {"schema": "sync"},
    )

    mutation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sync.device.id"))
    client_seq: Mapped[int] = mapped_column(BigInteger)
    account_id: Mapped[int] = mapped_column(ForeignKey("reg.account.id"))
    grid_id: Mapped[int | None]
    subdistrict_id: Mapped[int | None]
    kind: Mapped[str]
    entity_id: Mapped[uuid.UUID | None]
    body_enc: Mapped[bytes]
    kv: Mapped[int] = mapped_column(SmallInteger)
    problem: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=NOW)
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("reg.account.id"))
    closed_at: Mapped[dt.datetime | None]
    note: Mapped[str | None]


class IdAlias(Base):
    """An id that a device chose for somebody who was there already."""

    __tablename__ = "id_alias"
    __table_args__ = (Index("ix_id_alias_canonical", "canonical"), {"schema": "sync"})

    alias: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    canonical: Mapped[uuid.UUID]
    kind: Mapped[str]
    merged: Mapped[bool] = mapped_column(server_default=text("false"))


class FeedMeta(Base):
    """Which feed this is: another generation after every restore."""

    __tablename__ = "feed_meta"
    __table_args__ = ({"schema": "sync"},)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    generation: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    pruned_below: Mapped[str] = mapped_column(Xid8, server_default=FetchedValue())
    compacted: Mapped[int] = mapped_column(server_default=text("0"))


class FieldPolicy(Base):
    """Who wins when two wrote different values into one field; the newest version holds."""

    __tablename__ = "field_policy"
    __table_args__ = ({"schema": "sync"},)

    kind: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, server_default=text("1"))
    policy: Mapped[str]
    set_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
    set_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))


class Incident(Base):
    """What should not happen between a device and the server."""

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_device_id", "device_id", "at"), {"schema": "sync"})

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=NEW)
    at: Mapped[dt.datetime] = mapped_column(server_default=NOW)
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("sync.device.id"))
    code: Mapped[str]
    scope_id: Mapped[int | None]
    detail: Mapped[Json] = mapped_column(JSONB, server_default=text("'{}'"))
