"""Residences (居住登记): a person in a unit for a period, who declared it, who verified it."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, func, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError
from gridmgmt.history.beliefs import Sheet, Told, known, true_on
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.history.versions import correct as write
from gridmgmt.models import Person, Residence, Unit
from gridmgmt.registers.pages import begins, every_form, in_area, in_grid, is_community, one, page
from gridmgmt.registers.people import require_seen
from gridmgmt.registers.units import find_place
from gridmgmt.security import access, audit
from gridmgmt.security.access import Versions


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    person_id: uuid.UUID | None = None,
    unit: str | None = None,
    basis: str | None = None,
    main: bool | None = None,
    verified: bool | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of residences by id; `unit` is the beginning of a unit's code (its first 19 digits name the building). Audited."""
    rows = known(Residence, as_of)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([rows.c.person_id == person_id] if person_id else []),
        *([rows.c.unit_id.in_(select(Unit.id).where(begins(Unit.__table__.c.code, unit)))] if unit else []),
        *([rows.c.basis == basis] if basis else []),
        *([rows.c.main.is_(main)] if main is not None else []),
        *([(rows.c.verified_at.is_not(None)).is_(verified)] if verified is not None else []),
        *([true_on(rows.c.valid_from, rows.c.valid_to, valid_on)] if valid_on else []),
    ]
    found = page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))
    audit.record_many(session, "list", "residence", (row.id for row in found[:limit]))
    return found


def read(session: Session, actor: Actor, residence_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """One residence. Audited. Raises NotFoundError."""
    found = present(session, residence_id, as_of=as_of)
    audit.record(session, "read", "residence", residence_id, rows=1)
    return found


def present(session: Session, residence_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """The same without a trace of its own: for answers to writes, which leave theirs. Raises NotFoundError."""
    return one(session, Residence, residence_id, sheet, as_of=as_of)


def history(session: Session, actor: Actor, residence_id: uuid.UUID) -> Sequence[Told]:
    """Every form the residence had, the newest first, with when it was believed. Audited. Raises NotFoundError."""
    read(session, actor, residence_id)
    return every_form(session, Residence, residence_id, sheet)


def create(
    session: Session,
    actor: Actor,
    *,
    person_id: uuid.UUID,
    valid_from: dt.date,
    unit_id: uuid.UUID | None = None,
    unit: str | None = None,
    valid_to: dt.date | None = None,
    main: bool = True,
    basis: str = "other",
    declared_by: str | None = None,
    declared_on: dt.date | None = None,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Enter that a person lives in a unit, named by id or code, from `valid_from` to the day before `valid_to`.

    A main residence of today takes the person's record to its grid. Raises InvalidError for a person or a unit that the actor does not
    see, ConflictError for a second main residence in the period.
    """
    require_seen(session, person_id)
    place = find_place(session, unit_id=unit_id, code=unit)
    values = {
        "person_id": person_id,
        "unit_id": place.id,
        "grid_id": place.grid_id,
        "subdistrict_id": place.subdistrict_id,
        "main": main,
        "basis": basis,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "declared_by": declared_by,
        "declared_on": declared_on,
    }
    made = make(session, Residence, values, identifier=identifier)
    audit.record(session, "create", "residence", made.id, detail={"person": str(person_id)})
    return made


def correct(session: Session, actor: Actor, residence_id: uuid.UUID, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change `main`, `basis`, `valid_from`, `valid_to`, `declared_by` or `declared_on`; what was believed before is kept.

    Raises InvalidError, ConflictError, StaleError, NotFoundError.
    """
    new = write(session, Residence, residence_id, changes, versions=versions)
    audit.record(session, "correct", "residence", residence_id, detail={"fields": sorted(changes)})
    return new


def end(session: Session, actor: Actor, residence_id: uuid.UUID, *, on: dt.date, versions: Versions, reason: str | None = None) -> int:
    """The person moved out: `on` is the first day on which the person lives there no more.

    Raises ConflictError when it had ended before (correct it then), InvalidError, StaleError, NotFoundError.
    """
    row = access.lock(session, Residence, residence_id, versions)
    if row.valid_to is not None and row.valid_to <= on:
        raise ConflictError(f"the residence ended on {row.valid_to.isoformat()} already", field="on", slug="already-ended")
    new = write(session, Residence, residence_id, {"valid_to": on}, versions=versions)
    audit.record(session, "end", "residence", residence_id, detail={"on": on.isoformat(), "reason": reason})
    return new


def verify(session: Session, actor: Actor, residence_id: uuid.UUID, *, versions: Versions) -> int:
    """Somebody was there and saw it: writes down who and when. Raises StaleError, NotFoundError."""
    seen = {"verified_by": actor.account_id, "verified_at": func.transaction_timestamp()}
    new = write(session, Residence, residence_id, seen, versions=versions)
    audit.record(session, "verify", "residence", residence_id)
    return new


def delete(session: Session, actor: Actor, residence_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a residence that was entered by mistake. Raises as `correct` does."""
    strike(session, Residence, residence_id, versions=versions)
    audit.record(session, "delete", "residence", residence_id)


def sheet(rows: FromClause) -> Sheet:
    """What is told of residences, with the unit's code and the person's name, which is masked before it is answered."""
    names = ("id", "version", "recorded_from", "grid_id", "subdistrict_id", "person_id", "unit_id", "main", "basis")
    rest = ("valid_from", "valid_to", "declared_by", "declared_on", "verified_by", "verified_at")
    unit, person = Unit.__table__.alias("its_unit"), Person.__table__.alias("its_person")
    joined = rows.outerjoin(unit, unit.c.id == rows.c.unit_id).outerjoin(person, person.c.id == rows.c.person_id)
    told = [rows.c[name] for name in (*names, *rest)]
    return select(*told, unit.c.code.label("unit"), person.c.name.label("person_name")).select_from(joined)
