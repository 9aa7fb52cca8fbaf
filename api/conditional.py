"""Conditional requests (RFC 9110, section 13): nobody overwrites what somebody else has changed meanwhile.

The entity tag of a row is its version, `"v3"`, with a mark of what is told beside the row where that changes by itself:
`"v3.5e2f"`. A GET that sets one (`tag`) answers 304 by itself when the client has that version: api/routing.py compares. A correction
demands `If-Match` (`IfMatchDep`) and hands it to `access.lock`.
"""

import re
import zlib
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response

from api.lists import whole
from api.problems import RequestError
from gridmgmt.security.access import Versions

CACHED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"description": "The version, for If-Match and If-None-Match", "schema": {"type": "string"}}}},
    304: {"description": "If-None-Match names the present version"},
}
"""What a route that reads one row answers besides problems, for OpenAPI."""
_ONE = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"\s*{_ONE}(?:\s*,\s*{_ONE})*\s*")
_TAG = re.compile(r'(?P<weak>W/)?"(?P<value>[^"]*)"')
_VERSION = re.compile(r"v([1-9]\d{0,9})(?:\.[0-9a-f]{1,8})?", re.ASCII)
LONGEST: Final = 2000


def tag(response: Response, version: int, *beside: object) -> None:
    """Set the entity tag of an answer that represents one row, and what is told beside it though it is not of the row."""
    response.headers["ETag"] = etag(version, *beside)


def etag(version: int, *beside: object) -> str:
    """The strong entity tag of a version and of what is told beside it. `If-Match` takes the version from it."""
    return f'"v{version}.{zlib.crc32(repr(beside).encode()):x}"' if beside else f'"v{version}"'


def has_current(if_none_match: str | None, current: str) -> bool:
    """Whether `If-None-Match` names the tag (weak comparison, as for GET), or is `*`. A header that cannot be read names nothing."""
    if if_none_match is None or len(if_none_match) > LONGEST:
        return False
    if if_none_match.strip() == "*":
        return True
    if not _LIST.fullmatch(if_none_match):
        return False
    plain = current.removeprefix("W/")
    return any(f'"{match["value"]}"' == plain for match in _TAG.finditer(if_none_match))


def read_if_match(header: str | None) -> Versions:
    """The versions that `If-Match` names, None for `*`. Weak tags match nothing (strong comparison), nor do tags that are not ours.

    Raises RequestError: 428 when the header is missing, 400 when it cannot be read.
    """
    if header is None:
        raise RequestError("precondition-required", 'send If-Match with the ETag that you read, as in If-Match: "v3"', field="If-Match")
    if header.strip() == "*":
        return None
    if len(header) > LONGEST or not _LIST.fullmatch(header):
        raise RequestError("malformed-request", 'If-Match takes a list of entity tags, as in "v3"', field="If-Match")
    strong = (_VERSION.fullmatch(match["value"]) for match in _TAG.finditer(header) if match["weak"] is None)
    return frozenset(int(match[1]) for match in strong if match is not None)


async def _if_match(
    request: Request,
    _documented: Annotated[str | None, Header(alias="If-Match", description='ETag of the version that was read, as in "v3"')] = None,
) -> Versions:
    return read_if_match(whole(request.headers, "if-match"))


IfMatchDep = Annotated[Versions, Depends(_if_match)]
"""The versions of which the writer has read one, for `access.lock`. 428 without the header."""
