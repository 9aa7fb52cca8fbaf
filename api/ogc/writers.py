"""From a feature to the verbs of the register: one writer for each layer that is written to. There is no other way to write."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import shapely
from pydantic import BaseModel, ValidationError
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from api.schemas.buildings import BuildingCorrection, BuildingNew
from api.schemas.grids import GridCorrection, GridNew
from geo.datum import Datum
from gridmgmt.database import Actor
from gridmgmt.errors import DistrictError, InvalidError
from gridmgmt.history.versions import Made
from gridmgmt.models import Building, Grid
from gridmgmt.registers import buildings, grids
from gridmgmt.registers.buildings import Place
from gridmgmt.security import access
from gridmgmt.security.access import Versions

Model = TypeVar("Model", bound=BaseModel)

_GEOMETRIES: Final = frozenset({"entrance", "footprint", "geometry"})
"""Members of /v1 that are the geometry of a feature."""


@dataclass(frozen=True)
class Creation:
    """A feature to be made. `id` is the client's, where it may choose one."""

    properties: Mapping[str, Any]
    geometry: BaseGeometry
    id: Any


@dataclass(frozen=True)
class Change:
    """What is to be changed of a feature: properties that differ, and the geometry when it differs."""

    properties: Mapping[str, Any]
    geometry: BaseGeometry | None


@dataclass(frozen=True)
class Writer:
    """The verbs of one layer."""

    lock: Callable[[Session, Any, Versions], Building | Grid]
    """Holds the row of that id for who has read one of the versions."""
    create: Callable[[Session, Actor, Creation], tuple[object, bool]]
    """Gives the id, and whether the feature is new."""
    correct: Callable[[Session, Actor, Any, Change, Versions], None]
    delete: Callable[[Session, Actor, Any, Versions], None]


def _lock_building(session: Session, building_id: uuid.UUID, versions: Versions) -> Building:
    return access.lock(session, Building, building_id, versions)


def _create_building(session: Session, actor: Actor, creation: Creation) -> tuple[object, bool]:
    """A point is the entrance; of an outline, the entrance is taken to be some point within, which decides the grid."""
    geometry = creation.geometry
    door = geometry if isinstance(geometry, shapely.Point) else geometry.representative_point()
    place = {"entrance": {"lon": door.x, "lat": door.y}, "footprint": None if door is geometry else mapping(geometry)}
    body = _read(BuildingNew, {**creation.properties, **place, "id": creation.id})
    rest = body.model_dump(exclude={"id", "entrance"})
    made: Made = buildings.create(session, actor, **rest, entrance=Place(door.x, door.y), identifier=body.id)
    return made.id, made.fresh


def _correct_building(session: Session, actor: Actor, building_id: uuid.UUID, change: Change, versions: Versions) -> None:
    """A point is the new entrance, and the building has no outline then; an outline leaves the entrance where it is."""
    changes = _read(BuildingCorrection, change.properties).model_dump(exclude_unset=True)
    if isinstance(change.geometry, shapely.Point):
        changes["entrance"] = Place(change.geometry.x, change.geometry.y)
    elif change.geometry is not None:
        changes["footprint"] = mapping(change.geometry)
    buildings.correct(session, actor, building_id, changes, versions=versions, datum=Datum.CGCS2000)


def _delete_building(session: Session, actor: Actor, building_id: uuid.UUID, versions: Versions) -> None:
    buildings.delete(session, actor, building_id, versions=versions)


def _lock_grid(session: Session, grid_id: int, versions: Versions) -> Grid:
    return access.lock(session, Grid, grid_id, versions)


def _create_grid(session: Session, actor: Actor, creation: Creation) -> tuple[object, bool]:
    if creation.id is not None:
        raise InvalidError("the id of a grid is given here, not chosen", field="id")
    body = _read(GridNew, {**creation.properties, "geometry": mapping(creation.geometry)})
    return grids.create(session, actor, **body.model_dump()), True


def _correct_grid(session: Session, actor: Actor, grid_id: int, change: Change, versions: Versions) -> None:
    drawn = {} if change.geometry is None else {"geometry": mapping(change.geometry)}
    changes = _read(GridCorrection, {**change.properties, **drawn}).model_dump(exclude_unset=True)
    grids.correct(session, actor, grid_id, changes, versions=versions)


def _delete_grid(session: Session, actor: Actor, grid_id: int, versions: Versions) -> None:
    grids.delete(session, actor, grid_id, versions=versions)


WRITERS: Final[Mapping[str, Writer]] = {
    "buildings": Writer(_lock_building, _create_building, _correct_building, _delete_building),
    "grids": Writer(_lock_grid, _create_grid, _correct_grid, _delete_grid),
}
"""By layer: one for each that is writable."""


def rename(error: DistrictError) -> DistrictError:
    """The same refusal, naming the member of the feature in place of that of /v1."""
    error.field = _member(error.field) if error.field else None
    return error


def _member(field: str) -> str:
    name = field.partition(".")[0]
    if name in _GEOMETRIES:
        return "geometry"
    return field if field == "id" or name == "properties" or field[:1].isupper() else f"properties.{field}"


def _read(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The values as /v1 takes them. Raises InvalidError naming the first that it does not."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidError(str(first["msg"]).removeprefix("Value error, "), field=".".join(str(part) for part in first["loc"])) from None
