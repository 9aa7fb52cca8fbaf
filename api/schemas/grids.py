"""Grids as they travel."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.schemas.base import Answer, Body, Day, Moment, Name
from api.schemas.filters import absent


class GridShown(Answer):
    """A grid, without its geometry."""

    id: int
    version: int
    recorded_from: Moment
    code: str
    scheme: str
    kind: Literal["base", "dedicated", "line_department"]
    name: str
    community_id: int
    subdistrict_id: int
    valid_from: Day
    valid_to: Day | None


class GridSheet(GridShown):
    """A grid with its geometry, GeoJSON in degrees (CGCS2000)."""

    geometry: dict[str, Any]


class GridForm(GridSheet):
    """A grid as it was believed until `recorded_to`, null for the present form."""

    recorded_to: Moment | None


class GridNew(Body):
    """A new grid of a community in force on `valid_from`; the first 12 digits of a base or dedicated code are the community's.

    A base grid begins, and ends where it does, today or before: buildings are placed at once.
    """

    code: str = Field(pattern=r"^[0-9A-Za-z-]{1,32}$")
    scheme: str = Field(default="base", pattern=r"^[a-z][a-z0-9_]{0,31}$")
    name: Name
    community: str = Field(pattern=r"^[0-9]{12}$")
    valid_from: Day
    valid_to: Day | None = None
    geometry: dict[str, Any]


class GridCorrection(Body):
    """The members to change; with the geometry the buildings follow."""

    name: Name = Field(default_factory=absent)
    valid_from: Day = Field(default_factory=absent)
    valid_to: Day | None = None
    geometry: dict[str, Any] = Field(default_factory=absent)


class GridDrawn(Body):
    """One base grid of a redraw."""

    code: str = Field(pattern=r"^[0-9]{15}$")
    name: Name
    community: str = Field(pattern=r"^[0-9]{12}$")
    geometry: dict[str, Any]


class Redraw(Body):
    """New base grids in the place of old ones: `retire` are codes. Buildings, units, leases and residents follow."""

    kind: Literal["split", "merge", "renumber"]
    retire: list[Annotated[str, Field(pattern=r"^[0-9]{15}$")]] = Field(min_length=1, max_length=100)
    create: list[GridDrawn] = Field(min_length=1, max_length=100)
    on: Day


class Redrawn(Answer):
    """The new grids, in the order in which they were given."""

    ids: list[int]
