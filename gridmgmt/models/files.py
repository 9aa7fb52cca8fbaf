"""Uploaded files and what they belong to."""

import datetime as dt
import uuid
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gridmgmt.models.base import Base, Scoped, grid_key


class File(Base):
    """A photo or document (照片、附件), whose bytes lie in the store under the names of `objects`.

    States: open while bytes arrive, then complete, refused (not what it should be) or expired (given up). Only an open file changes.
    """

    __tablename__ = "file"
    __table_args__ = (
        Index("ix_file_account_id", "account_id", postgresql_where=text("state = 'open'")),
        Index("ix_file_expires_at", "expires_at", postgresql_where=text("state = 'open'")),
        Index("ix_file_unswept", "id", postgresql_where=text("state <> 'open' AND NOT swept")),
        {"schema": "sync"},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("reg.uuid7()"))
    account_id: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"))
    device_id: Mapped[uuid.UUID | None]
    length: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    objects: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    content_type: Mapped[str | None]
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    said: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'"))
    """What the sender told of it. SQLAlchemy keeps the column's name for itself."""
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    swept: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))
    expires_at: Mapped[dt.datetime]
    completed_at: Mapped[dt.datetime | None]


class FileLink(Scoped, Base):
    """A file belongs to a row of this kind, and lies where the row lies: whoever loses sight of the one loses sight of the other."""

    __tablename__ = "file_link"
    __table_args__ = (
        grid_key("file_link"),
        Index("ix_file_link_grid_id_subdistrict_id", "grid_id", "subdistrict_id"),
        Index("ix_file_link_entity_id_kind", "entity_id", "kind"),
        {"schema": "sync"},
    )

    file_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    linked_by: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default=text("sec.actor()"), autoincrement=False)
    linked_at: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"))
