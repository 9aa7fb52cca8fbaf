"""Writing rows that have versions: made once, corrected by who read the newest version, struck out when they were a mistake.

PostgreSQL counts the versions and keeps what is superseded (a trigger); row-level security says which rows there are for the actor.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Text, cast, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.orm import Session

from gridmgmt.errors import ConflictError, NotFoundError
from gridmgmt.history.beliefs import forms, table_of
from gridmgmt.models.base import Entity, Versioned
from gridmgmt.security import access
from gridmgmt.security.access import Row, Versions

Values = Mapping[str, Any]
Key = TypeVar("Key", int, uuid.UUID)


@dataclass(frozen=True)
class Made:
    """What a creation gave: `fresh` is False when the same creation had been carried out before."""

    id: uuid.UUID
    fresh: bool


def make(
    session: Session, model: type[Entity], values: Values, *, derived: Values | None = None, identifier: uuid.UUID | None = None
) -> Made:
    """Insert a row, under the id that the client chose for it if it chose one: then a repetition finds the row it made, and writes nothing.

    Raises ConflictError `id-taken` when the id stands for anything else, be it another row, other content, or a row that the actor
    does not see; and at once whatever PostgreSQL refuses. `derived` are values that follow from the others and from rows that may have
    changed since the first time: a repetition is known without them.
    """
    table, whole = table_of(model), {**values, **(derived or {})}
    if identifier is None:
        return Made(session.execute(insert(table).values(**whole).returning(table.c.id)).scalar_one(), fresh=True)
    once = insert_or_skip(table).values(id=identifier, **whole).on_conflict_do_nothing(index_elements=[table.c.id])
    if session.execute(once.returning(table.c.id)).scalar_one_or_none() is not None:
        return Made(identifier, fresh=True)
    # What was written then, not what it was corrected to since: a late repetition is still a repetition.
    first = forms(model, identifier)
    same = [first.c.version == 1, *(_equal(first.c[name], value) for name, value in values.items())]
    live = select(table.c.id).where(table.c.id == identifier, table.c.deleted_at.is_(None))
    if session.execute(select(first.c.id).where(*same, live.exists())).first() is None:
        raise ConflictError("the id is used already, with other content", field="id", slug="id-taken")
    return Made(identifier, fresh=False)


def correct(session: Session, model: type[Row], identifier: Key, changes: Values, *, versions: Versions) -> int:
    """Write `changes` over one of the versions that the writer read, and give the new version; without changes the version stays.

    Raises NotFoundError, StaleError and BusyError as `access.lock` does.
    """
    row = access.lock(session, model, identifier, versions)
    if not changes:
        return row.version
    table = table_of(model)
    return session.execute(update(table).where(table.c.id == identifier).values(**changes).returning(table.c.version)).scalar_one()


def strike(session: Session, model: type[Row], identifier: Key, *, versions: Versions) -> None:
    """Strike out a row that should never have been: it stays as a tombstone. Raises as `correct` does."""
    correct(session, model, identifier, {"deleted_at": func.transaction_timestamp()}, versions=versions)


def unseen(model: type[Versioned]) -> NotFoundError:
    """The one answer for a row that is not there and for one that the actor may not see."""
    return NotFoundError(f"there is no such {table_of(model).name.replace('_', ' ')}, or none that you may see")


def _equal(column: ColumnElement[Any], value: object) -> ColumnElement[bool]:
    # A geometry's own comparison goes by its box where it can; its text is exact.
    if isinstance(value, ColumnElement):
        return cast(column, Text).is_not_distinct_from(cast(value, Text))
    return column.is_not_distinct_from(value)
