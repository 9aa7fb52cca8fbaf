"""Leases (租赁合同): parties, rent, term, filing, and sublets in a chain."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import FromClause, Integer, case, func, select
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError, InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known, today, true_on
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.history.versions import correct as write
from gridmgmt.models import Lease, Person, Unit
from gridmgmt.registers import landlords
from gridmgmt.registers.pages import begins, every_form, in_area, in_grid, is_community, one, page
from gridmgmt.registers.people import new_id, require_seen
from gridmgmt.registers.units import find_place
from gridmgmt.security import access, audit
from gridmgmt.security.access import Versions

FILING_DAYS = 30
"""Days from signing within which a lease is filed: commercial housing lease measures of the ministry, 2011, art. 14."""
LOOSE = ("drafted", "cancelled")
"""States in which a lease binds nobody."""


@dataclass(frozen=True)
class Rent:
    """Yuan, by the `month`, by the month and square metre (`m2_month`) or by the `year`."""

    amount: Decimal
    unit: str


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    unit: str | None = None,
    state: str | None = None,
    number: str | None = None,
    lessee_id: uuid.UUID | None = None,
    valid_on: dt.date | None = None,
    ends_from: dt.date | None = None,
    ends_before: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of leases by id; `unit` and `number` are beginnings of codes, `valid_on` a day of the term that was not cut off. Audited.

    `ends_from` and `ends_before` are days between which the unit comes free, the first of them included.
    """
    rows = known(Lease, as_of)
    free = func.coalesce(rows.c.ended_on, rows.c.valid_to)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([rows.c.unit_id.in_(select(Unit.id).where(begins(Unit.__table__.c.code, unit)))] if unit else []),
        *([rows.c.state == state] if state else []),
        *([begins(rows.c.number, number)] if number else []),
        *([rows.c.lessee_id == lessee_id] if lessee_id else []),
        *([true_on(rows.c.valid_from, free, valid_on)] if valid_on else []),
        *([free >= ends_from] if ends_from else []),
        *([free < ends_before] if ends_before else []),
    ]
    found = page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))
    audit.record_many(session, "list", "lease", (row.id for row in found[:limit]))
    return found


