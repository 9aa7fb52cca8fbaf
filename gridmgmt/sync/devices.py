"""Handhelds (手持终端) as the administration sees them: who holds which, when it was last seen, and the steps that shut it out."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError, NotFoundError
from gridmgmt.history.beliefs import Sheet
from gridmgmt.models import Device, Incident
from gridmgmt.security.audit import record

Step = Literal["drain", "activate", "revoke", "reauthorise"]
Status = Literal["active", "draining", "revoked", "wiped"]
SILENT: Final = dt.timedelta(days=30)
"""After so long without a word a supervisor must let the device in again; PostgreSQL holds the same."""


@dataclass(frozen=True)
class Holding:
    """A device, who holds it, and whether it needs a supervisor before it gets another token (`locked`).

    `username` is None for who may not know the name. Times are UTC; `clock_skew_ms` is the device's clock against ours.
    """

    id: uuid.UUID
    account_id: int
    label: str
    status: Status
    last_seq: int
    app_version: str | None
    schema_version: int | None
    enrolled_at: dt.datetime
    seen_at: dt.datetime
    last_push_at: dt.datetime | None
    last_pull_at: dt.datetime | None
    clock_skew_ms: int | None
    wiped_at: dt.datetime | None
    locked: bool
    username: str | None


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    username: str | None = None,
    status: Status | None = None,
) -> Sequence[Holding]:
    """The first `limit` devices that the actor may see after the id `after`, and one more where a page follows. Workers see their own."""
    wanted = _devices().order_by(Device.id).limit(limit + 1)
    if after is not None:
        wanted = wanted.where(Device.id > after[0])
    if status is not None:
        wanted = wanted.where(Device.status == status)
    if username is not None and actor.scope == "field":
        wanted = wanted if username == actor.username else wanted.where(false())
    elif username is not None:
        wanted = wanted.where(Device.account_id.in_(_names(session, [], username)))
    return _held(session, actor, session.execute(wanted).all())


def find(session: Session, actor: Actor, device: uuid.UUID) -> Holding:
    """One device. Raises NotFoundError when there is none that the actor may see."""
    row = session.execute(_devices().where(Device.id == device)).all()
    if not row:
        raise _unknown()
    return _held(session, actor, row)[0]


def change(session: Session, actor: Actor, device: uuid.UUID, step: Step) -> Holding:
    """Take a step with a device, in a session of class admin; a step twice is no error.

    drain: it hands in what it holds and then wipes itself. activate: back again. revoke: at its next contact it wipes itself, and nothing
    of it is taken any more. reauthorise: after 30 days of silence, or a token that came twice, its next signed refresh is taken.
    Raises NotFoundError, ConflictError when a revoked or wiped device should live again.
    """
    taken, before = session.execute(select(func.sec.device_change(device, step).table_valued("taken", "before"))).one()
    if before is None:
        raise _unknown()
    if not taken:
        raise ConflictError(f"the handheld is {before}: enrol it anew with another code", slug="state-step")
    record(session, step, "device", device, detail={"before": before})
    return find(session, actor, device)


def incidents(session: Session, device: uuid.UUID, *, limit: int, after: tuple[Any, ...] | None = None) -> Sequence[Incident]:
    """What should not have happened with a device, the newest first, and one more where a page follows."""
    wanted = select(Incident).where(Incident.device_id == device).order_by(Incident.id.desc()).limit(limit + 1)
    return session.scalars(wanted if after is None else wanted.where(Incident.id < after[0])).all()


def _devices() -> Sheet:
    locked = or_(Device.locked_at.is_not(None), Device.seen_at < func.clock_timestamp() - SILENT)
    told = [field.name for field in fields(Holding)[:-2]]
    return select(*(getattr(Device, name) for name in told), locked.label("locked"))


def _held(session: Session, actor: Actor, rows: Sequence[Any]) -> Sequence[Holding]:
    own = actor.scope == "field"
    names = {actor.account_id: actor.username} if own else _names(session, list({row.account_id for row in rows}), None)
    return [Holding(*row, username=names.get(row.account_id)) for row in rows]


def _names(session: Session, accounts: Sequence[int], username: str | None) -> dict[int, str]:
    told = func.sec.device_holders(accounts, username).table_valued("account_id", "username")
    return {row.account_id: row.username for row in session.execute(select(told))}


def _unknown() -> NotFoundError:
    return NotFoundError("there is no such handheld, or none that you may see")
