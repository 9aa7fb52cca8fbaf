"""Residences as they travel."""

from typing import Literal

from pydantic import Field

from api.schemas.base import Answer, Body, Day, EntityId, Moment
from api.schemas.filters import absent
from api.schemas.persons import MaskedName

Basis = Literal["lease", "own", "dormitory", "relative", "other"]
Declarer = Literal["landlord", "sub_landlord", "manager", "employer", "school", "hotel", "resident", "worker"]


class ResidenceShown(Answer):
    """A person in a unit from `valid_from` to the day before `valid_to`, null while the person lives there."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    person_id: EntityId
    person_name: MaskedName | None
    unit_id: EntityId
    unit: str | None
    main: bool
    basis: Basis
    valid_from: Day
    valid_to: Day | None
    declared_by: Declarer | None
    declared_on: Day | None
    verified_by: int | None
    verified_at: Moment | None


class ResidenceForm(ResidenceShown):
    """A residence as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class ResidenceNew(Body):
    """A new residence of a person that the writer sees, in a unit by id or by code. The client may choose the id."""

    id: EntityId | None = None
    person_id: EntityId
    unit_id: EntityId | None = None
    unit: str | None = Field(default=None, pattern=r"^[0-9]{25}$")
    main: bool = True
    basis: Basis = "other"
    valid_from: Day
    valid_to: Day | None = None
    declared_by: Declarer | None = None
    declared_on: Day | None = None


class ResidenceCorrection(Body):
    """The members to change; what was believed before is kept."""

    main: bool = Field(default_factory=absent)
    basis: Basis = Field(default_factory=absent)
    valid_from: Day = Field(default_factory=absent)
    valid_to: Day | None = None
    declared_by: Declarer | None = None
    declared_on: Day | None = None
