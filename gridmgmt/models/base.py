"""The mapped base, and the columns that every versioned row has."""

import datetime as dt
import uuid
from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, DateTime, FetchedValue, ForeignKeyConstraint, Index, MetaData, Text, text
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Instant = Annotated[dt.datetime, mapped_column(DateTime(timezone=True))]
"""A moment in UTC."""


class Base(DeclarativeBase):
    """Tables of the register. Constraints have names, because errors are found by name."""

    metadata = MetaData(
        schema="reg",
        naming_convention={
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        },
    )
    type_annotation_map: ClassVar = {str: Text(), uuid.UUID: UUID(as_uuid=True), dt.datetime: DateTime(timezone=True)}


class Versioned:
    """A row whose superseded forms are kept in `<table>_past` by a trigger, which also counts `version` and sets `recorded_…`."""

    version: Mapped[int] = mapped_column(server_default=text("1"), server_onupdate=FetchedValue())
    recorded_from: Mapped[dt.datetime] = mapped_column(server_default=text("transaction_timestamp()"), server_onupdate=FetchedValue())
    recorded_by: Mapped[int] = mapped_column(BigInteger, server_default=text("sec.actor()"), server_onupdate=FetchedValue())
    deleted_at: Mapped[dt.datetime | None]


class Entity(Versioned):
    """A versioned row with an id of its own: a UUID of version 7, which a client working offline may choose."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=text("reg.uuid7()"))


class Scoped:
    """A row that lies in a base grid and thereby in a subdistrict: row-level security goes by these two."""

    grid_id: Mapped[int]
    subdistrict_id: Mapped[int]


class Flagged:
    """A row that two people may write differently: it says by itself that a conflict about it is open."""

    conflict_open: Mapped[bool] = mapped_column(server_default=text("false"))


def scope_indexes(noun: str) -> tuple[Index, Index]:
    """Indexes behind keyset pages of a worker's grids and of a subdistrict."""
    return (
        Index(f"ix_{noun}_grid_id_id", "grid_id", "id"),
        Index(f"ix_{noun}_subdistrict_id_id", "subdistrict_id", "id"),
    )


def grid_key(noun: str) -> ForeignKeyConstraint:
    """The key of a row that stands in a grid by itself: its subdistrict is the grid's."""
    return ForeignKeyConstraint(
        ["grid_id", "subdistrict_id"],
        ["reg.grid.id", "reg.grid.subdistrict_id"],
        name=f"fk_{noun}_grid_id_subdistrict_id",
        onupdate="CASCADE",
    )


def scope_key(noun: str, column: str, parent: str) -> ForeignKeyConstraint:
    """The key that takes grid and subdistrict over from the parent, and follows when the parent moves."""
    return ForeignKeyConstraint(
        [column, "grid_id", "subdistrict_id"],
        [f"reg.{parent}.id", f"reg.{parent}.grid_id", f"reg.{parent}.subdistrict_id"],
        name=f"fk_{noun}_{column}_grid_id_subdistrict_id",
        onupdate="CASCADE",
    )


def scope_key_index(noun: str, column: str, *, optional: bool = False) -> Index:
    """The index that the cascade of `scope_key` needs; it also serves the children of one parent. `optional`: not all rows have one."""
    some = sql_column(column).is_not(None) if optional else None
    return Index(f"ix_{noun}_{column}_grid_id_subdistrict_id", column, "grid_id", "subdistrict_id", postgresql_where=some)


Json = dict[str, Any]
