"""Building managers (楼管员): one appointment is a person, a building and a period; the community appoints, police and office guide."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, func, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known, live, today, true_on
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.history.versions import correct as write
from gridmgmt.models import Building, Manager, Person
from gridmgmt.registers.pages import begins, every_form, in_area, in_grid, is_community, one, page
from gridmgmt.registers.people import require_seen
from gridmgmt.security import audit
from gridmgmt.security.access import Versions

MOST_BUILDINGS = 5
"""Buildings that one manager can look after; our proposal, which the office confirms. More is told beside the answer, not refused."""


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    building_id: uuid.UUID | None = None,
    house_code: str | None = None,
    person_id: uuid.UUID | None = None,
    state: str | None = None,
    kind: str | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of appointments by id; `house_code` is a beginning. Audited."""
    rows = known(Manager, as_of)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([rows.c.building_id == building_id] if building_id else []),
        *([rows.c.building_id.in_(select(Building.id).where(begins(Building.__table__.c.house_code, house_code)))] if house_code else []),
        *([rows.c.person_id == person_id] if person_id else []),
        *([rows.c.state == state] if state else []),
        *([rows.c.kind == kind] if kind else []),
        *([true_on(rows.c.valid_from, rows.c.valid_to, valid_on)] if valid_on else []),
    ]
    found = page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))
    audit.record_many(session, "list", "manager", (row.id for row in found[:limit]))
    return found


def read(session: Session, actor: Actor, manager_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """One appointment. Audited. Raises NotFoundError."""
    found = present(session, manager_id, as_of=as_of)
    audit.record(session, "read", "manager", manager_id, rows=1)
    return found


def present(session: Session, manager_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """The same without a trace of its own: for answers to writes, which leave theirs. Raises NotFoundError."""
    return one(session, Manager, manager_id, sheet, as_of=as_of)


def history(session: Session, actor: Actor, manager_id: uuid.UUID) -> Sequence[Told]:
    """Every form the appointment had, the newest first, with when it was believed. Audited. Raises NotFoundError."""
    read(session, actor, manager_id)
    return every_form(session, Manager, manager_id, sheet)


def create(
    session: Session,
    actor: Actor,
    *,
    person_id: uuid.UUID,
    building_id: uuid.UUID,
    kind: str,
    valid_from: dt.date,
    valid_to: dt.date | None = None,
    archive_number: str | None = None,
    police_contact: str | None = None,
    office_contact: str | None = None,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Propose a person as manager of a building: a candidate, who is checked, appointed and trained before being active.

    Raises InvalidError for a person or a building that the actor does not see, ConflictError for a second appointment in the period.
    """
    require_seen(session, person_id)
    place: Sheet = select(Building.grid_id, Building.subdistrict_id)
    building = session.execute(place.where(Building.id == building_id, Building.deleted_at.is_(None))).one_or_none()
    if building is None:
        raise InvalidError("there is no such building, or none that you may see", field="building_id", slug="unknown-reference")
    values = {
        "person_id": person_id,
        "building_id": building_id,
        "grid_id": building.grid_id,
        "subdistrict_id": building.subdistrict_id,
        "kind": kind,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "archive_number": archive_number,
        "police_contact": police_contact,
        "office_contact": office_contact,
    }
    made = make(session, Manager, values, identifier=identifier)
    audit.record(session, "create", "manager", made.id, detail={"person": str(person_id)})
    return made


def correct(session: Session, actor: Actor, manager_id: uuid.UUID, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change `kind`, `state` (only by the steps that there are), period, archive number or contacts, and give the new version.

    Raises InvalidError, ConflictError, StaleError, NotFoundError.
    """
    new = write(session, Manager, manager_id, changes, versions=versions)
    audit.record(session, "correct", "manager", manager_id, detail={"fields": sorted(changes)})
    return new


def end(
    session: Session, actor: Actor, manager_id: uuid.UUID, *, on: dt.date, state: str, versions: Versions, reason: str | None = None
) -> int:
    """The manager was dismissed or resigned (`state`): `on` is the first day without. Raises as `correct` does."""
    new = write(session, Manager, manager_id, {"state": state, "valid_to": on}, versions=versions)
    audit.record(session, "end", "manager", manager_id, detail={"on": on.isoformat(), "state": state, "reason": reason})
    return new


def delete(session: Session, actor: Actor, manager_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out an appointment that was entered by mistake. Raises as `correct` does."""
    strike(session, Manager, manager_id, versions=versions)
    audit.record(session, "delete", "manager", manager_id)


def sheet(rows: FromClause) -> Sheet:
    """What is told of appointments, with the house code, the person's name (masked before it is answered) and how many buildings the
    person manages today, of those that the actor sees.
    """
    names = ("id", "version", "recorded_from", "grid_id", "subdistrict_id", "person_id", "building_id", "kind", "state", "archive_number")
    rest = ("valid_from", "valid_to", "police_contact", "office_contact")
    building, person, other = (
        Building.__table__.alias("its_building"),
        Person.__table__.alias("its_person"),
        Manager.__table__.alias("other"),
    )
    joined = rows.outerjoin(building, building.c.id == rows.c.building_id).outerjoin(person, person.c.id == rows.c.person_id)
    holds = (other.c.person_id == rows.c.person_id, live(other), true_on(other.c.valid_from, other.c.valid_to, today()))
    count = select(func.count(other.c.building_id.distinct())).where(*holds).scalar_subquery()
    told = [rows.c[name] for name in (*names, *rest)]
    extra = (building.c.house_code.label("house_code"), person.c.name.label("person_name"), count.label("buildings"))
    return select(*told, *extra).select_from(joined)