def read(session: Session, actor: Actor, lease_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """One lease. Audited. Raises NotFoundError."""
    found = present(session, lease_id, as_of=as_of)
    audit.record(session, "read", "lease", lease_id, rows=1)
    return found


def present(session: Session, lease_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """The same without a trace of its own: for answers to writes, which leave theirs. Raises NotFoundError."""
    return one(session, Lease, lease_id, sheet, as_of=as_of)


def history(session: Session, actor: Actor, lease_id: uuid.UUID) -> Sequence[Told]:
    """Every form the lease had, the newest first, with when it was believed. Audited. Raises NotFoundError."""
    read(session, actor, lease_id)
    return every_form(session, Lease, lease_id, sheet)


def create(
    session: Session,
    actor: Actor,
    *,
    rent: Rent,
    valid_from: dt.date,
    valid_to: dt.date,
    unit_id: uuid.UUID | None = None,
    unit: str | None = None,
    number: str | None = None,
    parent_id: uuid.UUID | None = None,
    lessor_name: str | None = None,
    lessee_id: uuid.UUID | None = None,
    area_basis_m2: Decimal | None = None,
    deposit_fen: int | None = None,
    signed_on: dt.date | None = None,
    new_let: bool = True,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Enter a lease of a unit for [`valid_from`, `valid_to`): signed where it says when, else drafted.

    `parent_id` names the head lease of a sublet, `area_basis_m2` the square metres that the rent is for (the unit's). Without `number`
    one is made of the id. Raises InvalidError, ConflictError when the unit is let in the period.
    """
    place = find_place(session, unit_id=unit_id, code=unit)
    if lessee_id is not None:
        require_seen(session, lessee_id, field="lessee_id")
    if parent_id is not None:
        _require_head(session, parent_id, place.id)
    basis = area_basis_m2 or place.area_m2
    chosen = identifier or new_id(session)
    values = {
        "number": number or f"GL-{chosen.hex}",
        "unit_id": place.id,
        "grid_id": place.grid_id,
        "subdistrict_id": place.subdistrict_id,
        "parent_id": parent_id,
        "lessor_name": lessor_name,
        "landlord_id": None if lessor_name is None else landlords.ensure(session, place.grid_id, lessor_name),
        "lessee_id": lessee_id,
        **_rent(rent, basis),
        "area_basis_m2": basis,
        "deposit_fen": deposit_fen,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "signed_on": signed_on,
        "state": "drafted" if signed_on is None else "signed",
        "new_let": new_let,
    }
    made = make(session, Lease, values, identifier=chosen)
    audit.record(session, "create", "lease", made.id)
    return made


def correct(session: Session, actor: Actor, lease_id: uuid.UUID, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change terms, parties or `state` (only by the steps that there are), and give the new version; `rent` is a Rent.

    Raises InvalidError, ConflictError, StaleError, NotFoundError.
    """
    values = dict(changes)
    row = access.lock(session, Lease, lease_id, versions)
    if values.get("lessee_id") is not None:
        require_seen(session, values["lessee_id"], field="lessee_id")
    if "lessor_name" in values:
        name = values["lessor_name"]
        values["landlord_id"] = None if name is None else landlords.ensure(session, row.grid_id, name)
    if "rent" in values or "area_basis_m2" in values:
        rent = values.pop("rent", None) or Rent(row.rent_given, row.rent_unit)
        values |= _rent(rent, values.get("area_basis_m2") or row.area_basis_m2)
    if values.get("state") == "signed" and row.signed_on is None and values.get("signed_on") is None:
        raise InvalidError("a signed lease says when", field="signed_on")
    new = write(session, Lease, lease_id, values, versions=versions)
    audit.record(session, "correct", "lease", lease_id, detail={"fields": sorted(changes)})
    return new


def file(session: Session, actor: Actor, lease_id: uuid.UUID, *, on: dt.date, versions: Versions) -> int:
    """The lease was filed (备案) on a day. Raises ConflictError unless it is signed, changed or renewed; StaleError, NotFoundError."""
    new = write(session, Lease, lease_id, {"state": "filed", "filed_on": on}, versions=versions)
    audit.record(session, "file", "lease", lease_id, detail={"on": on.isoformat()})
    return new


def end(
    session: Session,
    actor: Actor,
    lease_id: uuid.UUID,
    *,
    on: dt.date,
    versions: Versions,
    state: str = "terminated",
    reason: str | None = None,
) -> int:
    """The lease ends: `on` is the first day on which the unit is free. `state`: terminated, expired or cancelled.

    Raises InvalidError for a day outside the term, ConflictError for a sublet that would outlast it or a lease that has ended,
    StaleError, NotFoundError.
    """
    access.lock(session, Lease, lease_id, versions)
    values = {"state": state} if state == "cancelled" else {"state": state, "ended_on": on}
    new = write(session, Lease, lease_id, values, versions=versions)
    audit.record(session, "end", "lease", lease_id, detail={"on": on.isoformat(), "state": state, "reason": reason})
    return new


def delete(session: Session, actor: Actor, lease_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a lease that was entered by mistake. Raises ConflictError while it has sublets; StaleError, NotFoundError."""
    access.lock(session, Lease, lease_id, versions)
    sublet = select(Lease.id).where(Lease.parent_id == lease_id, Lease.deleted_at.is_(None))
    if session.execute(sublet).first() is not None:
        raise ConflictError("the lease has sublets", slug="lease-has-sublets")
    strike(session, Lease, lease_id, versions=versions)
    audit.record(session, "delete", "lease", lease_id)


def monthly_fen(rent: Rent, area_m2: Decimal) -> int:
    """The rent in 分 (1/100 yuan) a month, half a 分 rounded up: by the m² times the area, by the year a twelfth."""
    monthly = {"month": rent.amount, "m2_month": rent.amount * area_m2, "year": rent.amount / 12}[rent.unit]
    return int((monthly * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def sheet(rows: FromClause) -> Sheet:
    """What is told of leases, with the unit's code and the lessee's name, which is masked before it is answered.

    `sublet_depth`: 0 for a head lease, 1 for a sublet of one, 2 for a sublet of a sublet or deeper. `filed_late`: filed more than 30
    days after signing, or not filed though the 30 days are over.
    """
    names = ("id", "version", "recorded_from", "grid_id", "subdistrict_id", "number", "unit_id", "parent_id", "lessor_name", "lessee_id")
    terms = ("rent_fen", "rent_given", "rent_unit", "area_basis_m2", "deposit_fen", "valid_from", "valid_to", "signed_on", "filed_on")
    unit, person, head = Unit.__table__.alias("its_unit"), Person.__table__.alias("its_lessee"), Lease.__table__.alias("its_head")
    joined = rows.outerjoin(unit, unit.c.id == rows.c.unit_id).outerjoin(person, person.c.id == rows.c.lessee_id)
    joined = joined.outerjoin(head, head.c.id == rows.c.parent_id)
    depth = case((rows.c.parent_id.is_(None), 0), (head.c.parent_id.is_(None), 1), else_=2)
    due = rows.c.signed_on + cast_to(FILING_DAYS, Integer)
    late = func.coalesce(func.coalesce(rows.c.filed_on, today()) > due, False) & rows.c.state.not_in(LOOSE)
    told = [rows.c[name] for name in (*names, *terms, "ended_on", "state", "new_let")]
    extra = (unit.c.code.label("unit"), person.c.name.label("lessee_name"), depth.label("sublet_depth"), late.label("filed_late"))
    return select(*told, *extra).select_from(joined)


def _rent(rent: Rent, area_m2: Decimal) -> dict[str, Any]:
    return {"rent_fen": monthly_fen(rent, area_m2), "rent_given": rent.amount, "rent_unit": rent.unit}


def _require_head(session: Session, parent_id: uuid.UUID, unit_id: uuid.UUID) -> None:
    head = select(Lease.id).where(Lease.id == parent_id, Lease.unit_id == unit_id, Lease.deleted_at.is_(None), Lease.state.not_in(LOOSE))
    if session.execute(head).first() is None:
        raise InvalidError(
            "there is no such lease of this unit in force, or none that you may see", field="parent_id", slug="unknown-reference"
        )
