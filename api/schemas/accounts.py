"""Accounts and the audit trail, as they are shown."""

import datetime as dt

from api.schemas.base import Answer


class AreaShown(Answer):
    """An area or grid of somebody's scope."""

    code: str
    name: str


class Me(Answer):
    """Who asks, and what that account works for. Offices that see whole areas have no list of grids."""

    username: str
    display_name: str
    role: str
    areas: list[AreaShown]
    grids: list[AreaShown]


class TraceShown(Answer):
    """One row of the audit trail. `actor_id` 0 is the service itself: log-ins, whose account is the object."""

    id: int
    at: dt.datetime
    actor_id: int
    db_role: str
    action: str
    object_type: str
    object_id: str | None
    purpose: str | None
    outcome: str
    n_rows: int | None
    detail: dict[str, object] | None
