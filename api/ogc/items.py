"""Features of a collection: pages by keyset and single ones, built by PostgreSQL, forwarded as they are."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from anyio.to_thread import run_sync
from starlette.responses import Response

from api.conditional import etag, has_current
from api.disconnection import unless_gone
from api.lists import whole
from api.ogc.asking import Asked, members
from api.ogc.files import FILES, read_file
from api.ogc.links import link
from api.ogc.negotiation import GEOJSON, HTML, JSON, choose
from api.ogc.shown import alternates, show_item, show_items
from api.ogc.tags import etag_of, headers_of, unless_known, words
from api.ogc.wanted import Wanted, read_look, read_page, read_then, seal_cursor
from geo.crs import Exchange
from geo.features import feature_collection
from gridmgmt.errors import NotFoundError
from gridmgmt.layers.selection import Selection, count_of, estimate_of, feature_of, page_of
from gridmgmt.layers.stamps import stamp_of
from gridmgmt.reads import Query, Record

FORMATS: Final[Mapping[str, str]] = {"json": GEOJSON, "geojson": GEOJSON, "html": HTML, **FILES}
FORMS: Final[Mapping[str, str]] = {"json": GEOJSON, "geojson": GEOJSON, "html": HTML}
"""Of one feature."""


async def read_items(asked: Asked) -> Response:
    """A page of features, ordered by `sortby` and then by id."""
    layer = asked.layer
    form = choose(asked, FORMATS)
    if form in FILES:
        return await read_file(asked, form)
    wanted = read_page(asked)
    tagged, counts = [stamp_of(layer)], list[Query]()
    if wanted.count == "exact":
        counts.append(count_of(wanted.selection).bind(**wanted.values))
    elif wanted.count == "estimate":
        counts.append(estimate_of(wanted.selection).bind(**wanted.values))
        tagged += counts  # what the planner thinks changes without a write
    known = await unless_known(asked, *tagged)
    if known is not None:
        return known
    queries = (stamp_of(layer), page_of(wanted.selection).bind(**wanted.values), *counts)
    stamp, [(features, last, returned, more)], *counted = await unless_gone(asked.request, asked.parts.database.read(asked.actor, *queries))
    assert features is not None
    body = feature_collection(features, _about(asked, wanted, last if more == b"t" else None, int(returned or b"0"), counted))
    if form == "html":
        # Ten thousand rows of a table take a second, in which others are served too.
        return await run_sync(show_items, asked, body, wanted.selection.look, FORMATS)
    tag = etag_of(asked, *words([stamp, *counted][: len(tagged)]))
    return Response(body, media_type=GEOJSON, headers=headers_of(asked, wanted.selection.look.exchange, tag))


async def read_item(asked: Asked) -> Response:
    """One feature, whenever it is in force: whatever a page lists by `datetime` is there. Its tag is its version, as /v1 knows it."""
    layer = asked.layer
    form = choose(asked, FORMS)
    then = read_then(asked)
    selection = Selection(layer.name, read_look(asked), then=bool(then), ever=True)
    identifier = layer.read_id(asked.request.path_params["fid"])
    rows: list[Record] = []
    if identifier is not None:
        query = feature_of(selection).bind(id=identifier, **then)
        [rows] = await unless_gone(asked.request, asked.parts.database.read(asked.actor, query))
    if not rows:
        raise NotFoundError("there is no such feature, or none that you may see")
    body, headers = represent(asked, rows[0], selection.look.exchange, asked.address)
    if form == "html":
        return show_item(asked, body, selection.look, FORMS)
    if has_current(whole(asked.request.headers, "if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=GEOJSON, headers=headers)


def represent(asked: Asked, row: Record, exchange: Exchange, address: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a feature that is read at `address`."""
    text, version = row
    assert text is not None
    assert version is not None
    links = [link("self", address, GEOJSON), link("collection", f"{asked.root}/collections/{asked.layer.name}", JSON)]
    links += alternates(address, FORMS)
    body = text[:-1] + b"," + orjson.dumps({"links": links, **members(asked)})[1:]
    return body, headers_of(asked, exchange, etag(int(version), body))


def _about(asked: Asked, wanted: Wanted, last: bytes | None, returned: int, counts: Sequence[Sequence[Record]]) -> dict[str, object]:
    """The members of a page beside its features. Nothing in it changes unless the features do, as a strong tag promises."""
    address = asked.address
    links = [link("self", address, GEOJSON), link("collection", f"{asked.root}/collections/{asked.layer.name}", JSON)]
    links += alternates(address, FORMATS)
    if last is not None:
        bare = str(asked.request.url.remove_query_params("cursor")) if "cursor" in asked.given else address
        links.append(link("next", f"{bare}{'&' if '?' in bare else '?'}cursor={seal_cursor(asked, last)}", GEOJSON))
    about: dict[str, object] = {"links": links, "numberReturned": returned}
    if counts:
        about |= _counted(wanted, counts[0])
    elif last is None and "cursor" not in asked.given:
        about["numberMatched"] = returned
    return about | members(asked)


def _counted(wanted: Wanted, rows: Sequence[Record]) -> dict[str, int]:
    [(told,)] = rows
    assert told is not None
    if wanted.count == "exact":
        return {"numberMatched": int(told)}
    return {"numberMatchedEstimated": round(orjson.loads(told)[0]["Plan"]["Plan Rows"])}
