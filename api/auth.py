"""Who asks: a bearer token, or a personal access key by HTTP Basic, which writes only below /ogc and only when it was issued for that."""

import base64
import binascii
from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute

from api.limits import Limits, Rates, address_of
from gridmgmt.database import PUBLIC, Actor, Database
from gridmgmt.errors import ForbiddenError, UnauthenticatedError
from gridmgmt.security.accounts import by_access_key
from gridmgmt.security.tokens import Tokens

LONGEST: Final = 4096
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


async def caller(request: Request, database: Database, tokens: Tokens, rates: Rates, limits: Limits, *, keys_write: bool = False) -> Actor:
    """The actor whom the Authorization header names, PUBLIC without one. Raises UnauthenticatedError for a header that proves nobody.

    Where `keys_write`, personal access keys are taken for methods that change something: whether this one may, `may_write` tells.
    A wrong key costs a look into the database and a row of the trail, so an address may send so many a minute as anonymous requests.
    """
    headers = request.headers.getlist("authorization")
    if not headers:
        return PUBLIC
    scheme, _, credentials = headers[0].partition(" ")
    if len(headers) > 1 or len(credentials) > LONGEST:
        raise UnauthenticatedError("one Authorization header of at most 4 KiB is taken")
    match scheme.lower():
        case "bearer":
            return tokens.read(credentials.strip())
        case "basic":
            if request.method not in SAFE:
                if not keys_write:
                    raise UnauthenticatedError("a personal access key only reads here: log in for a bearer token")
                _refuse_foreign_pages(request)
            username, key = _split(credentials.strip())
            with rates.refusals(RateLimitItemPerMinute(limits.anonymous_minute), "access-key", address_of(request)):
                actor, request.state.key_writes = await by_access_key(database, username, key)
                return actor
        case _:
            raise UnauthenticatedError("the Authorization header takes Bearer or Basic")


def has_key(request: Request) -> bool:
    """Whether the caller, who is known, showed a personal access key."""
    return hasattr(request.state, "key_writes")


def may_write(request: Request) -> bool:
    """Whether what the caller showed is good for writing: a token is, a personal access key where it was issued for it."""
    return getattr(request.state, "key_writes", True)


def _refuse_foreign_pages(request: Request) -> None:
    """Browsers send a key that was once given to them with whatever any page makes them ask. GIS programs say nothing of pages."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site not in {None, "same-origin", "none"} or (origin is not None and origin.partition("://")[2] != request.url.netloc):
        raise ForbiddenError("a page of another site may not write with a personal access key")


def _split(credentials: str) -> tuple[str, str]:
    try:
        username, colon, key = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise UnauthenticatedError("the Basic credentials cannot be read") from None
    if not colon or "\0" in username:
        raise UnauthenticatedError("the Basic credentials cannot be read")
    return username, key
