"""/v1/persons: personal data; every look leaves its trace, and what is sealed is opened only for a purpose."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.clock import TodayDep
from api.conditional import CACHED, IfMatchDep, tag
from api.dependencies import REGISTER_ROLES, ActorDep, SealerDep, SessionDep, SettingsDep, allow
from api.paging import PageDep
from api.problems import declares
from api.routing import PersonalRoute
from api.schemas.base import EntityId, Listing
from api.schemas.buildings import Accepted
from api.schemas.filters import AreaFilter, AsOf, CodeFilter, GridFilter, NameFilter, ValidOn
from api.schemas.persons import (
    LookUp,
    Matches,
    Move,
    PersonAccepted,
    PersonCorrection,
    PersonForm,
    PersonNew,
    PersonRevealed,
    PersonShown,
    Registration,
    Reveal,
)
from gridmgmt.history.beliefs import Told
from gridmgmt.registers import people, reveals
from gridmgmt.registers.people import Particulars

router = APIRouter(
    prefix="/v1/persons",
    tags=["person"],
    route_class=PersonalRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
CHANGE = declares("not-found", "stale-version", "precondition-required", "person-lives-somewhere", "conflict")


@router.get("", response_model=Listing[PersonShown])
def list_persons(
    session: SessionDep,
    actor: ActorDep,
    page: PageDep,
    area: AreaFilter = None,
    grid: GridFilter = None,
    name: NameFilter = None,
    registration: Annotated[Registration | None, Query()] = None,
    unit: CodeFilter = None,
    valid_on: ValidOn = None,
    as_of: AsOf = None,
) -> object:
    """People, masked, in the order in which they were entered."""
    rows = people.browse(
        session, actor, limit=page.limit, after=page.after(UUID), area=area, grid=grid, name=name, registration=registration, unit=unit,
        valid_on=valid_on, as_of=as_of,
    )  # fmt: skip
    return page.show(rows, lambda row: (row.id,))


@router.post("", status_code=202, response_model=PersonAccepted, responses=declares("id-taken", "unknown-reference"))
def create_person(
    session: SessionDep, actor: ActorDep, sealer: SealerDep, settings: SettingsDep, today: TodayDep, body: PersonNew
) -> PersonAccepted:
    """Enter a person. The answer is the same whether or not the number was known."""
    said = Particulars(body.name, body.registration, body.identity_number, body.phone, body.sex, body.birth_year)
    demo = settings.access.demo_mode
    person = people.create(session, actor, sealer, said, grid=body.grid, unit=body.unit, today=today, demo=demo, identifier=body.id)
    return PersonAccepted(id=person)


@router.post("/lookup", response_model=Matches, responses=declares("quota-exceeded"))
def look_up_persons(
    session: SessionDep, actor: ActorDep, sealer: SealerDep, settings: SettingsDep, today: TodayDep, body: LookUp
) -> object:
    """Who has this number, of those that the asker sees. Counts on a quota, hit or miss."""
    demo = settings.access.demo_mode
    question = body.model_dump()
    return {"items": reveals.look_up(session, actor, sealer, **question, today=today, demo=demo)}


@router.get("/{id}", response_model=PersonShown, responses=declares("not-found") | CACHED)
def read_person(session: SessionDep, actor: ActorDep, response: Response, id: EntityId, as_of: AsOf = None) -> object:
    """One person, masked."""
    return _told(response, people.read(session, actor, id, as_of=as_of))


@router.patch("/{id}", response_model=PersonShown, responses=CHANGE)
def correct_person(
    session: SessionDep, actor: ActorDep, sealer: SealerDep, response: Response, id: EntityId, read: IfMatchDep, body: PersonCorrection
) -> object:
    """Correct a person's name, registration or phone."""
    people.correct(session, actor, sealer, id, body.model_dump(exclude_unset=True), versions=read)
    return _told(response, people.present(session, id))


@router.post("/{id}/move", status_code=202, response_model=Accepted, responses=CHANGE)
def move_person(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep, body: Move) -> Accepted:
    """Hand the record over to where the person moved. The answer is the same whatever that place is."""
    people.move(session, actor, id, unit=body.unit, on=body.on, versions=read)
    return Accepted()


@router.post(
    "/{id}/reveal", response_model=PersonRevealed, response_model_exclude_unset=True, responses=declares("not-found", "quota-exceeded")
)
def reveal_person(session: SessionDep, actor: ActorDep, sealer: SealerDep, id: EntityId, body: Reveal) -> PersonRevealed:
    """Open what is sealed, for a purpose. Counts on a quota and is written down."""
    full = reveals.reveal(session, actor, sealer, id, purpose=body.purpose, reason=body.reason)
    return PersonRevealed.model_validate({"id": full.id} | {name: getattr(full, name) for name in body.fields})


@router.delete("/{id}", status_code=204, responses=CHANGE)
def delete_person(session: SessionDep, actor: ActorDep, id: EntityId, read: IfMatchDep) -> None:
    """Strike out a record that was entered by mistake."""
    people.delete(session, actor, id, versions=read)


@router.get("/{id}/history", response_model=list[PersonForm], responses=declares("not-found"))
def read_person_history(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """What was believed of a person, the newest first."""
    return people.history(session, actor, id)


def _told(response: Response, person: Told) -> object:
    tag(response, person.version)
    return person
