"""Building managers as they travel."""

from typing import Literal

from pydantic import Field, computed_field

from api.schemas.base import Answer, Body, Day, EntityId, Moment, Name, Note
from api.schemas.filters import absent
from api.schemas.persons import MaskedName
from gridmgmt.registers.managers import MOST_BUILDINGS

Kind = Literal["owner", "sub_landlord", "hired"]
State = Literal["candidate", "checked", "appointed", "trained", "active", "suspended", "dismissed", "resigned"]


class ManagerShown(Answer):
    """One appointment: a person, a building, a period. `buildings` counts what the person manages today."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    person_id: EntityId
    person_name: MaskedName | None
    building_id: EntityId
    house_code: str | None
    kind: Kind
    state: State
    archive_number: str | None
    valid_from: Day
    valid_to: Day | None
    police_contact: str | None
    office_contact: str | None
    buildings: int

    @computed_field
    @property
    def warnings(self) -> list[Literal["too-many-buildings"]]:
        """What somebody should look at; nothing is refused for it."""
        return ["too-many-buildings"] if self.buildings > MOST_BUILDINGS else []


class ManagerForm(ManagerShown):
    """An appointment as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class ManagerNew(Body):
    """A candidate for a building, a person that the writer sees. The client may choose the id."""

    id: EntityId | None = None
    person_id: EntityId
    building_id: EntityId
    kind: Kind
    valid_from: Day
    valid_to: Day | None = None
    archive_number: Name | None = None
    police_contact: Name | None = None
    office_contact: Name | None = None


class ManagerCorrection(Body):
    """The members to change; `state` goes by the steps that there are."""

    kind: Kind = Field(default_factory=absent)
    state: Literal["checked", "appointed", "trained", "active", "suspended"] = Field(default_factory=absent)
    archive_number: Name | None = None
    valid_from: Day = Field(default_factory=absent)
    valid_to: Day | None = None
    police_contact: Name | None = None
    office_contact: Name | None = None


class ManagerEnding(Body):
    """The first day without the manager, how it came, and why."""

    on: Day
    state: Literal["dismissed", "resigned"]
    reason: Note | None = None
