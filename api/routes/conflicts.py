"""/v1/sync/conflicts, letters and policies: what people decide about that handhelds sent."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.clock import TodayDep
from api.dependencies import REGISTER_ROLES, ActorDep, SealerDep, SessionDep, allow
from api.idempotency import IdempotencyKeyDep, hash_of
from api.paging import PageDep
from api.problems import declares
from api.routing import PersonalRoute
from api.schemas.base import EntityId, Listing
from api.schemas.filters import AreaFilter
from api.schemas.sync_push import dressed, read_set
from api.schemas.sync_queues import (
    ConflictShown,
    ConflictState,
    LetterClosing,
    LetterOpened,
    LetterShown,
    LetterState,
    PolicyChoice,
    PolicyShown,
    Resolve,
    Resolved,
)
from gridmgmt.errors import InvalidError
from gridmgmt.models import Conflict, DeadLetter
from gridmgmt.registers.landlords import shown
from gridmgmt.registers.masks import mask_name
from gridmgmt.security.sealing import Sealer
from gridmgmt.sync import conflicts, letters, policies
from gridmgmt.sync.conflicts import Request

router = APIRouter(
    prefix="/v1/sync",
    tags=["sync"],
    route_class=PersonalRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value", "too-large", "unsupported-media-type"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
OFFICE = [Depends(allow("district"))]
RESOLVES = declares(
    "not-found",
    "already-resolved",
    "target-deleted",
    "idempotency-key-reused",
    "unknown-field",
    "unknown-reference",
    "outside-scope",
    "conflict",
)


@router.get("/conflicts", response_model=Listing[ConflictShown])
def list_conflicts(
    session: SessionDep,
    actor: ActorDep,
    page: PageDep,
    state: Annotated[ConflictState | None, Query()] = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    area: AreaFilter = None,
) -> object:
    """Conflicts in the order in which they came up, names masked."""
    rows = conflicts.browse(session, actor, limit=page.limit, after=page.after(UUID), state=state, kind=kind, area=area)
    told = page.show(rows, lambda row: (row.id,))
    return told | {"items": [_told(row, masked=True) for row in told["items"]]}


@router.get("/conflicts/{conflict_id}", response_model=ConflictShown, responses=declares("not-found"))
def read_conflict(session: SessionDep, actor: ActorDep, conflict_id: EntityId) -> object:
    """One conflict, with names: whoever decides must read them."""
    return _told(conflicts.read(session, actor, conflict_id), masked=False)


@router.post("/conflicts/{conflict_id}/resolve", response_model=Resolved, responses=RESOLVES)
def resolve_conflict(
    session: SessionDep, actor: ActorDep, sealer: SealerDep, today: TodayDep, conflict_id: EntityId, key: IdempotencyKeyDep, body: Resolve
) -> object:
    """Decide. The same request again gets the same answer."""
    if (body.take == "set") != (body.set is not None):
        raise InvalidError("`set` goes with take set, and with nothing else", field="set")
    conflict = conflicts.read(session, actor, conflict_id)
    given = body.set if body.take == "set" else _yours(conflict, sealer) if body.take == "yours" else None
    values: Mapping[str, Any] = {} if not given else read_set(conflict.kind, "update", given)
    return conflicts.resolve(session, actor, sealer, conflict_id, Request(body.take, values, key, hash_of(body)), today=today)


@router.get("/letters", response_model=Listing[LetterShown])
def list_letters(
    session: SessionDep,
    actor: ActorDep,
    page: PageDep,
    state: Annotated[LetterState | None, Query()] = None,
    area: AreaFilter = None,
) -> object:
    """Mutations that could not be taken, the oldest first."""
    rows = letters.browse(session, actor, limit=page.limit, after=page.after(dt.datetime.fromisoformat, UUID), state=state, area=area)
    told = page.show(rows, lambda row: (row.created_at, row.mutation_id))
    return told | {"items": [_letter(row) for row in told["items"]]}


@router.get("/letters/{mutation_id}", response_model=LetterOpened, responses=declares("not-found"))
def read_letter(session: SessionDep, actor: ActorDep, sealer: SealerDep, mutation_id: EntityId) -> object:
    """One of them, opened."""
    opened = letters.read(session, actor, sealer, mutation_id)
    return _letter(opened.letter) | {"body": opened.body}


@router.post("/letters/{mutation_id}/close", response_model=LetterShown, responses=declares("not-found", "already-resolved"))
def close_letter(session: SessionDep, actor: ActorDep, mutation_id: EntityId, body: LetterClosing) -> object:
    """Somebody has looked after it."""
    return _letter(letters.close(session, actor, mutation_id, note=body.note))


@router.get("/policies", response_model=list[PolicyShown])
def list_policies(session: SessionDep, actor: ActorDep) -> object:
    """The rules that hold now; a field that is not listed is decided by somebody."""
    return policies.browse(session, actor)


@router.post("/policies", status_code=201, response_model=PolicyShown, dependencies=OFFICE)
def choose_policy(session: SessionDep, actor: ActorDep, body: PolicyChoice) -> object:
    """Set the rule of a field from now on."""
    return policies.choose(session, actor, kind=body.kind, field=body.field, policy=body.policy)


def _told(conflict: Conflict, *, masked: bool) -> dict[str, Any]:
    names = ConflictShown.model_fields
    told = {name: getattr(conflict, name) for name in names}
    return told | {side: _side(told[side], masked=masked) for side in ("base", "theirs", "yours")}


def _side(values: Mapping[str, Any] | None, *, masked: bool) -> dict[str, Any] | None:
    if values is None:
        return None
    told = {name: value for name, value in values.items() if name != "phone_enc"}
    if masked and isinstance(told.get("name"), str) and told["name"]:
        told["name"] = mask_name(told["name"])
    if masked and isinstance(told.get("lessor_name"), str):
        told["lessor_name"] = shown(told["lessor_name"])
    return told


def _yours(conflict: Conflict, sealer: Sealer) -> dict[str, Any]:
    """What the device wanted, whole: its phone is kept sealed."""
    given = dict(conflict.yours or {})
    sealed = given.pop("phone_enc", None)
    if sealed is not None:
        given["phone"] = sealer.open("conflict|phone_enc", conflict.id, bytes.fromhex(sealed))
    return given


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {name: getattr(letter, name) for name in LetterShown.model_fields} | {"problem": dressed(letter.problem)}
