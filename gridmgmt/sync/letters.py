"""Dead letters: mutations that could not be taken, whole and sealed, until somebody has looked after them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError, NotFoundError
from gridmgmt.models import DeadLetter
from gridmgmt.registers.masks import mask_number, mask_phone
from gridmgmt.registers.pages import in_area
from gridmgmt.security import audit
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.queues import few


@dataclass(frozen=True)
class Opened:
    """A letter with what stands in it, numbers and phones masked."""

    letter: DeadLetter
    body: dict[str, Any]


def browse(
    session: Session, actor: Actor, *, limit: int, after: tuple[Any, ...] | None = None, state: str | None = None, area: str | None = None
) -> Sequence[DeadLetter]:
    """A page of letters, the oldest first, and one more where a page follows; never what stands in them."""
    rows = DeadLetter.__table__
    wanted: list[ColumnElement[bool]] = []
    if state is not None:
        wanted.append(DeadLetter.state == state)
    if area is not None:
        wanted.append(in_area(rows, area))
    if after is not None:
        wanted.append(tuple_(DeadLetter.created_at, DeadLetter.mutation_id) > tuple_(*after))
    order = (DeadLetter.created_at, DeadLetter.mutation_id)
    return session.scalars(few(select(DeadLetter), actor, DeadLetter.mutation_id, wanted).order_by(*order).limit(limit + 1)).all()


def read(session: Session, actor: Actor, sealer: Sealer, device: uuid.UUID, seq: int) -> Opened:
    """One letter, opened. Audited. Raises NotFoundError."""
    letter = _find(session, device, seq)
    body: dict[str, Any] = orjson.loads(sealer.open("dead_letter|body_enc", letter.mutation_id, letter.body_enc))
    audit.record(session, "read", "letter", f"{device}/{seq}", rows=1)
    return Opened(letter, {name: _masked(name, value) for name, value in body.items()})


def close(session: Session, actor: Actor, device: uuid.UUID, seq: int, *, note: str) -> DeadLetter:
    """Somebody has looked after it. Raises NotFoundError, ConflictError when somebody had before."""
    letter = _find(session, device, seq)
    if not session.execute(select(func.sec.letter_close(device, seq, note))).scalar_one():
        raise ConflictError("the letter was closed already", slug="already-resolved")
    audit.record(session, "close", "letter", f"{device}/{seq}")
    session.refresh(letter)
    return letter


def _find(session: Session, device: uuid.UUID, seq: int) -> DeadLetter:
    found = session.scalars(select(DeadLetter).where(DeadLetter.device_id == device, DeadLetter.client_seq == seq)).one_or_none()
    if found is None:
        raise NotFoundError("there is no such letter, or none that you may see")
    return found


def _masked(name: str, value: Any) -> Any:
    """Numbers and phones are opened by `reveal` alone, which asks what for; a mistyped one is a number too."""
    if isinstance(value, dict):
        return {inner: _masked(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_masked(name, one) for one in value]
    if isinstance(value, str) and any(word in name.lower() for word in ("number", "phone", "id_card")) and name != "number":
        return mask_phone(value) if "phone" in name.lower() else mask_number(value)
    return value
