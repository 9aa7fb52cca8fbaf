"""/v1/managers: personal data; every look leaves its trace."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import REGISTER_ROLES, ActorDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import PersonalRoute
from api.schemas.base import EntityId, Listing
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, GridFilter, ValidOn
from api.schemas.managers import Kind, ManagerCorrection, ManagerEnding, ManagerForm, ManagerNew, ManagerShown, State
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import managers
from gridmgmt.registers.masks import mask_name

router = APIRouter(
    prefix="/v1/managers",
    tags=["manager"],
    route_class=PersonalRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
NEW = declares("id-taken", "unknown-reference", "already-appointed")
CHANGE = declares("not-found", "stale-version", "precondition-required", "already-appointed", "state-step", "contacts-missing", "conflict")


@router.get("", response_model=Listing[ManagerShown])
def list_managers(
    session: SessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    building_id: Annotated[EntityId | None, Query()] = None,
    house_code: CodeFilter = None,
    person_id: Annotated[EntityId | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    kind: Annotated[Kind | None, Query()] = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """Appointments in the order in which they were entered."""
    rows = managers.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, building_id=building_id, house_code=house_code,
        person_id=person_id, state=state, kind=kind, valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=ManagerShown, responses=NEW)
def create_manager(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: ManagerNew) -> object:
    """Enter an appointment; the same request twice makes one."""
    entered = managers.create(session, actor, **body.model_dump(exclude={"id"}), identifier=body.id)
    manager = managers.present(session, entered.id)
    made(request, response, manager.id, manager.version, *_beside(manager), fresh=entered.fresh)
    return manager


@router.get("/{id}", response_model=ManagerShown, responses=declares("not-found") | CACHED)
def read_manager(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, as_of: AsOf = None) -> object:
    """One appointment."""
    return _told(response, managers.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=ManagerShown, responses=CHANGE)
def correct_manager(
    session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: ManagerCorrection
) -> object:
    """Correct an appointment; what was believed before is kept."""
    changes = body.model_dump(exclude_unset=True)
    managers.correct(session, actor, id, changes, versions=read)
    return _told(response, managers.present(session, id))


@router.post("/{id}/end", response_model=ManagerShown, responses=CHANGE)
def end_manager(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: ManagerEnding) -> object:
    """The manager was dismissed or resigned."""
    managers.end(session, actor, id, on=body.on, state=body.state, reason=body.reason, versions=read)
    return _told(response, managers.present(session, id))


@router.delete("/{id}", status_code=204, responses=CHANGE)
def delete_manager(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out an appointment that was entered by mistake."""
    managers.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[ManagerForm], responses=declares("not-found"))
def read_manager_history(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """What was believed of an appointment, the newest first."""
    return managers.history(session, actor, id)


def _told(response: Response, manager: Told) -> object:
    tag(response, manager.version, *_beside(manager))
    return manager


def _beside(manager: Told) -> tuple[object, ...]:
    """What is told with an appointment and changes without it."""
    return (manager.buildings, manager.person_name and mask_name(manager.person_name))
