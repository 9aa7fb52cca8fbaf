"""Reading: one row, its earlier forms, pages by keyset, and the filters that every list of scoped rows has."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    DateTime,
    FromClause,
    and_,
    any_,
    cast,
    collate,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.history.beliefs import Sheet, Told, forms, known, live, today, true_on
from gridmgmt.history.versions import unseen
from gridmgmt.models import Area, Grid
from gridmgmt.models.base import Versioned


def one(
    session: Session,
    model: type[Versioned],
    identifier: object,
    sheet: Callable[[FromClause], Sheet],
    *,
    as_of: dt.datetime | None = None,
) -> Told:
    """The live row with this id, as `sheet` tells it, as believed now or at `as_of`. Raises NotFoundError."""
    rows = known(model, as_of)
    found = session.execute(sheet(rows).where(rows.c.id == identifier, live(rows))).one_or_none()
    if found is None:
        raise unseen(model)
    return found


def every_form(session: Session, model: type[Versioned], identifier: object, sheet: Callable[[FromClause], Sheet]) -> Sequence[Told]:
    """All forms that a row ever had, the newest first, as `sheet` tells them, with `recorded_to` (None for the present one)."""
    rows = forms(model, identifier)
    return session.execute(sheet(rows).add_columns(rows.c.recorded_to).order_by(rows.c.version.desc())).all()


def page(
    session: Session,
    actor: Actor,
    rows: FromClause,
    sheet: Callable[[FromClause], Sheet],
    *conditions: ColumnElement[bool],
    limit: int,
    after: tuple[Any, ...] | None = None,
    order: tuple[str, ...] = ("id",),
    narrow: bool = False,
) -> Sequence[Told]:
    """The first `limit` of `rows` that follow the key `after`, as `sheet` tells them, and one more where a page follows, in one query.

    `order` names the columns of the key; the last is the id. What the sheet joins, it joins to the page alone. `narrow`: the conditions
    leave so little that it should be collected and sorted, in place of a walk through everything in order.
    """
    key = [rows.c[name] for name in order]
    wanted = select(*rows.c).where(live(rows), *conditions)
    if after is not None:
        wanted = wanted.where(key[0] > after[0] if len(key) == 1 else tuple_(*key) > tuple_(*after))
    if narrow or actor.scope == "field":
        # The planner does not know how few grids a worker or a community has: without a fence it walks the primary key through all rows.
        wanted = wanted.offset(literal_column("0"))
    fenced = wanted.subquery("wanted")
    chosen = select(*fenced.c).order_by(*(fenced.c[name] for name in order)).limit(limit + 1).subquery("chosen")
    return session.execute(sheet(chosen).order_by(*(chosen.c[name] for name in order))).all()


def in_area(rows: FromClause, code: str) -> ColumnElement[bool]:
    """Whether scoped rows lie in the area that has this code today: of a district, a subdistrict or a community.

    An unknown code holds no row. Raises InvalidError for what cannot be a code.
    """
    area = Area.__table__.alias("filter_area")
    this = and_(area.c.code == code, live(area), true_on(area.c.valid_from, area.c.valid_to, today()))
    one = select(area.c.id).where(this).scalar_subquery()
    match len(code) if code.isascii() and code.isdigit() else 0:
        case 6:
            part = Area.__table__.alias("filter_part")
            return rows.c.subdistrict_id == any_(func.array(select(part.c.id).where(part.c.parent_id == one).scalar_subquery()))
        case 9:
            return rows.c.subdistrict_id == one
        case 12:
            grid = Grid.__table__.alias("filter_grid")
            return rows.c.grid_id == any_(func.array(select(grid.c.id).where(grid.c.community_id == one).scalar_subquery()))
        case _:
            raise InvalidError("an area code has 6, 9 or 12 digits", field="area")


def is_community(code: str | None) -> bool:
    """Whether a code is a community's."""
    return code is not None and len(code) == 12


def in_grid(rows: FromClause, code: str) -> ColumnElement[bool]:
    """Whether scoped rows lie in the base grid with this code."""
    grid = Grid.__table__.alias("filter_grid")
    return rows.c.grid_id == select(grid.c.id).where(grid.c.scheme == "base", grid.c.code == code).scalar_subquery()


def midnight(day: dt.date) -> ColumnElement[dt.datetime]:
    """The moment at which a day of the district begins."""
    return func.timezone("Asia/Shanghai", cast(day, TIMESTAMP), type_=DateTime(timezone=True))


def begins(column: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """Whether a text begins with `prefix`, as a range in the order of code points: LIKE and `^@` are not leakproof, `<` is."""
    text = collate(column, "C")
    after = _next(prefix)
    return text >= prefix if after is None else and_(text >= prefix, text < after)


def _next(prefix: str) -> str | None:
    """The first text in the order of code points that comes after everything that begins with `prefix`."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return None
    following = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)
