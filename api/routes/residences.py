"""/v1/residences: personal data; every look leaves its trace."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import REGISTER_ROLES, ActorDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import PersonalRoute
from api.schemas.areas import Ending
from api.schemas.base import EntityId, Flag, Listing
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, GridFilter, ValidOn
from api.schemas.residences import Basis, ResidenceCorrection, ResidenceForm, ResidenceNew, ResidenceShown
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import residences
from gridmgmt.registers.masks import mask_name

router = APIRouter(
    prefix="/v1/residences",
    tags=["residence"],
    route_class=PersonalRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
NEW = declares("id-taken", "unknown-reference", "second-main-residence", "place-retired")
CHANGE = declares(
    "not-found", "stale-version", "precondition-required", "place-retired", "second-main-residence", "already-ended", "conflict"
)


@router.get("", response_model=Listing[ResidenceShown])
def list_residences(
    session: SessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    person_id: Annotated[EntityId | None, Query()] = None,
    unit: CodeFilter = None,
    basis: Annotated[Basis | None, Query()] = None,
    main: Annotated[Flag | None, Query()] = None,
    verified: Annotated[Flag | None, Query()] = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """Residences in the order in which they were entered."""
    rows = residences.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, person_id=person_id, unit=unit, basis=basis,
        main=main, verified=verified, valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=ResidenceShown, responses=NEW)
def create_residence(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: ResidenceNew) -> object:
    """Enter a residence; the same request twice makes one."""
    entered = residences.create(session, actor, **body.model_dump(exclude={"id"}), identifier=body.id)
    residence = residences.present(session, entered.id)
    made(request, response, residence.id, residence.version, *_beside(residence), fresh=entered.fresh)
    return residence


@router.get("/{id}", response_model=ResidenceShown, responses=declares("not-found") | CACHED)
def read_residence(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, as_of: AsOf = None) -> object:
    """One residence."""
    return _told(response, residences.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=ResidenceShown, responses=CHANGE)
def correct_residence(
    session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: ResidenceCorrection
) -> object:
    """Correct a residence; what was believed before is kept."""
    changes = body.model_dump(exclude_unset=True)
    residences.correct(session, actor, id, changes, versions=read)
    return _told(response, residences.present(session, id))


@router.post("/{id}/end", response_model=ResidenceShown, responses=CHANGE)
def end_residence(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: Ending) -> object:
    """The person moved out."""
    residences.end(session, actor, id, on=body.on, reason=body.reason, versions=read)
    return _told(response, residences.present(session, id))


@router.post("/{id}/verify", response_model=ResidenceShown, responses=CHANGE)
def verify_residence(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep) -> object:
    """Somebody was there and saw it: writes down who and when."""
    residences.verify(session, actor, id, versions=read)
    return _told(response, residences.present(session, id))


@router.delete("/{id}", status_code=204, responses=CHANGE)
def delete_residence(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a residence that was entered by mistake."""
    residences.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[ResidenceForm], responses=declares("not-found"))
def read_residence_history(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """What was believed of a residence, the newest first."""
    return residences.history(session, actor, id)


def _told(response: Response, residence: Told) -> object:
    tag(response, residence.version, *_beside(residence))
    return residence


def _beside(residence: Told) -> tuple[object, ...]:
    """What is told with a residence and changes without it."""
    return (residence.person_name and mask_name(residence.person_name),)
