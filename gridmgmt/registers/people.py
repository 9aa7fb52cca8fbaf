"""People (实有人口): one register of all who live here. What is seen is masked; numbers and phones are sealed (see reveals.py)."""

import datetime as dt
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, SmallInteger, func, literal, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError, StaleError
from gridmgmt.history.beliefs import Sheet, Told, known, live, today, true_on
from gridmgmt.history.versions import correct as write
from gridmgmt.history.versions import strike
from gridmgmt.models import Person, Residence, Unit
from gridmgmt.registers.grids import id_of
from gridmgmt.registers.identity_numbers import IdentityNumber, IdentityNumberError, parse_identity_number
from gridmgmt.registers.masks import mask_number, mask_phone
from gridmgmt.registers.pages import begins, every_form, in_area, in_grid, is_community, one, page
from gridmgmt.registers.phones import PhoneError, parse_phone
from gridmgmt.registers.units import find_place
from gridmgmt.security import access, audit
from gridmgmt.security.access import Versions
from gridmgmt.security.sealing import Sealer


@dataclass(frozen=True)
class Particulars:
    """What somebody says of a person. Sex and year of birth count only where there is no number, which says both."""

    name: str
    registration: str
    identity_number: str | None = None
    phone: str | None = None
    sex: str | None = None
    birth_year: int | None = None


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    name: str | None = None,
    registration: str | None = None,
    unit: str | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of people by id; `name` is a beginning, `unit` the beginning of the code of a unit lived in on `valid_on` (today). Audited."""
    rows = known(Person, as_of)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([begins(rows.c.name, unicodedata.normalize("NFC", name))] if name else []),
        *([rows.c.registration == registration] if registration else []),
    ]
    if unit or valid_on:
        conditions.append(rows.c.id.in_(_residents(unit, valid_on, as_of)))
    found = page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))
    audit.record_many(session, "list", "person", (row.id for row in found[:limit]))
    return found


def read(session: Session, actor: Actor, person_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """One person. Audited. Raises NotFoundError."""
    found = present(session, person_id, as_of=as_of)
    audit.record(session, "read", "person", person_id, rows=1)
    return found


def present(session: Session, person_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """The same without a trace of its own: for answers to writes, which leave theirs. Raises NotFoundError."""
    return one(session, Person, person_id, sheet, as_of=as_of)


def history(session: Session, actor: Actor, person_id: uuid.UUID) -> Sequence[Told]:
    """Every form the record had, the newest first, with when it was believed. Audited. Raises NotFoundError."""
    read(session, actor, person_id)
    return every_form(session, Person, person_id, sheet)


def create(
    session: Session,
    actor: Actor,
    sealer: Sealer,
    said: Particulars,
    *,
    grid: str | None = None,
    unit: str | None = None,
    today: dt.date,
    demo: bool = False,
    identifier: uuid.UUID | None = None,
) -> uuid.UUID:
    """Enter a person in the grid of a unit, or in a grid, each named by its code, and give the id of the record.

    Whether the number was known before is told by nothing: not by the answer, the rows written or the time it takes. Raises
    InvalidError, and ConflictError for an id that was used with other content.
    """
    grid_id = id_of(session, grid) if grid is not None else _grid_of_unit(session, unit)
    number = None if said.identity_number is None else number_of(said.identity_number, today=today, demo=demo)
    phone = None if said.phone is None else phone_of(said.phone)
    person = identifier or new_id(session)
    identity = uuid.uuid4()
    born = number.birth_date.year if number else said.birth_year
    written = func.sec.person_ensure(
        person,
        grid_id,
        identity,
        sealer.blind_index(number.value) if number else None,
        sealer.seal("identity|id_enc", identity, number.value) if number else None,
        literal(sealer.version, SmallInteger),
        unicodedata.normalize("NFC", said.name),
        number.sex if number else said.sex,
        born,
        mask_number(number.value) if number else None,
        sealer.seal("person_secret|phone_enc", person, phone) if phone else None,
        mask_phone(phone) if phone else None,
        said.registration,
    )
    session.execute(select(written)).scalar_one()
    audit.record(session, "create", "person", person)
    return person


def correct(session: Session, actor: Actor, sealer: Sealer, person_id: uuid.UUID, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change `name`, `registration`, `phone` (None takes it away), or `sex` and `birth_year` where no number says them.

    Raises InvalidError, StaleError, NotFoundError.
    """
    values = dict(changes)
    row = access.lock(session, Person, person_id, versions)
    if row.id_mask is not None and values.keys() & {"sex", "birth_year"}:
        raise InvalidError("the identity number says sex and year of birth", field="sex" if "sex" in values else "birth_year")
    if "name" in values:
        values["name"] = unicodedata.normalize("NFC", values["name"])
    if "phone" in values:
        given = values.pop("phone")
        phone = None if given is None else phone_of(given)
        sealed = None if phone is None else sealer.seal("person_secret|phone_enc", person_id, phone)
        session.execute(select(func.sec.person_phone(person_id, sealed, literal(sealer.version, SmallInteger)))).scalar_one()
        values["phone_mask"] = None if phone is None else mask_phone(phone)
    new = write(session, Person, person_id, values, versions=versions)
    audit.record(session, "correct", "person", person_id, detail={"fields": sorted(changes)})
    return new


