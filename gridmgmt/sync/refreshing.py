"""How a handheld goes on: a refresh token and a signature give a new bearer token and the next refresh token. And how it says good-bye.

Refusals are audited, what is granted is told by `device.seen_at`: 9,000 devices come each quarter of an hour.
"""

import uuid
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from gridmgmt.database import AUTH, Actor, Database
from gridmgmt.errors import ConflictError, ForbiddenError, UnauthenticatedError
from gridmgmt.security.audit import record
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.enrolment import holder
from gridmgmt.sync.standing import revoked
from gridmgmt.sync.tokens import Chain, hash_of, proves


def refresh(database: Database, sealer: Sealer, device: uuid.UUID, token: str, signature: bytes) -> tuple[Actor, str]:
    """Whoever holds the device, and the next refresh token.

    The token before stays good until the next is used. An older one is a copy that somebody uses: it is an incident, and no token is
    taken any more. Raises UnauthenticatedError, and ForbiddenError for a revoked device and for one that a supervisor must let in again,
    because it was silent for 30 days or for such an incident.
    """
    chain, taken = Chain.of(sealer), hash_of(token)
    with database.transaction(AUTH) as session:
        outcome, known = "refused", None
        if _is_signed(session, device, signature, "token", device, token):
            known = _take(session, chain, device, taken)
            outcome = known.outcome
        if outcome == "unknown":
            session.execute(select(func.sec.device_suspect(device, "refresh-reused", "token")))
        if outcome != "ok":
            record(session, "refresh", "device", device, outcome="refused", detail={"reason": outcome})
    if outcome == "revoked":
        raise revoked()
    if outcome == "silent":
        raise ForbiddenError("a supervisor must let this handheld in again", slug="reauthorisation-required")
    if outcome != "ok" or known is None:
        raise UnauthenticatedError("the refresh token or the signature is not of this handheld")
    return holder(known.account, known.username, known.epoch, device), chain.after(device, taken)


def acknowledge_wipe(database: Database, device: uuid.UUID, at: str, signature: bytes) -> None:
    """The device says that it holds nothing any more; twice is no error. `at` is its own time, as it wrote and signed it.

    Raises UnauthenticatedError for a signature that is not the device's, ConflictError when nobody told it to wipe itself.
    """
    with database.transaction(AUTH) as session:
        signed = _is_signed(session, device, signature, "wipe-ack", device, at)
        status = session.execute(select(func.sec.device_wiped(device))).scalar_one() if signed else None
        record(session, "wipe", "device", device, outcome="ok" if status == "wiped" else "refused", detail={"at": at})
    if status is None:
        raise UnauthenticatedError("the signature is not of this handheld")
    if status != "wiped":
        raise ConflictError("nobody told this handheld to wipe itself: it is active", slug="state-step")


def _is_signed(session: Session, device: uuid.UUID, signature: bytes, what: str, *words: object) -> bool:
    """Whether the device signed this; a signature that is none is an incident of a device that there is."""
    key = session.execute(select(func.sec.device_key(device))).scalar_one()
    if proves(key, signature, what, *words):
        return True
    session.execute(select(func.sec.device_suspect(device, "signature", what)))
    return False


def _take(session: Session, chain: Chain, device: uuid.UUID, taken: bytes) -> Row[Any]:
    """The outcome of the token; what PostgreSQL does not know may come after what it knows, when it was restored from a backup."""

    def ask(*, ahead: bool) -> Row[Any]:
        told = func.sec.device_refresh(device, taken, hash_of(chain.after(device, taken)), ahead)
        return session.execute(select(told.table_valued("outcome", "present", "account", "username", "epoch"))).one()

    known = ask(ahead=False)
    if known.outcome == "unknown" and chain.reaches(device, taken, present=known.present):
        return ask(ahead=True)
    return known
