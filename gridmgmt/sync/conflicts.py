"""The queue of conflicts: two wrote different things, and somebody decides. A decision is an ordinary write of the row."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, LargeBinary, Text, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from gridmgmt.models import Conflict
from gridmgmt.registers.pages import in_area
from gridmgmt.security import audit
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync.clocks import Sending
from gridmgmt.sync.items import Batch, Item
from gridmgmt.sync.ledger import Opened
from gridmgmt.sync.lines import Line
from gridmgmt.sync.queues import few
from gridmgmt.sync.scene import Scene
from gridmgmt.sync.writers import WRITERS
from gridmgmt.sync.writers.noun import Row, Write
from gridmgmt.sync.writers.residents import is_erased
from gridmgmt.sync.writing import write_one

Take = Literal["theirs", "yours", "set", "merge", "apart"]


@dataclass(frozen=True)
class Request:
    """A decision as it was asked for: `key` and `digest` tell a repetition from another request."""

    take: Take
    values: Mapping[str, Any]
    """Values of `yours` or `set`, read by the kind's own shape."""
    key: str
    digest: bytes


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    state: str | None = None,
    kind: str | None = None,
    area: str | None = None,
) -> Sequence[Conflict]:
    """A page of conflicts in the order in which they came up, and one more where a page follows. Audited: names stand in them."""
    wanted: list[ColumnElement[bool]] = []
    for column, value in ((Conflict.state, state), (Conflict.kind, kind)):
        if value is not None:
            wanted.append(column == value)
    if area is not None:
        wanted.append(in_area(Conflict.__table__, area))
    if after is not None:
        wanted.append(Conflict.id > after[0])
    found = session.scalars(few(select(Conflict), actor, Conflict.id, wanted).order_by(Conflict.id).limit(limit + 1)).all()
    audit.record_many(session, "list", "conflict", (row.id for row in found[:limit]))
    return found


def read(session: Session, actor: Actor, conflict_id: uuid.UUID) -> Conflict:
    """One conflict. Audited. Raises NotFoundError."""
    found = session.get(Conflict, conflict_id, populate_existing=True)
    if found is None:
        raise NotFoundError("there is no such conflict, or none that you may see")
    audit.record(session, "read", "conflict", conflict_id, rows=1)
    return found


def resolve(session: Session, actor: Actor, sealer: Sealer, conflict_id: uuid.UUID, asked: Request, *, today: dt.date) -> dict[str, Any]:
    """Decide: write the row where something is to be written, and close the conflict. A repetition gets the answer of the first.

    Raises NotFoundError, InvalidError `idempotency-key-reused`, ConflictError `already-resolved`, and `target-deleted` for a row that was
    erased, or struck out when the conflict is about something else, ForbiddenError where workers may not decide, and what a correction of
    the row raises.
    """
    held = session.execute(
        select(func.sec.conflict_hold(conflict_id).table_valued("state", "request_key", "request_hash", "resolution"))
    ).one_or_none()
    if held is None:
        raise NotFoundError("there is no such conflict, or none that you may see")
    conflict = read(session, actor, conflict_id)
    if conflict.state != "open":
        if conflict.request_key == asked.key and conflict.resolution is not None:
            if conflict.request_hash != asked.digest:
                raise InvalidError("the key was used for another request", field="Idempotency-Key", slug="idempotency-key-reused")
            return conflict.resolution
        raise ConflictError("the conflict was decided already", slug="already-resolved")
    person = conflict.code == "same-person"
    if (asked.take in {"merge", "apart"}) != person:
        raise InvalidError("take merge or apart for two records of one person, else theirs, yours or set", field="take")
    version = (
        _merge(session, actor, conflict)
        if asked.take == "merge"
        else _decide(_scene(session, actor, sealer, conflict, today), conflict, asked)
    )
    told: dict[str, Any] = {
        "conflict_id": str(conflict_id),
        "state": "resolved",
        "take": asked.take,
        "id": str(conflict.entity_id),
        "version": version,
    }
    closing = func.sec.conflict_close(conflict_id, cast(told, JSONB), cast(asked.key, Text), cast(asked.digest, LargeBinary))
    session.execute(select(closing))
    audit.record(session, "resolve", "conflict", conflict_id, detail={"take": asked.take, "fields": sorted(asked.values)})
    return told


def _merge(session: Session, actor: Actor, conflict: Conflict) -> int:
    if actor.role == "worker":
        raise ForbiddenError("two records are made one by the community or the office")
    return session.execute(select(func.sec.residents_merge(conflict.id))).scalar_one()


def _decide(scene: Scene, conflict: Conflict, asked: Request) -> int:
    row = _row(scene, conflict)
    writer = WRITERS[conflict.kind]
    columns: dict[str, Any] = {}
    if conflict.code == "delete-changed" and asked.take == "yours":
        columns = {} if row.deleted else {"deleted_at": True}
    elif asked.take in {"yours", "set"}:
        if row.deleted and (conflict.code != "target-deleted" or not asked.values or is_erased(row)):
            raise ConflictError("the row was struck out, and this does not restore it", slug="target-deleted")
        fixed = [name for name in asked.values if name not in writer.fields]
        if fixed:
            raise InvalidError("is set when the row is made and never changed", field=f"set.{fixed[0]}")
        item = Item(0, conflict.id, {}, conflict.kind, "update", row.id, values=dict(asked.values))
        wanted = writer.read(item, row, scene)
        present = writer.present(row.values)
        different = {name: value for name, value in wanted.items() if not writer.same(name, present[name], value)}
        columns = writer.change(different, row, scene) if different else {}
        if row.deleted:
            columns["deleted_at"] = None
    elsewhere = select(func.count()).select_from(Conflict)
    others = scene.line.session.scalars(
        elsewhere.where(Conflict.entity_id == row.id, Conflict.state == "open", Conflict.id != conflict.id)
    ).one()
    if row.conflict_open and not others and "deleted_at" not in columns:
        columns["conflict_open"] = False
    if not columns:
        return row.version
    one = Write(row, columns, fresh=False, wave=0, seq=0)
    write_one(conflict.kind, one, scene)
    return one.version


def _row(scene: Scene, conflict: Conflict) -> Row:
    """The row that the conflict is about, held. Raises NotFoundError."""
    scene.load(conflict.kind, {conflict.entity_id}, hold=True)
    row = scene.rows.get((conflict.kind, conflict.entity_id))
    if row is None:
        raise NotFoundError("there is no such row any more, or none that you may see")
    return row


def _scene(session: Session, actor: Actor, sealer: Sealer, conflict: Conflict, today: dt.date) -> Scene:
    """As around a push of nothing."""
    now = dt.datetime.now(dt.UTC)
    batch = Batch(conflict.device_id, conflict.id, Sending(now, now), ())
    nothing = Opened(0, {}, frozenset(), {}, {}, frozenset(), frozenset(), {}, {})
    return Scene(Line(session), batch, nothing, sealer, today, actor.account_id, demo=False)
