"""Duty reports as they travel."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Answer, Body, Day, EntityId, Int4, Moment, Note

Kind = Literal["move_in", "move_out", "hazard", "notice", "gate_check"]


class DutyReportShown(Answer):
    """One entry in a manager's duty log. `persons` is how many came, went or passed, never who."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    manager_id: EntityId
    building_id: EntityId | None
    house_code: str | None
    unit_id: EntityId | None
    unit: str | None
    kind: Kind
    happened_on: Day
    persons: int | None
    note: str | None


class DutyReportNew(Body):
    """What a manager whom the writer sees reports of a day. The client may choose the id."""

    id: EntityId | None = None
    manager_id: EntityId
    unit_id: EntityId | None = None
    kind: Kind
    happened_on: Day
    persons: Int4 | None = Field(default=None, ge=0, le=1000)
    note: Note | None = None
