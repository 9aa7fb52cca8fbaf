"""What stands in `set` of a mutation, by kind: the bodies of the routes, with what handhelds say differently.

Residences and leases name residents and units by id; what has a route of its own on the web (retiring, filing, ending, verifying) is a
member here, because a record of it is one mutation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import Field

from api.schemas.base import Body, Day, EntityId, Int4, Name, Secret
from api.schemas.buildings import BuildingCorrection, BuildingNew
from api.schemas.duty_reports import DutyReportNew
from api.schemas.filters import absent
from api.schemas.inspections import InspectionNew
from api.schemas.leases import Deposit, LeaseCorrection, Number40, RentGiven, State
from api.schemas.persons import PersonCorrection, PersonName, Registration, Sex
from api.schemas.residences import Basis, Declarer, ResidenceCorrection
from api.schemas.units import Area, UnitCorrection, UnitNew


class BuildingCorrected(BuildingCorrection):
    """The members to change; `retired_on` is the first day on which the building does not stand."""

    retired_on: Day | None = None


class UnitCorrected(UnitCorrection):
    """The members to change; `retired_on` is the first day on which the unit is no more."""

    retired_on: Day | None = None


class ResidentMade(Body):
    """A new resident in the grid of the mutation's `scope_id`, or in that of a unit."""

    name: PersonName
    registration: Registration
    identity_number: Secret | None = None
    phone: Secret | None = None
    sex: Sex | None = None
    birth_year: Int4 | None = Field(default=None, ge=1880, le=2200)
    unit_id: EntityId | None = None


class ResidenceMade(Body):
    """A new residence of a resident in a unit."""

    resident_id: EntityId
    unit_id: EntityId
    main: bool = True
    basis: Basis = "other"
    valid_from: Day
    valid_to: Day | None = None
    declared_by: Declarer | None = None
    declared_on: Day | None = None


class ResidenceCorrected(ResidenceCorrection):
    """The members to change; `verified` says that the worker was there and saw it."""

    verified: Literal[True] = Field(default_factory=absent)


class LeaseMade(Body):
    """A new lease of a unit: signed where it says when, else drafted."""

    number: Number40 | None = None
    unit_id: EntityId
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


class LeaseCorrected(LeaseCorrection):
    """The members to change; `state` goes by the steps that there are."""

    filed_on: Day | None = None
    ended_on: Day | None = None
    state: State = Field(default_factory=absent)  # pyright: ignore[reportIncompatibleVariableOverride] -- wider than the route's


@dataclass(frozen=True)
class Shapes:
    """What may be set when a row is made, and when it is changed; None where it is not changed."""

    made: type[Body]
    corrected: type[Body] | None


SHAPES: Final[Mapping[str, Shapes]] = {
    "building": Shapes(BuildingNew, BuildingCorrected),
    "unit": Shapes(UnitNew, UnitCorrected),
    "resident": Shapes(ResidentMade, PersonCorrection),
    "residence": Shapes(ResidenceMade, ResidenceCorrected),
    "lease": Shapes(LeaseMade, LeaseCorrected),
    "inspection": Shapes(InspectionNew, None),
    "duty_report": Shapes(DutyReportNew, None),
}
