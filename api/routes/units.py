"""/v1/units."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import REGISTER_ROLES, ActorDep, ReadSessionDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.areas import Ending
from api.schemas.base import EntityId, Listing
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, GridFilter, ValidOn
from api.schemas.units import UnitCorrection, UnitForm, UnitNew, UnitShown, Use
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import units

router = APIRouter(
    prefix="/v1/units",
    tags=["unit"],
    route_class=DistrictRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
NEW = declares("code-taken", "id-taken", "unknown-reference", "place-retired")
CHANGE = declares("not-found", "stale-version", "precondition-required", "unit-occupied", "place-retired", "conflict")


@router.get("", response_model=Listing[UnitShown])
def list_units(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    building_id: Annotated[EntityId | None, Query()] = None,
    code: CodeFilter = None,
    use: Annotated[Use | None, Query()] = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """Units in the order in which they were entered."""
    rows = units.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, building_id=building_id, code=code, use=use,
        valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=UnitShown, responses=NEW)
def create_unit(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: UnitNew) -> object:
    """Enter a unit; the same request twice makes one."""
    entered = units.create(session, actor, **body.model_dump(exclude={"id"}), identifier=body.id)
    unit = units.read(session, actor, entered.id)
    made(request, response, unit.id, unit.version, unit.occupants, fresh=entered.fresh)
    return unit


@router.get("/{id}", response_model=UnitShown, responses=declares("not-found") | CACHED)
def read_unit(session: ReadSessionDep, actor: ActorDep, response: Response, id: EntityId, as_of: AsOf = None) -> object:
    """One unit."""
    return _told(response, units.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=UnitShown, responses=CHANGE)
def correct_unit(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: UnitCorrection) -> object:
    """Correct a unit."""
    units.correct(session, actor, id, body.model_dump(exclude_unset=True), versions=read)
    return _told(response, units.read(session, actor, id))


@router.post("/{id}/end", response_model=UnitShown, responses=CHANGE)
def end_unit(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: Ending) -> object:
    """Retire a unit that nobody lives in."""
    units.end(session, actor, id, on=body.on, reason=body.reason, versions=read)
    return _told(response, units.read(session, actor, id))


@router.delete("/{id}", status_code=204, responses=CHANGE)
def delete_unit(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a unit that was entered by mistake."""
    units.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[UnitForm], responses=declares("not-found"))
def read_unit_history(session: ReadSessionDep, actor: ActorDep, id: EntityId) -> object:
    """What was believed of a unit, the newest first."""
    return units.history(session, actor, id)


def _told(response: Response, unit: Told) -> object:
    tag(response, unit.version, unit.occupants)
    return unit
