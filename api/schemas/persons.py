"""Persons as they travel: masked, but for a reveal."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.schemas.base import Answer, Body, Day, EntityId, Int4, Moment, Name, Note, Secret
from api.schemas.filters import absent
from gridmgmt.registers.masks import mask_name

Registration = Literal["registered", "separated", "floating", "overseas", "lodging", "unregistered"]
Sex = Literal["male", "female"]
MaskedName = Annotated[str, AfterValidator(mask_name)]
"""The family name and stars, whatever comes in."""
PersonName = Annotated[Name, Field(max_length=100)]
Purpose = Literal["residence_check", "lease_filing", "correction", "subject_request", "emergency"]
Reason = Annotated[Note, Field(min_length=5)]


class PersonShown(Answer):
    """A person as seen by default."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    name: MaskedName
    sex: Sex | None
    birth_year: int | None
    id_mask: str | None
    phone_mask: str | None
    registration: Registration


class PersonForm(PersonShown):
    """A record as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class PersonNew(Body):
    """A new record in the grid of a unit, or in a grid, named by code. Sex and year of birth are for who has no number."""

    id: EntityId | None = None
    name: PersonName
    registration: Registration
    identity_number: Secret | None = None
    phone: Secret | None = None
    sex: Sex | None = None
    birth_year: Int4 | None = Field(default=None, ge=1880, le=2200)
    unit: str | None = Field(default=None, pattern=r"^[0-9]{25}$")
    grid: str | None = Field(default=None, pattern=r"^[0-9]{15}$")


class PersonAccepted(Answer):
    """The one answer to a creation, whether or not the number was known."""

    result: Literal["accepted"] = "accepted"
    id: EntityId


class PersonCorrection(Body):
    """The members to change; null takes the phone away."""

    name: PersonName = Field(default_factory=absent)
    registration: Registration = Field(default_factory=absent)
    phone: Secret | None = None
    sex: Sex | None = None
    birth_year: Int4 | None = Field(default=None, ge=1880, le=2200)


class Move(Body):
    """To which unit, by its code, and the first day on which the person lives no more where the record says."""

    unit: str = Field(pattern=r"^[0-9]{25}$")
    on: Day


class Reveal(Body):
    """What a full view is for. `fields` lists what is needed; the rest stays closed."""

    purpose: Purpose
    reason: Reason
    fields: list[Literal["name", "identity_number", "phone", "birth_date"]] = Field(min_length=1, max_length=4)


class PersonRevealed(Answer):
    """The full values that were asked for."""

    id: EntityId
    name: str | None = None
    identity_number: str | None = None
    phone: str | None = None
    birth_date: Day | None = None


class LookUp(Body):
    """A whole number, and what the question is for."""

    identity_number: Secret
    purpose: Purpose
    reason: Reason


class Matches(Answer):
    """The records with that number among those that the asker sees."""

    items: list[PersonShown]


class Comparison(Body):
    """A whole number, the unit at whose door it is asked, and why."""

    identity_number: Secret
    unit: str | None = Field(default=None, pattern=r"^[0-9]{25}$")
    purpose: Literal["spot_check"]
    reason: Reason


class ComparisonAnswer(Answer):
    """What the register says of the number: nothing that tells who or where. null where the question does not arise."""

    registered: bool
    expired: bool | None
    address_differs: bool | None
