"""/v1/leases: personal data; every look leaves its trace."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conditional import CACHED, IfMatchDep, tag
from api.creation import made
from api.dependencies import REGISTER_ROLES, ActorDep, SessionDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import PersonalRoute
from api.schemas.base import Day, EntityId, Listing
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, GridFilter, ValidOn
from api.schemas.leases import Filing, LeaseCorrection, LeaseEnding, LeaseForm, LeaseNew, LeaseShown, RentGiven, State
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import leases
from gridmgmt.registers.leases import Rent
from gridmgmt.registers.masks import mask_name

router = APIRouter(
    prefix="/v1/leases",
    tags=["lease"],
    route_class=PersonalRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
NEW = declares("id-taken", "code-taken", "unknown-reference", "unit-already-let", "sublet-outlasts-head")
CHANGE = declares(
    "not-found",
    "unknown-reference",
    "stale-version",
    "precondition-required",
    "unit-already-let",
    "sublet-outlasts-head",
    "state-step",
    "lease-has-sublets",
    "conflict",
)


@router.get("", response_model=Listing[LeaseShown])
def list_leases(
    session: SessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    unit: CodeFilter = None,
    state: Annotated[State | None, Query()] = None,
    number: CodeFilter = None,
    lessee_id: Annotated[EntityId | None, Query()] = None,
    valid_on: ValidOn = None,
    ends_from: Annotated[Day | None, Query(description="The unit comes free on this day or later")] = None,
    ends_before: Annotated[Day | None, Query(description="The unit comes free before this day")] = None,
    as_of: AsOf = None,
) -> object:
    """Leases in the order in which they were entered."""
    rows = leases.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, unit=unit, state=state, number=number,
        lessee_id=lessee_id, valid_on=valid_on, ends_from=ends_from, ends_before=ends_before, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=201, response_model=LeaseShown, responses=NEW)
def create_lease(session: SessionDep, actor: ActorDep, request: Request, response: Response, body: LeaseNew) -> object:
    """Enter a lease; the same request twice makes one."""
    rest = body.model_dump(exclude={"id", "rent"})
    entered = leases.create(session, actor, **rest, rent=_rent(body.rent), identifier=body.id)
    lease = leases.present(session, entered.id)
    made(request, response, lease.id, lease.version, *_beside(lease), fresh=entered.fresh)
    return lease


@router.get("/{id}", response_model=LeaseShown, responses=declares("not-found") | CACHED)
def read_lease(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, as_of: AsOf = None) -> object:
    """One lease."""
    return _told(response, leases.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=LeaseShown, responses=CHANGE)
def correct_lease(
    session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: LeaseCorrection
) -> object:
    """Correct a lease; what was believed before is kept."""
    changes = body.model_dump(exclude_unset=True)
    if "rent" in changes:
        changes["rent"] = _rent(body.rent)
    leases.correct(session, actor, id, changes, versions=read)
    return _told(response, leases.present(session, id))


@router.post("/{id}/file", response_model=LeaseShown, responses=CHANGE)
def file_lease(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: Filing) -> object:
    """The lease was filed."""
    leases.file(session, actor, id, on=body.on, versions=read)
    return _told(response, leases.present(session, id))


@router.post("/{id}/end", response_model=LeaseShown, responses=CHANGE)
def end_lease(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, read: IfMatchDep, body: LeaseEnding) -> object:
    """The lease ends before its term, or with it, or never began."""
    leases.end(session, actor, id, on=body.on, state=body.state, reason=body.reason, versions=read)
    return _told(response, leases.present(session, id))


@router.delete("/{id}", status_code=204, responses=CHANGE)
def delete_lease(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a lease that was entered by mistake."""
    leases.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[LeaseForm], responses=declares("not-found"))
def read_lease_history(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """What was believed of a lease, the newest first."""
    return leases.history(session, actor, id)


def _rent(given: RentGiven) -> Rent:
    return Rent(given.amount, given.unit)


def _told(response: Response, lease: Told) -> object:
    tag(response, lease.version, *_beside(lease))
    return lease


def _beside(lease: Told) -> tuple[object, ...]:
    """What is told with a lease and changes without it."""
    return (lease.sublet_depth, lease.filed_late, lease.lessee_name and mask_name(lease.lessee_name))