def move(session: Session, actor: Actor, person_id: uuid.UUID, *, unit: str, on: dt.date, versions: Versions) -> None:
    """The person moved to the unit with this code, wherever it is: ends the main residence on the day `on` and hands the record over.

    Says nothing of whether the unit exists or whose it is; the new residence is for those to enter who see the unit. Raises StaleError,
    NotFoundError.
    """
    row = access.lock(session, Person, person_id, versions)
    # First what the writer sees; afterwards the person may be somebody else's.
    session.execute(select(func.sec.end_residence(person_id, on))).scalar_one()
    if session.execute(select(func.sec.relocate_person(person_id, row.version, unit))).scalar_one() != "accepted":
        raise StaleError("the row was changed since it was read: read it again", version=row.version)
    audit.record(session, "move", "person", person_id, detail={"on": on.isoformat()})


def delete(session: Session, actor: Actor, person_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a record that was entered by mistake, of somebody who lives nowhere. Raises ConflictError, StaleError, NotFoundError."""
    strike(session, Person, person_id, versions=versions)
    audit.record(session, "delete", "person", person_id)


def sheet(rows: FromClause) -> Sheet:
    """What is told of people; the name is masked before it is answered."""
    names = (
        "id",
        "version",
        "recorded_from",
        "grid_id",
        "subdistrict_id",
        "name",
        "sex",
        "birth_year",
        "id_mask",
        "phone_mask",
        "registration",
    )
    return select(*(rows.c[name] for name in names))


def require_seen(session: Session, person_id: uuid.UUID, *, field: str = "person_id") -> None:
    """Raises InvalidError naming `field` for a person who is not there or whom the actor does not see: a foreign key sees everybody."""
    if session.execute(select(Person.id).where(Person.id == person_id, Person.deleted_at.is_(None))).first() is None:
        raise InvalidError("there is no such person, or none that you may see", field=field, slug="unknown-reference")


def new_id(session: Session) -> uuid.UUID:
    """An id known before the row is written: seals are bound to it."""
    return session.execute(select(func.reg.uuid7())).scalar_one()


def number_of(text: str, *, today: dt.date, demo: bool) -> IdentityNumber:
    """The number, or InvalidError naming `identity_number` and not showing it."""
    try:
        return parse_identity_number(text, today=today, demo=demo)
    except IdentityNumberError as error:
        raise InvalidError(str(error), field="identity_number", reason=error.reason) from None


def phone_of(text: str) -> str:
    """The eleven digits, or InvalidError naming `phone` and not showing it."""
    try:
        return parse_phone(text)
    except PhoneError as error:
        raise InvalidError(str(error), field="phone") from None


def _grid_of_unit(session: Session, unit: str | None) -> int:
    if unit is None:
        raise InvalidError("name the unit or the grid where the person lives", field="unit")
    return find_place(session, code=unit).grid_id


def _residents(unit: str | None, day: dt.date | None, as_of: dt.datetime | None) -> Any:
    """Ids of who lives in units whose code begins so, on the day or today, as believed now or at `as_of`."""
    living, place = known(Residence, as_of).alias("living"), Unit.__table__.alias("place")
    then: Any = today() if day is None else day
    here = [live(living), true_on(living.c.valid_from, living.c.valid_to, then)]
    here += [begins(place.c.code, unit)] if unit else []
    return select(living.c.person_id).select_from(living.join(place, place.c.id == living.c.unit_id)).where(*here)
