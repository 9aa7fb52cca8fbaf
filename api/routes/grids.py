"""/v1/grids: those who work in them read, the district office draws."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.clock import TodayDep
from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import REGISTER_ROLES, ActorDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.areas import Ending, LineageShown
from api.schemas.base import AreaId, Listing
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, NameFilter, ValidOn
from api.schemas.grids import GridCorrection, GridForm, GridNew, GridSheet, GridShown, Redraw, Redrawn
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import grids

router = APIRouter(
    prefix="/v1/grids",
    tags=["grid"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
WRITERS = [Depends(allow("district"))]
NEW = declares("code-taken", "unknown-reference", "grid-overlap", "grid-outside-community", "conflict")
CHANGE = declares(
    "not-found", "stale-version", "precondition-required", "grid-overlap", "grid-outside-community", "grid-has-buildings", "conflict"
)


@router.get("", response_model=Listing[GridShown])
def list_grids(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    code: CodeFilter = None,
    scheme: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = None,
    name: NameFilter = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """Grids in the order of their codes."""
    rows = grids.browse(
        session, actor, limit=page.limit, after=page.after(str, int), area=area, code=code, scheme=scheme, name=name,
        valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.code, row.id))


@router.post("", status_code=201, response_model=GridSheet, responses=NEW, dependencies=WRITERS)
def create_grid(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: GridNew) -> object:
    """Draw a grid."""
    grid = grids.read(session, actor, grids.create(session, actor, **body.model_dump()))
    made(request, response, grid.id, grid.version)
    return grid


@router.post(
    "/redraw", status_code=201, response_model=Redrawn, responses=NEW | declares("grid-gap", "grid-has-buildings"), dependencies=WRITERS
)
def redraw_grids(session: SessionDep, actor: ActorDep, today: TodayDep, body: Redraw) -> object:
    """Split, merge or renumber base grids in one step, with lineage."""
    drawn = [grid.model_dump() for grid in body.create]
    ids = grids.redraw(session, actor, kind=body.kind, retire=body.retire, grids=drawn, on=body.on, today=today)
    return Redrawn(ids=list(ids))


@router.get("/{id}", response_model=GridSheet, responses=declares("not-found") | CACHED)
def read_grid(session: ReadSessionDep, actor: ActorDep, response: Response, id: AreaId, as_of: AsOf = None) -> object:
    """One grid with its geometry."""
    return _told(response, grids.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=GridSheet, responses=CHANGE, dependencies=WRITERS)
def correct_grid(session: SessionDep, actor: ActorDep, response: Response, id: AreaId, read: IfMatchDep, body: GridCorrection) -> object:
    """Correct a grid; with the geometry the buildings follow."""
    grids.correct(session, actor, id, body.model_dump(exclude_unset=True), versions=read)
    return _told(response, grids.read(session, actor, id))


@router.post("/{id}/end", response_model=GridSheet, responses=CHANGE, dependencies=WRITERS)
def end_grid(session: SessionDep, actor: ActorDep, response: Response, id: AreaId, read: IfMatchDep, body: Ending) -> object:
    """Let a grid end."""
    grids.end(session, actor, id, on=body.on, reason=body.reason, versions=read)
    return _told(response, grids.read(session, actor, id))


@router.delete("/{id}", status_code=204, responses=CHANGE, dependencies=WRITERS)
def delete_grid(session: SessionDep, actor: ActorDep, id: AreaId, read: IfMatchDep) -> None:
    """Strike out a grid that was entered by mistake."""
    grids.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[GridForm], responses=declares("not-found"))
def read_grid_history(session: ReadSessionDep, actor: ActorDep, id: AreaId) -> object:
    """What was believed of a grid, the newest first."""
    return grids.history(session, actor, id)


@router.get("/{id}/lineage", response_model=list[LineageShown], responses=declares("not-found"), dependencies=WRITERS)
def read_grid_lineage(session: ReadSessionDep, actor: ActorDep, id: AreaId) -> object:
    """What a grid came from, and what came from it."""
    return grids.lineage(session, actor, id)


def _told(response: Response, grid: Told) -> object:
    tag(response, grid.version)
    return grid
