"""Which handheld asks: the headers of /v1/sync, and how the device stands. Dependencies for both are declared here and only here."""

import re
import uuid
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Header, Request

from api.dependencies import BearerDep, DatabaseDep, SettingsDep, require_known
from api.problems import RequestError
from gridmgmt.database import Actor
from gridmgmt.errors import ForbiddenError
from gridmgmt.sync.kinds import OLDEST_SCHEMA, SCHEMA
from gridmgmt.sync.standing import draining, require_standing

DEVICE_PROBLEMS: Final = ("unauthenticated", "forbidden", "device-revoked", "schema-too-old")
"""What every route with these dependencies may answer; those with `ActiveDeviceDep` answer `device-draining` too."""
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True)
class Handheld:
    """A device that may speak: active, or draining, when it hands in what it holds and gets nothing more."""

    id: uuid.UUID
    actor: Actor
    """Whoever holds it; the token's device is in it, so a transaction of this actor is one of this device."""
    draining: bool


async def _device(
    request: Request,
    actor: BearerDep,
    database: DatabaseDep,
    x_device_id: Annotated[str | None, Header(description="Id of the device, as in its token")] = None,
) -> Handheld:
    require_known(actor)
    if not actor.device:
        raise ForbiddenError("this is for handhelds: the token belongs to none")
    if x_device_id is None:
        raise RequestError("malformed-request", "send X-Device-Id", field="X-Device-Id")
    if x_device_id.lower() != actor.device:
        raise ForbiddenError("the token belongs to another handheld", field="X-Device-Id")
    status = await require_standing(database, actor)
    request.state.hands_in = True  # whether it is only that, `_active` asks; sessions, which are opened after this, need not
    return Handheld(uuid.UUID(actor.device), actor, draining=status == "draining")


DeviceDep = Annotated[Handheld, Depends(_device)]
"""The handheld that asks, active or draining. 401 without a good token or when it was wiped, 403 when it was revoked."""


async def _active(device: DeviceDep) -> Handheld:
    if device.draining:
        raise draining()
    return device


ActiveDeviceDep = Annotated[Handheld, Depends(_active)]
"""The same, for what gives data away: a draining device gets 403."""


async def _schema(
    x_schema_version: Annotated[str | None, Header(description="Version of what travels that the device speaks")] = None,
) -> int:
    if x_schema_version is None or not _NUMBER.fullmatch(x_schema_version):
        raise RequestError("malformed-request", "send X-Schema-Version as an integer", field="X-Schema-Version")
    version = int(x_schema_version)
    if version > SCHEMA:
        raise RequestError("malformed-request", f"the newest version is {SCHEMA}", field="X-Schema-Version", min=OLDEST_SCHEMA, max=SCHEMA)
    return version


SentSchemaDep = Annotated[int, Depends(_schema)]
"""The version of what a device sends: 400 when missing, not a number or newer than the server. An old one is no reason to lose anything:
what cannot be read any more becomes a letter."""


async def _spoken(settings: SettingsDep, version: SentSchemaDep) -> int:
    if version < OLDEST_SCHEMA:
        said, upgrade = "this version is not spoken any more: update the app", settings.sync.upgrade_url
        raise RequestError("schema-too-old", said, field="X-Schema-Version", min=OLDEST_SCHEMA, max=SCHEMA, upgrade_url=upgrade)
    return version


SchemaDep = Annotated[int, Depends(_spoken)]
"""The version that the device speaks: 409 when too old, else as above."""
