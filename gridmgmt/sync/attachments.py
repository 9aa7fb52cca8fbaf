"""Photos that mutations name: linked to their records when those are taken, whether or not they have arrived."""

import uuid
from collections.abc import Sequence
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.models import File
from gridmgmt.sync.files import Belongs, Kind, link
from gridmgmt.sync.results import Outcome


def attach(session: Session, actor: Actor, outcomes: Sequence[Outcome]) -> None:
    """Link what was named to the rows that were written or found, and note which files have not arrived as a whole.

    An id that cannot be one of a file stays among those that have not arrived: the record is worth more than its picture.
    """
    naming = [outcome for outcome in outcomes if outcome.item.files and outcome.status != "rejected"]
    if not naming:
        return
    known = {word: _id(word) for outcome in naming for word in outcome.item.files}
    belongs = [
        Belongs(file, cast("Kind", outcome.item.kind), outcome.row.id, outcome.row.grid_id, outcome.row.subdistrict_id)
        for outcome in naming
        if outcome.row is not None
        for file in (known[word] for word in outcome.item.files)
        if file is not None
    ]
    link(session, actor, belongs)
    wanted = [file for file in known.values() if file is not None]
    arrived = set(session.scalars(select(File.id).where(File.id.in_(wanted), File.state == "complete")))
    for outcome in naming:
        outcome.awaited = [word for word in outcome.item.files if known[word] not in arrived]


def _id(word: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(word)
    except ValueError:
        return None
