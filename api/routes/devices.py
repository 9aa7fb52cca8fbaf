"""/v1/devices: handhelds come in by a code, go on by their tokens, and are looked after by the administration."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from limits import RateLimitItemPerMinute

from api.conditional import CACHED
from api.dependencies import ActorDep, DatabaseDep, PartsDep, ReadSessionDep, SealerDep, SessionDep, allow
from api.idempotency import IdempotencyKeyDep, hash_of
from api.limits import address_of
from api.paging import PageDep
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.base import EntityId, Listing, Name
from api.schemas.devices import (
    DeviceShown,
    Enrolled,
    Enrolment,
    EnrolmentIssued,
    EnrolmentNew,
    IncidentShown,
    Refresh,
    Status,
    TokensIssued,
    decoded,
)
from gridmgmt.security.accounts import own_account
from gridmgmt.sync import bootstrap, devices, enrolment, refreshing

router = APIRouter(prefix="/v1/devices", tags=["devices"], route_class=DistrictRoute, responses=declares("unauthenticated", "forbidden"))

ADMIN = [Depends(allow("admin"))]
OFFICE = [Depends(allow("admin", "district"))]
READERS = [Depends(allow("admin", "district", "worker"))]
BODY = declares("invalid-value", "too-large", "unsupported-media-type")
STEP = declares("not-found", "state-step")


@router.post("/enrolments", status_code=201, response_model=EnrolmentIssued, dependencies=ADMIN, responses=BODY | declares("not-found"))
def issue_code(session: SessionDep, body: EnrolmentNew) -> object:
    """A one-time code by which one handheld of a worker is let in. It is told this once."""
    return enrolment.issue_code(session, body.username, days=body.days)


@router.post(
    "/enrol", status_code=201, response_model=Enrolled,
    responses=BODY | declares("conflict") | declares("invalid-value", "idempotency-key-reused"),
)  # fmt: skip
def enrol_device(
    request: Request, key: IdempotencyKeyDep, body: Enrolment, database: DatabaseDep, parts: PartsDep, sealer: SealerDep
) -> dict[str, Any]:
    """Let a handheld in. Sent again with the same key it gives the same; after ten wrong codes in a minute the address waits."""
    said = enrolment.Request(
        body.code, decoded(body.public_key), body.public_key, decoded(body.signature), body.label, body.app_version, body.schema_version
    )
    with parts.rates.refusals(RateLimitItemPerMinute(parts.limits.log_ins_minute), "enrol", address_of(request)):
        actor, refresh_token = enrolment.enrol(database, sealer, said, key=key, body=hash_of(body))
    with database.transaction(actor, read_only=True) as session:
        told = {"account": own_account(session, actor), "scopes": bootstrap.scopes(session, actor)}
    return _tokens(parts, actor, refresh_token) | told | {"device_id": actor.device}


@router.post("/token", response_model=TokensIssued, responses=BODY | declares("device-revoked", "reauthorisation-required"))
def refresh_token(request: Request, body: Refresh, database: DatabaseDep, parts: PartsDep, sealer: SealerDep) -> dict[str, Any]:
    """Exchange a refresh token for a bearer token and the next refresh token. The one before is good until the next is used."""
    with parts.rates.refusals(RateLimitItemPerMinute(parts.limits.anonymous_minute), "refresh", address_of(request)):
        actor, following = refreshing.refresh(database, sealer, body.device_id, body.refresh_token, decoded(body.signature))
    return _tokens(parts, actor, following)


@router.get("", response_model=Listing[DeviceShown], dependencies=READERS, responses=declares("invalid-value"))
def list_devices(
    session: ReadSessionDep,
    actor: ActorDep,
    page: PageDep,
    username: Annotated[Name | None, Query(description="User name of the holder")] = None,
    status: Annotated[Status | None, Query()] = None,
) -> object:
    """The handhelds in the order in which they came in; workers see their own."""
    rows = devices.browse(session, actor, limit=page.limit, after=page.after(UUID), username=username, status=status)
    return page.show(rows, lambda row: (row.id,))


@router.get("/{id}", response_model=DeviceShown, dependencies=READERS, responses=declares("not-found") | CACHED)
def read_device(session: ReadSessionDep, actor: ActorDep, response: Response, id: EntityId) -> object:
    """One handheld. Its tag is of everything told here."""
    shown = DeviceShown.model_validate(devices.find(session, actor, id))
    response.headers["ETag"] = f'"{hashlib.sha256(orjson.dumps(shown.model_dump(mode="json"))).hexdigest()[:32]}"'
    return shown


@router.get("/{id}/incidents", response_model=Listing[IncidentShown], dependencies=OFFICE, responses=declares("not-found", "invalid-value"))
def list_incidents(session: ReadSessionDep, actor: ActorDep, page: PageDep, id: EntityId) -> object:
    """What should not have happened with a handheld, the newest first."""
    devices.find(session, actor, id)
    return page.show(devices.incidents(session, id, limit=page.limit, after=page.after(UUID)), lambda row: (row.id,))


@router.post("/{id}/drain", response_model=DeviceShown, dependencies=ADMIN, responses=STEP)
def drain_device(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """It hands in what it holds, gets nothing more, and wipes itself."""
    return devices.change(session, actor, id, "drain")


@router.post("/{id}/activate", response_model=DeviceShown, dependencies=ADMIN, responses=STEP)
def activate_device(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """A draining handheld goes on after all."""
    return devices.change(session, actor, id, "activate")


@router.post("/{id}/revoke", response_model=DeviceShown, dependencies=ADMIN, responses=STEP)
def revoke_device(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """Lost or stolen: nothing of it is taken any more, and at its next contact it is told to wipe itself."""
    return devices.change(session, actor, id, "revoke")


@router.post("/{id}/reauthorise", response_model=DeviceShown, dependencies=ADMIN, responses=STEP)
def reauthorise_device(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """Let in a handheld that was silent for 30 days or whose refresh token came twice."""
    return devices.change(session, actor, id, "reauthorise")


def _tokens(parts: PartsDep, actor: ActorDep, refresh_token: str) -> dict[str, Any]:
    issued = {"access_token": parts.tokens.issue(actor), "token_type": "Bearer", "expires_in": parts.tokens.lifetime}
    return issued | {"refresh_token": refresh_token}
