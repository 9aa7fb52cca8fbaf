"""Units (单元): the parts of a building that can be let on their own, each under a 25-digit code."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import FromClause, Integer, func, null, select, type_coerce
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known, live, today, true_on
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.history.versions import correct as write
from gridmgmt.models import Building, Residence, Unit
from gridmgmt.registers.buildings import standing
from gridmgmt.registers.pages import begins, every_form, in_area, in_grid, is_community, one, page
from gridmgmt.security import audit
from gridmgmt.security.access import Versions


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    building_id: uuid.UUID | None = None,
    code: str | None = None,
    use: str | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of units by id; `area` and `grid` are codes, `code` a beginning (the first 19 digits name the building)."""
    rows = known(Unit, as_of)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([rows.c.building_id == building_id] if building_id else []),
        *([begins(rows.c.code, code)] if code else []),
        *([rows.c.use == use] if use else []),
        *([standing(rows, valid_on)] if valid_on else []),
    ]
    return page(
        session, actor, rows, partial(sheet, occupants=as_of is None), *conditions, limit=limit, after=after, narrow=is_community(area)
    )


def read(session: Session, actor: Actor, unit_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """One unit. Raises NotFoundError."""
    return one(session, Unit, unit_id, lambda rows: sheet(rows, occupants=as_of is None), as_of=as_of)


def history(session: Session, actor: Actor, unit_id: uuid.UUID) -> Sequence[Told]:
    """Every form the unit had, the newest first, with when it was believed. Raises NotFoundError."""
    read(session, actor, unit_id)
    return every_form(session, Unit, unit_id, lambda rows: sheet(rows, occupants=False))


def create(
    session: Session,
    actor: Actor,
    *,
    building_id: uuid.UUID,
    code: str,
    floor: int,
    room: str,
    area_m2: Decimal,
    use: str,
    max_occupants: int | None = None,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Enter a unit of a building that the actor sees; `area_m2` is square metres of floor. The code begins with the house code.

    Raises InvalidError, ConflictError.
    """
    place: Sheet = select(Building.house_code, Building.grid_id, Building.subdistrict_id)
    building = session.execute(place.where(Building.id == building_id, Building.deleted_at.is_(None))).one_or_none()
    if building is None:
        raise InvalidError("there is no such building, or none that you may see", field="building_id", slug="unknown-reference")
    if not code.startswith(building.house_code):
        raise InvalidError("the first 19 digits of a unit's code are its building's house code", field="code")
    values = {
        "building_id": building_id,
        "grid_id": building.grid_id,
        "subdistrict_id": building.subdistrict_id,
        "code": code,
        "floor": floor,
        "room": room,
        "area_m2": area_m2,
        "use": use,
        "max_occupants": max_occupants,
    }
    made = make(session, Unit, values, identifier=identifier)
    if made.fresh:
        audit.record(session, "create", "unit", made.id)
    return made


def correct(session: Session, actor: Actor, unit_id: uuid.UUID, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change `floor`, `room`, `area_m2`, `use` or `max_occupants`, and give the new version.

    Raises InvalidError, StaleError, NotFoundError.
    """
    new = write(session, Unit, unit_id, changes, versions=versions)
    audit.record(session, "correct", "unit", unit_id, detail={"fields": sorted(changes)})
    return new


def end(session: Session, actor: Actor, unit_id: uuid.UUID, *, on: dt.date, versions: Versions, reason: str | None = None) -> int:
    """Retire a unit that nobody lives in from the day `on`, the first on which it is no more.

    Raises ConflictError while somebody lives there then, StaleError, NotFoundError.
    """
    new = write(session, Unit, unit_id, {"retired_on": on}, versions=versions)
    audit.record(session, "end", "unit", unit_id, detail={"on": on.isoformat(), "reason": reason})
    return new


def delete(session: Session, actor: Actor, unit_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a unit that was entered by mistake. Raises as `end` does; no residence, past or present, may name it."""
    strike(session, Unit, unit_id, versions=versions)
    audit.record(session, "delete", "unit", unit_id)


def sheet(rows: FromClause, *, occupants: bool) -> Sheet:
    """What is told of units. `occupants` counts who lives there today; None where the past is told."""
    names = ("id", "version", "recorded_from", "building_id", "grid_id", "subdistrict_id", "code")
    rest = ("floor", "room", "area_m2", "use", "max_occupants", "retired_on")
    living = Residence.__table__.alias("living")
    here = (living.c.unit_id == rows.c.id, live(living), true_on(living.c.valid_from, living.c.valid_to, today()))
    count: Any = select(func.count()).select_from(living).where(*here).scalar_subquery() if occupants else type_coerce(null(), Integer)
    return select(*(rows.c[name] for name in (*names, *rest)), count.label("occupants"))


def find_place(session: Session, *, unit_id: uuid.UUID | None = None, code: str | None = None) -> Told:
    """`id`, `code`, `grid_id`, `subdistrict_id`, `area_m2` of a unit that the actor sees, by its id or else its code.

    Raises InvalidError.
    """
    field = "unit_id" if unit_id is not None else "unit"
    this = Unit.id == unit_id if unit_id is not None else Unit.code == code
    place: Sheet = select(Unit.id, Unit.code, Unit.grid_id, Unit.subdistrict_id, Unit.area_m2).where(this, Unit.deleted_at.is_(None))
    found = session.execute(place).one_or_none()
    if found is None:
        raise InvalidError("there is no such unit, or none that you may see", field=field, slug="unknown-reference")
    return found
