"""The audit trail: one row for each look at or change of personal data, in the same transaction, and for refusals too."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from gridmgmt.models import Audit

Outcome = Literal["ok", "refused"]


def record(
    session: Session,
    action: str,
    object_type: str,
    object_id: object = None,
    *,
    purpose: str | None = None,
    outcome: Outcome = "ok",
    rows: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write one row of the trail. Who and when are set by PostgreSQL and cannot be named. If it cannot be written, the work fails."""
    session.execute(
        insert(Audit)
        .inline()  # nobody who writes the trail may read it back, not even the id of the row
        .values(
            action=action,
            object_type=object_type,
            object_id=None if object_id is None else str(object_id),
            purpose=purpose,
            outcome=outcome,
            n_rows=rows,
            detail=None if detail is None else dict(detail),
        )
    )


def record_many(session: Session, action: str, object_type: str, ids: Iterable[object], *, purpose: str | None = None) -> None:
    """Write one row for a bulk read: how many, and a hash over the ids in order, by which the read can be proved later."""
    digest = hashlib.sha256()
    count = 0
    for one in ids:
        digest.update(str(one).encode())
        count += 1
    record(session, action, object_type, purpose=purpose, rows=count, detail={"ids_sha256": digest.hexdigest()})


def read_trail(
    session: Session,
    *,
    limit: int,
    before: tuple[dt.datetime, int] | None = None,
    actor_id: int | None = None,
    action: str | None = None,
    object_type: str | None = None,
    object_id: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> Sequence[Audit]:
    """Rows of the trail, the newest first, that come before the key `before` (time and id). Leaves a row itself.

    Gives `limit` rows and one more, which only tells that others follow and is not counted as read. Sessions are of class audit.
    """
    wanted = [
        column == value
        for column, value in (
            (Audit.actor_id, actor_id),
            (Audit.action, action),
            (Audit.object_type, object_type),
            (Audit.object_id, object_id),
        )
        if value is not None
    ]
    if before is not None:
        wanted.append(tuple_(Audit.at, Audit.id) < tuple_(*before))
    if since is not None:
        wanted.append(Audit.at >= since)
    if until is not None:
        wanted.append(Audit.at < until)
    rows = session.scalars(select(Audit).where(*wanted).order_by(Audit.at.desc(), Audit.id.desc()).limit(limit + 1)).all()
    record_many(session, "read", "audit", (row.id for row in rows[:limit]))
    return rows
