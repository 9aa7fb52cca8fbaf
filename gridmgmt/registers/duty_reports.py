"""Duty reports (楼管员日志): what a building's manager saw or did on a day. A report is added or struck out, never corrected."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import FromClause, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.models import Building, DutyReport, Manager, Unit
from gridmgmt.registers.pages import in_area, in_grid, is_community, one, page
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
    manager_id: uuid.UUID | None = None,
    building_id: uuid.UUID | None = None,
    kind: str | None = None,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> Sequence[Told]:
    """A page of reports by id; `first` and `last` are days on which something happened, both of them counted."""
    rows = known(DutyReport)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([rows.c.manager_id == manager_id] if manager_id else []),
        *([rows.c.manager_id.in_(select(Manager.id).where(Manager.building_id == building_id))] if building_id else []),
        *([rows.c.kind == kind] if kind else []),
        *([rows.c.happened_on >= first] if first else []),
        *([rows.c.happened_on <= last] if last else []),
    ]
    return page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))


def read(session: Session, actor: Actor, report_id: uuid.UUID) -> Told:
    """One report. Raises NotFoundError."""
    return one(session, DutyReport, report_id, sheet)


def create(
    session: Session,
    actor: Actor,
    *,
    manager_id: uuid.UUID,
    kind: str,
    happened_on: dt.date,
    unit_id: uuid.UUID | None = None,
    persons: int | None = None,
    note: str | None = None,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Enter what the manager reports. An appointment that ended since may still report what happened before.

    Raises InvalidError for an appointment or a unit that the actor does not see, for a unit of another building and for a day to come.
    """
    place: Sheet = select(Manager.grid_id, Manager.subdistrict_id)
    manager = session.execute(place.where(Manager.id == manager_id, Manager.deleted_at.is_(None))).one_or_none()
    if manager is None:
        raise InvalidError("there is no such manager, or none that you may see", field="manager_id", slug="unknown-reference")
    values = {
        "manager_id": manager_id,
        "unit_id": unit_id,
        "kind": kind,
        "happened_on": happened_on,
        "persons": persons,
        "note": note,
    }
    derived = {"grid_id": manager.grid_id, "subdistrict_id": manager.subdistrict_id}
    made = make(session, DutyReport, values, derived=derived, identifier=identifier)
    if made.fresh:
        audit.record(session, "create", "duty_report", made.id)
    return made


def delete(session: Session, actor: Actor, report_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a report that was entered by mistake. Raises StaleError, NotFoundError."""
    strike(session, DutyReport, report_id, versions=versions)
    audit.record(session, "delete", "duty_report", report_id)


def sheet(rows: FromClause) -> Sheet:
    """What is told of reports, with the building of the appointment and the unit's code. Who the manager is, the appointment tells."""
    names = ("id", "version", "recorded_from", "grid_id", "subdistrict_id", "manager_id", "unit_id", "kind", "happened_on", "persons")
    manager, building = Manager.__table__.alias("its_manager"), Building.__table__.alias("its_building")
    unit = Unit.__table__.alias("its_unit")
    joined = rows.outerjoin(manager, manager.c.id == rows.c.manager_id).outerjoin(building, building.c.id == manager.c.building_id)
    joined = joined.outerjoin(unit, unit.c.id == rows.c.unit_id)
    extra = (manager.c.building_id.label("building_id"), building.c.house_code.label("house_code"), unit.c.code.label("unit"))
    return select(*(rows.c[name] for name in (*names, "note")), *extra).select_from(joined)
