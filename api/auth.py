"""Who asks: a bearer token, or a personal access key by HTTP Basic where nothing is changed."""

import base64
import binascii
from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute

from api.limits import Limits, Rates, address_of
from gridmgmt.database import PUBLIC, Actor, Database
from gridmgmt.errors import UnauthenticatedError
from gridmgmt.security.accounts import by_access_key
from gridmgmt.security.tokens import Tokens

LONGEST: Final = 4096


async def caller(request: Request, database: Database, tokens: Tokens, rates: Rates, limits: Limits) -> Actor:
    """The actor whom the Authorization header names, PUBLIC without one. Raises UnauthenticatedError for a header that proves nobody.

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
            if request.method not in {"GET", "HEAD", "OPTIONS"}:
                raise UnauthenticatedError("a personal access key only reads: log in for a bearer token")
            username, key = _split(credentials.strip())
            with rates.refusals(RateLimitItemPerMinute(limits.anonymous_minute), "access-key", address_of(request)):
                return await by_access_key(database, username, key)
        case _:
            raise UnauthenticatedError("the Authorization header takes Bearer or Basic")


def has_key(request: Request) -> bool:
    """Whether the caller shows a personal access key, which only reads."""
    return request.headers.get("authorization", "")[:6].lower() == "basic "


def _split(credentials: str) -> tuple[str, str]:
    try:
        username, colon, key = base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise UnauthenticatedError("the Basic credentials cannot be read") from None
    if not colon or "\0" in username:
        raise UnauthenticatedError("the Basic credentials cannot be read")
    return username, key
