"""Leases as they travel."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, computed_field

from api.schemas.base import Amount, Answer, Body, Day, EntityId, Int8, Moment, Name, Note
from api.schemas.filters import absent
from api.schemas.persons import MaskedName
from api.schemas.units import Area, Number
from gridmgmt.registers.landlords import shown

State = Literal["drafted", "signed", "filed", "changed", "renewed", "terminated", "expired", "cancelled"]
RentUnit = Literal["month", "m2_month", "year"]
LessorName = Annotated[str, AfterValidator(shown)]
"""An organisation's name whole, a person's masked."""
Deposit = Annotated[Int8, Field(ge=0, le=1_000_000_000_000)]
Number40 = Annotated[str, Field(pattern=r"^[0-9A-Za-z/_-]{1,40}$")]


class RentShown(Answer):
    """The rent as the contract says it: yuan, by the month, by the month and m², or by the year."""

    amount: Number
    unit: RentUnit


class LeaseShown(Answer):
    """A lease of a unit for [`valid_from`, `valid_to`); money in 分 (1/100 yuan), rent by the month."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    number: str
    unit_id: EntityId
    unit: str | None
    parent_id: EntityId | None
    sublet_depth: int = Field(description="0 a head lease, 1 a sublet of one, 2 a sublet of a sublet or deeper")
    lessor_name: LessorName | None
    lessee_id: EntityId | None
    lessee_name: MaskedName | None
    rent_fen: int
    rent_given: Number = Field(exclude=True)
    rent_unit: RentUnit = Field(exclude=True)
    area_basis_m2: Number
    deposit_fen: int | None
    valid_from: Day
    valid_to: Day
    signed_on: Day | None
    filed_on: Day | None
    ended_on: Day | None
    filed_late: bool
    state: State
    new_let: bool

    @computed_field
    @property
    def rent(self) -> RentShown:
        """The rent as the contract says it."""
        return RentShown(amount=self.rent_given, unit=self.rent_unit)

    @computed_field
    @property
    def warnings(self) -> list[Literal["second-sublet", "filed-late"]]:
        """What somebody should look at; nothing is refused for it."""
        told: list[Any] = ["second-sublet"] if self.sublet_depth > 1 else []
        return told + (["filed-late"] if self.filed_late else [])


class LeaseForm(LeaseShown):
    """A lease as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class RentGiven(Body):
    """Yuan, by the month, by the month and m² of `area_basis_m2`, or by the year."""

    amount: Annotated[Amount, Field(gt=0)]
    unit: RentUnit = "month"


class LeaseNew(Body):
    """A new lease of a unit by id or by code: signed where it says when, else drafted. The client may choose the id."""

    id: EntityId | None = None
    number: Number40 | None = None
    unit_id: EntityId | None = None
    unit: str | None = Field(default=None, pattern=r"^[0-9]{25}$")
    parent_id: EntityId | None = None
    lessor_name: Name | None = None
    lessee_id: EntityId | None = None
    rent: RentGiven
    area_basis_m2: Area | None = None
    deposit_fen: Deposit | None = None
    valid_from: Day
    valid_to: Day
    signed_on: Day | None = None
    new_let: bool = True


class LeaseCorrection(Body):
    """The members to change; `state` goes by the steps that there are. Filing and ending have routes of their own."""

    lessor_name: Name | None = None
    lessee_id: EntityId | None = None
    rent: RentGiven = Field(default_factory=absent)
    area_basis_m2: Area = Field(default_factory=absent)
    deposit_fen: Deposit | None = None
    valid_from: Day = Field(default_factory=absent)
    valid_to: Day = Field(default_factory=absent)
    signed_on: Day | None = None
    state: Literal["signed", "changed", "renewed"] = Field(default_factory=absent)
    new_let: bool = Field(default_factory=absent)


class Filing(Body):
    """The day of filing."""

    on: Day


class LeaseEnding(Body):
    """The first day on which the unit is free, how the lease ended, and why."""

    on: Day
    state: Literal["terminated", "expired", "cancelled"] = "terminated"
    reason: Note | None = None
