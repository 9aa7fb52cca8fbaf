"""How a device stands, looked up with each request of a handheld: a revoked one is told at its next contact to wipe itself."""

from typing import Final

from gridmgmt.database import AUTH, Actor, Database
from gridmgmt.errors import ForbiddenError, UnauthenticatedError
from gridmgmt.reads import Query

_STANDING: Final = b"SELECT account_id, status FROM sec.device_standing($1)"


async def require_standing(database: Database, actor: Actor) -> str:
    """`active` or `draining`: how the actor's device stands.

    Raises ForbiddenError for a revoked one, with the order to wipe it, and UnauthenticatedError for one that was wiped or never was.
    """
    [rows] = await database.read(AUTH, Query(_STANDING, (actor.device.encode(),), b"device_standing"))
    holder, status = (value.decode() for value in rows[0] if value is not None) if rows else ("", "wiped")
    if status == "wiped" or holder != str(actor.account_id):
        raise UnauthenticatedError("there is no such handheld any more: enrol it anew")
    if status == "revoked":
        raise revoked()
    return status


async def require_active(database: Database, actor: Actor) -> None:
    """Raises ForbiddenError `device-draining` for an actor whose device hands in what it holds and gets nothing more, and what
    `require_standing` raises. Whoever has no device passes.
    """
    if actor.device and await require_standing(database, actor) == "draining":
        raise draining()


def draining() -> ForbiddenError:
    """What a draining device is told, whatever it asks but to hand in."""
    return ForbiddenError("this handheld hands in what it holds and gets nothing more", slug="device-draining", wipe=True)


def revoked() -> ForbiddenError:
    """What a revoked device is told, whatever it asks."""
    return ForbiddenError("this handheld was revoked: wipe it and acknowledge", slug="device-revoked", wipe=True)
