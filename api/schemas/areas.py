"""Areas as they travel."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Answer, AreaCode, AreaId, Body, Day, Moment, Name, Note
from api.schemas.filters import absent

Level = Literal["district", "subdistrict", "community"]
LineageKind = Literal["split", "merge", "renumber"]


class AreaShown(Answer):
    """An area, without its geometry."""

    id: int
    version: int
    recorded_from: Moment
    code: str
    name: str
    level: Level
    parent_id: int | None
    valid_from: Day
    valid_to: Day | None
    approximate: bool


class AreaSheet(AreaShown):
    """An area with its geometry, GeoJSON in degrees (CGCS2000)."""

    geometry: dict[str, Any]


class AreaForm(AreaShown):
    """An area as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class LineageShown(Answer):
    """What became of what."""

    predecessor_id: int
    successor_id: int
    kind: LineageKind
    happened_on: Day


class AreaNew(Body):
    """A new area; `parent` is the code of the area above, `predecessors` are ids of what it came from."""

    code: AreaCode
    name: Name
    level: Level
    parent: str | None = Field(default=None, pattern=r"^([0-9]{6}|[0-9]{9})$")
    valid_from: Day
    valid_to: Day | None = None
    approximate: bool = False
    geometry: dict[str, Any]
    predecessors: list[AreaId] = Field(default=[], max_length=50)
    kind: LineageKind = "renumber"


class AreaCorrection(Body):
    """The members to change."""

    name: Name = Field(default_factory=absent)
    valid_from: Day = Field(default_factory=absent)
    valid_to: Day | None = None
    approximate: bool = Field(default_factory=absent)
    geometry: dict[str, Any] = Field(default_factory=absent)


class Ending(Body):
    """The first day on which it is no more, and why."""

    on: Day
    reason: Note | None = None
