"""/v1/buildings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, etag, tag
from api.creation import made
from api.dependencies import REGISTER_ROLES, ActorDep, DatabaseDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.areas import Ending
from api.schemas.base import EntityId, Flag, Listing
from api.schemas.buildings import (
    Accepted,
    BuildingCorrection,
    BuildingForm,
    BuildingNew,
    BuildingSheet,
    BuildingShown,
    EntranceGiven,
    Nature,
)
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, GridFilter, NameFilter, ValidOn
from gridmgmt.errors import NotFoundError
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import buildings
from gridmgmt.registers.buildings import Place

router = APIRouter(
    prefix="/v1/buildings",
    tags=["building"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
NEW = declares("code-taken", "id-taken", "outside-grids", "outside-scope")
CHANGE = declares(
    "not-found", "stale-version", "precondition-required", "code-taken", "building-has-units", "outside-grids", "place-retired", "conflict"
)


@router.get("", response_model=Listing[BuildingShown])
def list_buildings(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    house_code: CodeFilter = None,
    name: NameFilter = None,
    nature: Annotated[Nature | None, Query()] = None,
    rental: Annotated[Flag | None, Query()] = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """Buildings in the order in which they were entered."""
    rows = buildings.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, house_code=house_code, name=name,
        nature=nature, rental=rental, valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=BuildingSheet, responses=NEW)
def create_building(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: BuildingNew) -> object:
    """Enter a building; the same request twice makes one."""
    rest = body.model_dump(exclude={"id", "entrance"})
    entered = buildings.create(session, actor, **rest, entrance=_place(body.entrance), identifier=body.id)
    building = buildings.read(session, actor, entered.id)
    made(request, response, building.id, building.version, fresh=entered.fresh)
    return building


@router.get("/{id}", response_model=BuildingSheet, responses=declares("not-found") | CACHED)
async def read_building(database: DatabaseDep, actor: ActorDep, id: EntityId, as_of: AsOf = None) -> object:
    """One building with its footprint."""
    [rows] = await database.read(actor, buildings.document(id, as_of=as_of))
    if not rows:
        raise NotFoundError("there is no such building, or none that you may see")
    body, version = rows[0]
    assert version is not None
    return Response(body, media_type="application/json", headers={"ETag": etag(int(version))})


@router.patch("/{id}", response_model=BuildingSheet | Accepted, responses=CHANGE | {202: {"model": Accepted}})
def correct_building(
    session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: BuildingCorrection
) -> BuildingSheet | Accepted:
    """Correct a building. 202 when its new entrance lies in somebody else's grid: it is theirs from then on."""
    changes = body.model_dump(exclude_unset=True)
    if "entrance" in changes:
        changes["entrance"] = _place(body.entrance)
    buildings.correct(session, actor, id, changes, versions=read)
    if not buildings.is_seen(session, id):
        response.status_code = 202
        return Accepted()
    return _told(response, buildings.read(session, actor, id))


@router.post("/{id}/end", response_model=BuildingSheet, responses=CHANGE)
def end_building(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: Ending) -> object:
    """Retire a building whose units are retired."""
    buildings.end(session, actor, id, on=body.on, reason=body.reason, versions=read)
    return _told(response, buildings.read(session, actor, id))


@router.delete("/{id}", status_code=204, responses=CHANGE)
def delete_building(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a building that was entered by mistake."""
    buildings.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[BuildingForm], responses=declares("not-found"))
def read_building_history(session: ReadSessionDep, actor: ActorDep, id: EntityId) -> object:
    """What was believed of a building, the newest first."""
    return buildings.history(session, actor, id)


def _place(entrance: EntranceGiven) -> Place:
    return Place(entrance.lon, entrance.lat, entrance.datum)


def _told(response: Response, building: Told) -> BuildingSheet:
    tag(response, building.version)
    return BuildingSheet.model_validate(building)
