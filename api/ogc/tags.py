"""Entity tags of what the layers give, and who may keep it."""

import hashlib
from typing import Final

from starlette.responses import Response

from api.conditional import has_current
from api.ogc.asking import Asked
from geo.crs import Exchange
from gridmgmt.database import PUBLIC
from gridmgmt.reads import Query

VARY: Final = "Accept, Accept-Language, Authorization"


def etag_of(asked: Asked, stamp: bytes) -> str:
    """The strong entity tag of this representation of a layer at a stamp."""
    request = asked.request
    said = (
        stamp,
        asked.root.encode(),
        request.scope["path"].encode(),
        request.scope["query_string"],
        request.headers.get("accept", "").encode(),
    )
    return f'"{hashlib.blake2b(b"|".join(said), digest_size=12).hexdigest()}"'


def cache_control(asked: Asked) -> str:
    """Who may keep an answer. All ask again each time, so that a change is seen at the next request."""
    return "public, no-cache" if asked.actor is PUBLIC else "private, no-cache"


async def unless_known(asked: Asked, stamp: Query) -> Response | None:
    """304 when the client has what there is; the features are not touched for it."""
    if_none_match = asked.request.headers.get("if-none-match")
    if if_none_match is None:
        return None
    [[(now,)]] = await asked.parts.database.read(asked.actor, stamp)
    assert now is not None
    tag = etag_of(asked, now)
    return Response(status_code=304, headers=headers_of(asked, None, tag)) if has_current(if_none_match, tag) else None


def headers_of(asked: Asked, exchange: Exchange | None, tag: str) -> dict[str, str]:
    """The headers of features in a reference system, of any other answer below /ogc, and of a 304."""
    crs = {} if exchange is None else {"Content-Crs": f"<{exchange.uri}>"}
    return {"ETag": tag, "Cache-Control": cache_control(asked), "Vary": VARY} | crs
