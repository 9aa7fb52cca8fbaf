"""/v1/inspections: visits to buildings. They are entered and struck out; nobody corrects what was seen."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import OFFICE_ROLES, REGISTER_ROLES, ActorDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.base import EntityId, Listing
from api.schemas.filters import AreaFilter, CodeFilter, FirstDay, GridFilter, LastDay
from api.schemas.inspections import InspectionNew, InspectionShown, Kind, Outcome
from gridmgmt.registers import inspections
from gridmgmt.registers.buildings import Place

router = APIRouter(
    prefix="/v1/inspections",
    tags=["inspection"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)


@router.get("", response_model=Listing[InspectionShown])
def list_inspections(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    building_id: Annotated[EntityId | None, Query()] = None,
    house_code: CodeFilter = None,
    kind: Annotated[Kind | None, Query()] = None,
    outcome: Annotated[Outcome | None, Query()] = None,
    first: FirstDay = None,
    last: LastDay = None,
) -> object:
    """Visits in the order in which they were entered."""
    rows = inspections.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, building_id=building_id, house_code=house_code,
        kind=kind, outcome=outcome, first=first, last=last,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=InspectionShown, responses=declares("id-taken", "unknown-reference"))
def create_inspection(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: InspectionNew) -> object:
    """Enter a visit; the same request twice makes one."""
    rest = body.model_dump(exclude={"id", "place"})
    place = body.place and Place(body.place.lon, body.place.lat, body.place.datum)
    entered = inspections.create(session, actor, **rest, place=place, identifier=body.id)
    inspection = inspections.read(session, actor, entered.id)
    made(request, response, inspection.id, inspection.version, inspection.house_code, fresh=entered.fresh)
    return inspection


@router.get("/{id}", response_model=InspectionShown, responses=declares("not-found") | CACHED)
def read_inspection(session: ReadSessionDep, actor: ActorDep, response: Response, id: EntityId) -> object:
    """One visit."""
    inspection = inspections.read(session, actor, id)
    tag(response, inspection.version, inspection.house_code)
    return inspection


@router.delete(
    "/{id}",
    status_code=204,
    responses=declares("not-found", "stale-version", "precondition-required"),
    dependencies=[Depends(allow(*OFFICE_ROLES))],
)
def delete_inspection(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a visit that was entered by mistake: the offices do, not who entered it."""
    inspections.delete(session, actor, id, versions=read)
