"""How handhelds come in: by a one-time code that the administration gives to a worker, and a key that the handheld makes itself."""

import datetime as dt
import secrets
import uuid
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.database import AUTH, Actor, Database
from gridmgmt.errors import ConflictError, InvalidError, NotFoundError, UnauthenticatedError
from gridmgmt.security.audit import record
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.tokens import Chain, hash_of, proves

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O and U. 20 of them are 100 bits."""
SYMBOLS: Final = 20
GROUP: Final = 5
DAYS: Final = 7
_MISREAD: Final = str.maketrans("ILO", "110", "- ")


@dataclass(frozen=True)
class Issued:
    """A code, shown this once: only its hash is kept."""

    code: str
    username: str
    expires_at: dt.datetime


@dataclass(frozen=True)
class Request:
    """What a handheld says of itself. `public_key` is 32 bytes; `key_text` is how it was written, which is what was signed."""

    code: str
    public_key: bytes
    key_text: str
    signature: bytes
    label: str
    app_version: str
    schema_version: int


def issue_code(session: Session, username: str, *, days: int = DAYS) -> Issued:
    """A code by which one handheld of the worker is let in within so many days. Raises NotFoundError when there is no such worker."""
    symbols = "".join(secrets.choice(ALPHABET) for _ in range(SYMBOLS))
    added = select(func.sec.enrolment_add(username, hash_of(symbols), days).table_valued("account_id", "expires_at"))
    made = session.execute(added).one_or_none()
    if made is None:
        raise NotFoundError(f"there is no worker {username!r}, or the account is disabled", field="username")
    record(session, "issue", "enrolment", detail={"account": made.account_id, "days": days})
    return Issued("-".join(symbols[start : start + GROUP] for start in range(0, SYMBOLS, GROUP)), username, made.expires_at)


def enrol(database: Database, sealer: Sealer, request: Request, *, key: str, body: bytes) -> tuple[Actor, str]:
    """Let a handheld in: whoever holds it, with the device, and its first refresh token.

    `key` is the Idempotency-Key and `body` the hash of the request: the same once more gives the same again until the device comes back
    with its token. Raises UnauthenticatedError with one word for an unknown, expired or used code and a signature that is none,
    InvalidError for the key with another body, ConflictError for a public key that another device has.
    """
    code = hash_of(request.code.upper().translate(_MISREAD))
    token = Chain.of(sealer).first(code, request.public_key)
    if not proves(request.public_key, request.signature, "enrol", request.code, request.key_text):
        _refuse(database)
    told = func.sec.device_enrol(
        code, key, body, request.public_key, request.label, request.app_version, request.schema_version, hash_of(token)
    ).table_valued("outcome", "device", "account", "username", "epoch")
    with database.transaction(AUTH) as session:
        made = session.execute(select(told)).one()
        fine = made.outcome in {"made", "again"}
        record(session, "enrol", "device", made.device, outcome="ok" if fine else "refused", detail={"account": made.account})
    if made.outcome == "reused":
        raise InvalidError("this key was used with another body", field="Idempotency-Key", slug="idempotency-key-reused")
    if made.outcome == "key-known":
        raise ConflictError("another handheld has this public key: make a new one", field="public_key")
    if not fine:
        raise _refused()
    return holder(made.account, made.username, made.epoch, made.device), token


def holder(account: int, username: str, epoch: int, device: uuid.UUID | str) -> Actor:
    """A worker by the handheld."""
    return replace(Actor(account, username, "worker", "field", epoch), device=str(device))


def _refuse(database: Database) -> NoReturn:
    with database.transaction(AUTH) as session:
        record(session, "enrol", "device", outcome="refused")
    raise _refused()


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError("the code is wrong, was used or has expired, or the signature is not of this key")
