"""Accounts, personal access keys, posts, and who works where."""

import datetime as dt
import uuid

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base


class Account(Base):
    """Somebody who may log in. Hashes are never selected: the log-in's own function reads them."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("username"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    username: Mapped[str]
    display_name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(deferred=True, deferred_raiseload=True)
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    disabled_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))


class AccessKey(Base):
    """A personal access key, for GIS clients that know only HTTP Basic; stored as its SHA-256."""

    __tablename__ = "access_key"
    __table_args__ = (UniqueConstraint("key_hash"), Index("ix_access_key_account_id", "account_id"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("reg.uuid7()"))
    account_id: Mapped[int] = mapped_column(ForeignKey("reg.account.id"))
    label: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))
    expires_at: Mapped[dt.datetime]
    revoked_at: Mapped[dt.datetime | None]
    writes: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether features may be written with it."""


class Post(Base):
    """A kind of post in a grid (综管员, 网格员 …)."""

    __tablename__ = "post"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    code: Mapped[str]
    name: Mapped[str]


class GridAssignment(Base):
    """A worker in a grid for a period; `stand_in` is the B of an A/B pair."""

    __tablename__ = "grid_assignment"
    __table_args__ = (
        Index("ix_grid_assignment_account_id", "account_id"),
        Index("ix_grid_assignment_grid_id", "grid_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("reg.account.id"))
    grid_id: Mapped[int] = mapped_column(ForeignKey("reg.grid.id"))
    post_id: Mapped[int] = mapped_column(ForeignKey("reg.post.id"))
    stand_in: Mapped[bool] = mapped_column(server_default=text("false"))
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    recorded_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
    ended_at: Mapped[dt.datetime | None]
    """When `valid_to` was last set; PostgreSQL writes it."""


class AreaGrant(Base):
    """A subdistrict or community that an account works for, for a period."""

    __tablename__ = "area_grant"
    __table_args__ = (
        ForeignKeyConstraint(["area_id", "level"], ["reg.area.id", "reg.area.level"], name="fk_area_grant_area_id_level"),
        Index("ix_area_grant_account_id", "account_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("reg.account.id"))
    area_id: Mapped[int]
    level: Mapped[str]
    valid_from: Mapped[dt.date]
    valid_to: Mapped[dt.date | None]
    recorded_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
