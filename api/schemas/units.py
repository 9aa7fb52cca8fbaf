"""Units as they travel."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, computed_field

from api.schemas.base import Amount, Answer, Body, Day, EntityId, Int4, Moment, Name
from api.schemas.filters import absent

Use = Literal["residential", "shop", "office", "plant", "warehouse", "other"]
Number = Annotated[Decimal, PlainSerializer(float, return_type=float)]
"""A decimal as a JSON number: two decimals stay exact."""
Area = Annotated[Amount, Field(gt=0, le=1_000_000)]
"""Square metres of a unit."""
Floor = Annotated[Int4, Field(ge=-20, le=200, description="Not 0; basements count down from -1")]


class UnitShown(Answer):
    """A unit. `occupants` counts who lives there today, null where the past is told."""

    id: EntityId
    version: int
    recorded_from: Moment
    building_id: EntityId
    grid_id: int
    subdistrict_id: int
    code: str
    floor: int
    room: str
    area_m2: Number
    use: Use
    max_occupants: int | None
    retired_on: Day | None
    occupants: int | None

    @computed_field
    @property
    def warnings(self) -> list[Literal["too-many-occupants"]]:
        """What somebody should look at; nothing is refused for it."""
        crowded = self.occupants is not None and self.max_occupants is not None and self.occupants > self.max_occupants
        return ["too-many-occupants"] if crowded else []


class UnitForm(UnitShown):
    """A unit as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class UnitNew(Body):
    """A new unit; the first 19 digits of its code are the building's house code. The client may choose the id."""

    id: EntityId | None = None
    building_id: EntityId
    code: str = Field(pattern=r"^[0-9]{25}$")
    floor: Floor
    room: Name
    area_m2: Area
    use: Use
    max_occupants: Int4 | None = Field(default=None, ge=0, le=10_000)


class UnitCorrection(Body):
    """The members to change."""

    floor: Floor = Field(default_factory=absent)
    room: Name = Field(default_factory=absent)
    area_m2: Area = Field(default_factory=absent)
    use: Use = Field(default_factory=absent)
    max_occupants: Int4 | None = Field(default=None, ge=0, le=10_000)
