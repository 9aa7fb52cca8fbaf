"""Buildings as they travel."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Answer, Body, Day, Degrees, EntityId, Int4, Moment, Name
from api.schemas.filters import absent

Nature = Literal["self_built", "collective", "factory_dormitory", "commodity", "apartment", "other"]
Datum = Literal["CGCS2000", "GCJ-02", "BD-09"]


class Entrance(Answer):
    """A place in degrees (CGCS2000)."""

    lon: float
    lat: float


class Source(Entrance):
    """The place as it was delivered, in its own datum."""

    datum: Datum


class BuildingShown(Answer):
    """A building, without its footprint."""

    id: EntityId
    version: int
    recorded_from: Moment
    grid_id: int
    subdistrict_id: int
    house_code: str
    name: str
    address: str
    entrance: Entrance
    source: Source
    floors_above: int
    floors_below: int
    built_year: int | None
    nature: Nature
    rental: bool
    retired_on: Day | None


class BuildingSheet(BuildingShown):
    """A building with its footprint, GeoJSON in degrees (CGCS2000)."""

    footprint: dict[str, Any] | None


class BuildingForm(BuildingShown):
    """A building as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class EntranceGiven(Body):
    """A place as delivered; consumer maps give GCJ-02 or BD-09, which are undone."""

    lon: Degrees
    lat: Degrees
    datum: Datum = "CGCS2000"


class BuildingNew(Body):
    """A new building. Its grid follows from the entrance; the footprint is GeoJSON in its datum. The client may choose the id."""

    id: EntityId | None = None
    house_code: str = Field(pattern=r"^[0-9]{19}$")
    name: Name
    address: Name
    entrance: EntranceGiven
    footprint: dict[str, Any] | None = None
    floors_above: Int4 = Field(ge=1, le=200)
    floors_below: Int4 = Field(default=0, ge=0, le=20)
    built_year: Int4 | None = Field(default=None, ge=1800, le=2100)
    nature: Nature
    rental: bool


class BuildingCorrection(Body):
    """The members to change. A new entrance drops the footprint unless a new one stands beside it."""

    house_code: str = Field(default_factory=absent, pattern=r"^[0-9]{19}$")
    name: Name = Field(default_factory=absent)
    address: Name = Field(default_factory=absent)
    entrance: EntranceGiven = Field(default_factory=absent)
    footprint: dict[str, Any] | None = None
    floors_above: Int4 = Field(default_factory=absent, ge=1, le=200)
    floors_below: Int4 = Field(default_factory=absent, ge=0, le=20)
    built_year: Int4 | None = Field(default=None, ge=1800, le=2100)
    nature: Nature = Field(default_factory=absent)
    rental: bool = Field(default_factory=absent)


class Accepted(Answer):
    """The one answer of what may take a row out of the writer's sight: it tells nothing of where the row is now."""

    result: Literal["accepted"] = "accepted"
