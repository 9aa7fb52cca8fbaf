"""Entity tags of what the layers give, and who may keep it."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from starlette.responses import Response

from api.conditional import has_current
from api.lists import whole
from api.ogc.asking import Asked
from geo.crs import Exchange
from gridmgmt.database import PUBLIC
from gridmgmt.layers.stamps import declaration_of
from gridmgmt.reads import Query, Record

VARY: Final = "Accept, Accept-Language, Authorization"
RELEASE: Final = version("gridmgmt")


def etag_of(asked: Asked, *read: bytes) -> str:
    """The strong entity tag of this representation of a layer at a stamp, and with whatever else was read for it.

    Another release, declaration or mode makes other bytes of the same rows.
    """
    request = asked.request
    said = (
        *read,
        RELEASE.encode(),
        declaration_of(asked.layer),
        b"demo" if asked.parts.settings.access.demo_mode else b"",
        asked.root.encode(),
        request.scope["path"].encode(),
        request.scope["query_string"],
        (whole(request.headers, "accept") or "").encode(),
    )
    return f'"{hashlib.blake2b(b"|".join(said), digest_size=12).hexdigest()}"'


def cache_control(asked: Asked) -> str:
    """Who may keep an answer. All ask again each time, so that a change is seen at the next request."""
    return "public, no-cache" if asked.actor is PUBLIC else "private, no-cache"


async def unless_known(asked: Asked, *queries: Query) -> Response | None:
    """304 when the client has what there is; the features are not touched for it. `queries` read what the tag is made of."""
    if_none_match = whole(asked.request.headers, "if-none-match")
    if if_none_match is None:
        return None
    tag = etag_of(asked, *words(await asked.parts.database.read(asked.actor, *queries)))
    return Response(status_code=304, headers=headers_of(asked, None, tag)) if has_current(if_none_match, tag) else None


def words(results: Sequence[Sequence[Record]]) -> list[bytes]:
    """What queries read that have one word each, as a stamp has."""
    return [word for [(word,)] in results if word is not None]


def headers_of(asked: Asked, exchange: Exchange | None, tag: str) -> dict[str, str]:
    """The headers of features in a reference system, of any other answer below /ogc, and of a 304."""
    crs = {} if exchange is None else {"Content-Crs": f"<{exchange.uri}>"}
    return {"ETag": tag, "Cache-Control": cache_control(asked), "Vary": VARY} | crs
