"""What was believed when: the present rows and their superseded forms as one set.

A fact has two times: when it was true (`valid_from`, `valid_to`) and when we knew it (`recorded_from`, `recorded_to`). Both are plain
columns, because range operators are not leakproof and would switch the indexes off under row-level security.
"""

import datetime as dt
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    FromClause,
    Row,
    ScalarSelect,
    Select,
    Subquery,
    Table,
    and_,
    column,
    func,
    null,
    or_,
    select,
    table,
    type_coerce,
    union_all,
)

from gridmgmt.models.base import Versioned

Sheet = Select[*tuple[Any, ...]]
"""A statement that says what is told of a noun."""
Told = Row[*tuple[Any, ...]]
"""One row of it; its columns are attributes."""


def known(model: type[Versioned], moment: dt.datetime | None = None) -> FromClause:
    """Rows of `model` as they are believed now, or were at `moment`, tombstones included; to join, filter and order further.

    Row-level security goes by the grid of the row as it was then.
    """
    if moment is None:
        return table_of(model)
    every = _every(model)
    then = and_(every.c.recorded_from <= moment, or_(every.c.recorded_to.is_(None), every.c.recorded_to > moment))
    return select(*(every.c[column.name] for column in table_of(model).c)).where(then).subquery(f"{table_of(model).name}_then")


def forms(model: type[Versioned], identifier: object) -> Subquery:
    """All forms that one row ever had, the present one among them, with `recorded_to` (NULL for the present one)."""
    every = _every(model)
    return select(every).where(every.c.id == identifier).subquery(f"{table_of(model).name}_forms")


def live(rows: FromClause) -> ColumnElement[bool]:
    """Whether rows were not struck out."""
    return rows.c.deleted_at.is_(None)


def true_on(valid_from: ColumnElement[Any], valid_to: ColumnElement[Any], day: dt.date | ScalarSelect[dt.date]) -> ColumnElement[bool]:
    """Whether a half-open period holds the day."""
    return and_(valid_from <= day, or_(valid_to.is_(None), valid_to > day))


def today() -> ScalarSelect[dt.date]:
    """The district's day, asked once a statement: the function alone would be called for every row."""
    return select(func.reg.today(type_=Date)).scalar_subquery()


def table_of(model: type[Versioned]) -> Table:
    """The table behind a mapped class."""
    return cast("Any", model).__table__


def _every(model: type[Versioned]) -> Subquery:
    """Present and past rows as one set. Without a condition of its own, so that PostgreSQL walks the indexes of both tables for it."""
    present = table_of(model)
    columns = [column(c.name, c.type) for c in present.columns]
    past = table(f"{present.name}_past", *columns, column("recorded_to", DateTime(timezone=True)), schema="reg")
    nothing = type_coerce(null(), DateTime(timezone=True)).label("recorded_to")
    return union_all(select(*present.c, nothing), select(*(past.c[column.name] for column in present.c), past.c.recorded_to)).subquery(
        f"{present.name}_every"
    )
