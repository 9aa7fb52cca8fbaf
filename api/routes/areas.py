"""/v1/areas: everybody who is logged in reads, the district office writes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import ActorDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.areas import AreaCorrection, AreaForm, AreaNew, AreaSheet, AreaShown, Ending, Level, LineageShown
from api.schemas.base import AreaCode, AreaId, Listing
from api.schemas.filters import AsOf, CodeFilter, NameFilter, ValidOn
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import areas

router = APIRouter(
    prefix="/v1/areas",
    tags=["area"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "device-draining", "invalid-value", "too-large", "unsupported-media-type"),
)
WRITERS = [Depends(allow("district"))]
NEW = declares("forbidden", "code-taken", "unknown-reference", "conflict")
CHANGE = declares("forbidden", "not-found", "stale-version", "precondition-required", "code-taken", "area-in-use", "conflict")


@router.get("", response_model=Listing[AreaShown])
def list_areas(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    level: Annotated[Level | None, Query()] = None,
    parent: Annotated[AreaCode | None, Query(description="Code of the area above")] = None,
    code: CodeFilter = None,
    name: NameFilter = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """Areas in the order of their codes."""
    rows = areas.browse(
        session, actor, limit=page.limit, after=page.after(str, int), level=level, parent=parent, code=code, name=name,
        valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.code, row.id))


@router.post("", status_code=201, response_model=AreaSheet, responses=NEW, dependencies=WRITERS)
def create_area(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: AreaNew) -> object:
    """Enter an area."""
    area = areas.read(session, actor, areas.create(session, actor, **body.model_dump()))
    made(request, response, area.id, area.version)
    return area


@router.get("/{id}", response_model=AreaSheet, responses=declares("not-found") | CACHED)
def read_area(session: ReadSessionDep, actor: ActorDep, response: Response, id: AreaId, as_of: AsOf = None) -> object:
    """One area with its geometry."""
    return _told(response, areas.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=AreaSheet, responses=CHANGE, dependencies=WRITERS)
def correct_area(session: SessionDep, actor: ActorDep, response: Response, id: AreaId, read: IfMatchDep, body: AreaCorrection) -> object:
    """Correct an area; what was believed before is kept."""
    areas.correct(session, actor, id, body.model_dump(exclude_unset=True), versions=read)
    return _told(response, areas.read(session, actor, id))


@router.post("/{id}/end", response_model=AreaSheet, responses=CHANGE, dependencies=WRITERS)
def end_area(session: SessionDep, actor: ActorDep, response: Response, id: AreaId, read: IfMatchDep, body: Ending) -> object:
    """Let an area end."""
    areas.end(session, actor, id, on=body.on, reason=body.reason, versions=read)
    return _told(response, areas.read(session, actor, id))


@router.delete("/{id}", status_code=204, responses=CHANGE, dependencies=WRITERS)
def delete_area(session: SessionDep, actor: ActorDep, id: AreaId, read: IfMatchDep) -> None:
    """Strike out an area that was entered by mistake."""
    areas.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[AreaForm], responses=declares("not-found"))
def read_area_history(session: ReadSessionDep, actor: ActorDep, id: AreaId) -> object:
    """What was believed of an area, the newest first."""
    return areas.history(session, actor, id)


@router.get("/{id}/lineage", response_model=list[LineageShown], responses=declares("not-found"))
def read_area_lineage(session: ReadSessionDep, actor: ActorDep, id: AreaId) -> object:
    """What an area came from, and what came from it."""
    return areas.lineage(session, actor, id)


def _told(response: Response, area: Told) -> object:
    tag(response, area.version)
    return area
