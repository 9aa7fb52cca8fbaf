"""Reveals, look-ups and comparisons, the only roads to a sealed number or phone: a purpose, a reason, a quota, and a trace each time."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import QuotaError
from gridmgmt.history.beliefs import Sheet, Told, known, live
from gridmgmt.history.versions import unseen
from gridmgmt.models import Person
from gridmgmt.registers.people import number_of, sheet
from gridmgmt.security.sealing import Sealer

PURPOSES = ("residence_check", "lease_filing", "correction", "subject_request", "emergency")
"""Duties that need a full view: to check a declared residence, to file a lease, to correct an entry, to answer the person, to help."""


@dataclass(frozen=True)
class Revealed:
    """The full values; `birth_date` is what the number says, None without one."""

    id: uuid.UUID
    name: str
    identity_number: str | None
    phone: str | None
    birth_date: dt.date | None


@dataclass(frozen=True)
class Compared:
    """Whether somebody with the number is registered anywhere; then, whether no main residence is in force today; and, where there is
    one and a unit was named, whether it is another unit. None where the question does not arise.
    """

    registered: bool
    expired: bool | None
    address_differs: bool | None


def reveal(session: Session, actor: Actor, sealer: Sealer, person_id: uuid.UUID, *, purpose: str, reason: str) -> Revealed:
    """Open what is sealed of a person. The row of the trail is written with it. Raises QuotaError, NotFoundError."""
    _require_quota(session, "reveal")
    opened: Sheet = select(func.sec.reveal(person_id, purpose, reason).table_valued("identity_id", "id_enc", "phone_enc"))
    sealed = session.execute(opened).one_or_none()
    if sealed is None:
        raise unseen(Person)
    name: str = session.execute(select(Person.name).where(Person.id == person_id)).scalar_one()
    number = None if sealed.id_enc is None else sealer.open("identity|id_enc", uuid.UUID(str(sealed.identity_id)), sealed.id_enc)
    phone = None if sealed.phone_enc is None else sealer.open("person_secret|phone_enc", person_id, sealed.phone_enc)
    born = None if number is None else dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return Revealed(person_id, name, number, phone, born)


def look_up(
    session: Session, actor: Actor, sealer: Sealer, *, identity_number: str, purpose: str, reason: str, today: dt.date, demo: bool = False
) -> Sequence[Told]:
    """The records with this number, of those that the actor sees. A miss takes the same steps as a hit, costs and leaves the same.

    Raises InvalidError for a number that cannot be, QuotaError.
    """
    number = number_of(identity_number, today=today, demo=demo)
    _require_quota(session, "lookup")
    ids = session.execute(select(func.sec.person_by_number(sealer.blind_index(number.value), purpose, reason))).scalars().all()
    rows = known(Person)
    return session.execute(sheet(rows).where(rows.c.id.in_(ids), live(rows)).order_by(rows.c.id)).all()


def compare(
    session: Session,
    actor: Actor,
    sealer: Sealer,
    *,
    identity_number: str,
    unit: str | None,
    purpose: str,
    reason: str,
    today: dt.date,
    demo: bool = False,
) -> Compared:
    """What the whole register says of a number, in three words and nothing more: for a check at the door of somebody from elsewhere.

    Handhelds hold no index of the district; this is asked for, counted and traced, hit or miss. Raises InvalidError for a number that
    cannot be, QuotaError.
    """
    number = number_of(identity_number, today=today, demo=demo)
    _require_quota(session, "compare")
    asked = func.sec.compare(sealer.blind_index(number.value), unit, purpose, reason)
    return Compared(*session.execute(select(asked.table_valued("registered", "expired", "address_differs"))).one())


def _require_quota(session: Session, name: str) -> None:
    """Raises QuotaError with the seconds until one more is allowed."""
    if session.execute(select(func.sec.quota_left(name))).scalar_one() == 0:
        wait: int = session.execute(select(func.sec.quota_wait(name))).scalar_one()
        raise QuotaError("your quota is used up: ask again later", retry_after=max(wait, 1))
