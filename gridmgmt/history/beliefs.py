"""What was believed when: the present rows and their superseded forms as one set.

A fact has two times: when it was true (`valid_from`, `valid_to`) and when we knew it (`recorded_from`, `recorded_to`). Both are plain
columns, because range operators are not leakproof and would switch the indexes off under row-level security.
"""

import datetime as dt

from sqlalchemy import Column, ColumnElement, DateTime, Select, Table, and_, column, or_, select, table, union_all

from gridmgmt.models.base import Versioned


def as_of(model: type[Versioned], moment: dt.datetime, *names: str) -> Select[tuple[object, ...]]:
    """Rows of `model` as they were believed at `moment`, with the named columns, as a statement to filter and order further.

    Row-level security goes by the grid of the row as it was then.
    """
    present: Table = model.__table__  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
    columns = [column(c.name, c.type) for c in present.columns]
    past = table(f"{present.name}_past", *columns, column("recorded_to", DateTime(timezone=True)), schema="reg")
    now: list[Column[object]] = [present.c[name] for name in names]
    then = [past.c[name] for name in names]
    known = union_all(
        select(*now).where(present.c.recorded_from <= moment),
        select(*then).where(past.c.recorded_from <= moment, past.c.recorded_to > moment),
    ).subquery("believed")
    return select(*known.c)


def true_on(valid_from: ColumnElement[dt.date], valid_to: ColumnElement[dt.date | None], day: dt.date) -> ColumnElement[bool]:
    """Whether a half-open period holds the day."""
    return and_(valid_from <= day, or_(valid_to.is_(None), valid_to > day))
