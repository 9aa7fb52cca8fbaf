"""Inspections as they travel."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, computed_field

from api.schemas.base import Answer, Body, EntityId, Moment, Note
from api.schemas.buildings import Datum
from gridmgmt.registers.inspections import PATROL_REACH

Kind = Literal["patrol", "recheck", "complaint", "safety"]
Outcome = Literal["ok", "hazard", "no_entry"]
Finding = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,31}$")]


class InspectionShown(Answer):
    """One visit to a building or a unit. `lon` and `lat` are where the visitor stood, in `datum`, `distance_m` metres to the entrance."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    building_id: EntityId
    house_code: str | None
    unit_id: EntityId | None
    unit: str | None
    kind: Kind
    outcome: Outcome
    visited_at: Moment
    findings: list[str]
    note: str | None
    lon: float | None
    lat: float | None
    datum: Datum | None
    distance_m: float | None

    @computed_field
    @property
    def warnings(self) -> list[Literal["far-from-entrance"]]:
        """What somebody should look at; nothing is refused for it."""
        far = self.kind == "patrol" and self.distance_m is not None and self.distance_m > PATROL_REACH
        return ["far-from-entrance"] if far else []


class Standing(Body):
    """Where the visitor stood, in degrees as the device delivers them; consumer maps give GCJ-02 or BD-09, which are undone."""

    lon: float = Field(ge=72, le=138, allow_inf_nan=False)
    lat: float = Field(ge=0, le=56, allow_inf_nan=False)
    datum: Datum = "CGCS2000"


class InspectionNew(Body):
    """A visit to a building that the writer sees. The client may choose the id."""

    id: EntityId | None = None
    building_id: EntityId
    unit_id: EntityId | None = None
    kind: Kind
    outcome: Outcome
    visited_at: Moment
    findings: list[Finding] = Field(default_factory=list[str], max_length=20)
    note: Note | None = None
    place: Standing | None = None
