"""/v1/sync: what a handheld must know before it syncs, and its good-bye."""

import datetime as dt
from typing import Any

from fastapi import APIRouter, Request, Response
from limits import RateLimitItemPerMinute

from api.conditional import CACHED
from api.dependencies import DatabaseDep, PartsDep, ReadSessionDep, SettingsDep
from api.device_access import DEVICE_PROBLEMS, DeviceDep, SchemaDep, SentSchemaDep
from api.limits import address_of
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas import codes
from api.schemas.devices import Bootstrap, CodesShown, WipeAcknowledged, decoded
from gridmgmt.settings import Sync, Uploads
from gridmgmt.sync import bootstrap, devices, refreshing
from gridmgmt.sync.kinds import OLDEST_SCHEMA, SCHEMA

router = APIRouter(prefix="/v1/sync", tags=["sync"], route_class=DistrictRoute)


# The device is asked for first: a revoked one is told to wipe itself, where a session would only find its token dead.
@router.get("/bootstrap", response_model=Bootstrap, responses=declares(*DEVICE_PROBLEMS))
def read_bootstrap(device: DeviceDep, _: SentSchemaDep, session: ReadSessionDep, settings: SettingsDep) -> dict[str, Any]:
    """The server's time, limits, the grids of the holder, those lost, and how the device stands."""
    return {
        "server_time": dt.datetime.now(dt.UTC),
        "device": devices.find(session, device.actor, device.id),
        "limits": _limits(settings.sync, settings.uploads),
        "schemas": {"min": OLDEST_SCHEMA, "max": SCHEMA},
        "scopes": bootstrap.scopes(session, device.actor),
        "lost": bootstrap.lost(session),
        "epoch": bootstrap.epoch(session),
        "assignment_version": bootstrap.assignment_version(session),
        "codes_etag": codes.etag(),
    }


@router.get("/codes", response_model=CodesShown, responses=declares(*DEVICE_PROBLEMS) | CACHED)
async def read_codes(device: DeviceDep, _: SchemaDep, response: Response) -> dict[str, Any]:
    """The closed lists of words. 304 while If-None-Match names the present ones."""
    response.headers["ETag"] = codes.etag()
    return {"lists": codes.words()}


@router.post(
    "/wipe-ack",
    status_code=204,
    responses=declares("unauthenticated", "forbidden", "state-step", "invalid-value", "too-large", "unsupported-media-type"),
)
def acknowledge_wipe(request: Request, body: WipeAcknowledged, database: DatabaseDep, parts: PartsDep) -> None:
    """A revoked or draining handheld says that it is empty. It has no bearer token any more, so it signs."""
    with parts.rates.refusals(RateLimitItemPerMinute(parts.limits.log_ins_minute), "wipe-ack", address_of(request)):
        refreshing.acknowledge_wipe(database, body.device_id, body.at, decoded(body.signature))


def _limits(told: Sync, files: Uploads) -> dict[str, Any]:
    push = {
        "max_mutations": told.push_mutations,
        "max_bytes": told.push_bytes,
        "max_inflated": told.push_inflated,
        "max_item_bytes": told.push_item_bytes,
    }
    return {
        "push": push,
        "pull": {"limit": told.pull_items, "max_bytes": told.pull_bytes},
        "files": {"max_bytes": files.upload_bytes, "min_chunk": files.upload_chunk_least, "max_chunk": files.upload_chunk_most},
        "offline_days": told.offline_days,
        "silent_days": devices.SILENT.days,
        "late_hours": bootstrap.LATE // dt.timedelta(hours=1),
    }
