"""What others did to a row not long ago: for writers who cannot say which version they read."""

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gridmgmt.history.beliefs import forms
from gridmgmt.models.base import Versioned


def oldest_read(session: Session, model: type[Versioned], identifier: object, since: dt.datetime) -> dt.datetime | None:
    """When the oldest form was in force that whoever began after `since` (UTC) may have read; None when no other account changed it later.

    Nobody read a row before it was made.
    """
    every = forms(model, identifier)
    made = session.scalar(select(func.min(every.c.recorded_from)))
    oldest = since if made is None else max(since, made)
    theirs = select(every.c.id).where(every.c.recorded_from > oldest, every.c.recorded_by != func.sec.actor())
    return oldest if session.scalar(select(theirs.exists())) else None
