"""Dead letters: mutations that could not be taken, whole and sealed, until somebody has looked after them."""

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

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

Mask: TypeAlias = Callable[[str], str]
TELLING: Final[Mapping[str, Mask]] = {"phone": mask_phone, "number": mask_number, "id_card": mask_number}
"""Words in the names of members that hold what is never shown whole."""
NUMBER: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{17}[0-9Xx]|[0-9]{15})(?![0-9A-Za-z])")
PHONE: Final = re.compile(r"(?<![0-9A-Za-z])1[3-9][0-9]{9}(?![0-9A-Za-z])")


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


def read(session: Session, actor: Actor, sealer: Sealer, mutation: uuid.UUID) -> Opened:
    """One letter, opened. Audited. Raises NotFoundError."""
    letter = _find(session, mutation)
    body = _shown(sealer.open("dead_letter|body_enc", letter.mutation_id, letter.body_enc))
    audit.record(session, "read", "letter", mutation, rows=1)
    return Opened(letter, {name: _masked(name, value) for name, value in body.items()})


def close(session: Session, actor: Actor, mutation: uuid.UUID, *, note: str) -> DeadLetter:
    """Somebody has looked after it. Raises NotFoundError, ConflictError when somebody had before."""
    letter = _find(session, mutation)
    if not session.execute(select(func.sec.letter_close(mutation, note))).scalar_one():
        raise ConflictError("the letter was closed already", slug="already-resolved")
    audit.record(session, "close", "letter", mutation)
    session.refresh(letter)
    return letter


def _find(session: Session, mutation: uuid.UUID) -> DeadLetter:
    found = session.get(DeadLetter, mutation)
    if found is None:
        raise NotFoundError("there is no such letter, or none that you may see")
    return found


def _shown(text: str) -> dict[str, Any]:
    """A body as it came, also one that no database holds. For half a character, which nobody can be told, stands a question mark."""
    whole = json.dumps(json.loads(text, parse_constant=str), ensure_ascii=False)
    return json.loads(whole.encode(errors="replace"))


def _masked(name: str, value: Any, mask: Mask | None = None) -> Any:
    """Numbers and phones are opened by `reveal` alone, which asks what for; a mistyped one is a number too, in whatever form it was sent.

    `mask` is that of the member in which the value lies. Elsewhere what has the form of one is masked: people write into any field.
    """
    if mask is None and name != "number":
        mask = next((one for word, one in TELLING.items() if word in name.lower()), None)
    if isinstance(value, dict):
        return {inner: _masked(inner, one, mask) for inner, one in value.items()}
    if isinstance(value, list):
        return [_masked(name, one, mask) for one in value]
    if mask is not None:
        return value if value is None or isinstance(value, bool) else mask(str(value))
    if isinstance(value, str):
        return PHONE.sub(lambda found: mask_phone(found[0]), NUMBER.sub(lambda found: mask_number(found[0]), value))
    return value
