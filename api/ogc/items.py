"""Features of a collection: pages by keyset, built by PostgreSQL, forwarded as they are."""

import datetime as dt
import uuid
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BeforeValidator, Field

from api.dependencies import CallerDep, DatabaseDep, PartsDep, SettingsDep
from api.disconnection import unless_gone
from api.negotiation import FormatDep
from api.ogc.links import GEOJSON, JSON, NOTICE, link, root
from api.problems import declares
from api.routing import DistrictRoute
from api.schemas.base import Moment, read_digits
from geo.bbox import BBoxError, Box, parse_bbox
from geo.features import feature, feature_collection, page
from gridmgmt.database import Actor, Database, rendered
from gridmgmt.errors import InvalidError, NotFoundError
from gridmgmt.layers import find_layer
from gridmgmt.layers.layer import Statement

router = APIRouter(
    prefix="/ogc/collections/{collection}/items",
    tags=["ogc"],
    route_class=DistrictRoute,
    responses=declares("invalid-parameter", "unauthenticated", "not-found"),
)

DEFAULT: Final = 100
LARGEST: Final = 10_000


def _bbox(bbox: Annotated[str | None, Query(description="west,south,east,north in degrees (CRS84)")] = None) -> Box | None:
    try:
        return None if bbox is None else parse_bbox(bbox)
    except BBoxError as error:
        raise InvalidError(str(error), field="bbox") from None


BoxDep = Annotated[Box | None, Depends(_bbox)]
Limit = Annotated[int, BeforeValidator(read_digits), Field(ge=1), Query(description="Features a page; above 10,000 means 10,000")]
AsOf = Annotated[Moment | None, Query(description="What was believed, and in force, at this time")]


@router.get("", response_class=Response, responses={200: {"content": {GEOJSON: {}}}})
async def read_items(
    *,
    request: Request,
    database: DatabaseDep,
    parts: PartsDep,
    actor: CallerDep,
    collection: str,
    box: BoxDep,
    limit: Limit = DEFAULT,
    cursor: Annotated[str | None, Query(max_length=500, description="From the `next` link of the page before")] = None,
    as_of: AsOf = None,
    _: FormatDep,
) -> Response:
    """A page of features, by id. `numberMatched` is left out: counting would cost more than the page."""
    layer = find_layer(collection, actor)
    kind = int if layer.id_type == "integer" else uuid.UUID
    after = None if cursor is None else parts.cursors.open(request.url.path, cursor, kind)[0]
    statement = page(layer.statement(as_of), limit=min(limit, LARGEST), after=after, box=box)
    row = await unless_gone(request, _read(database, actor, statement))
    assert row is not None
    features, last, returned, more = row
    here = f"{root(request)}/collections/{layer.name}"
    links = [link("self", str(request.url), GEOJSON), link("collection", here, JSON)]
    if more:
        following = request.url.include_query_params(cursor=parts.cursors.seal(request.url.path, [last]))
        links.append(link("next", str(following), GEOJSON))
    members: dict[str, object] = {"links": links, "numberReturned": returned, "timeStamp": dt.datetime.now(dt.UTC).isoformat()}
    if parts.settings.access.demo_mode:
        members["notice"] = NOTICE
    return Response(feature_collection(features, members), media_type=GEOJSON, headers={"Vary": "Authorization"})


@router.get("/{fid}", response_class=Response, responses={200: {"content": {GEOJSON: {}}}})
async def read_item(
    *,
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    actor: CallerDep,
    collection: str,
    fid: Annotated[str, Path(max_length=64)],
    as_of: AsOf = None,
    _: FormatDep,
) -> Response:
    """One feature."""
    layer = find_layer(collection, actor)
    identifier = layer.read_id(fid)
    row = None
    if identifier is not None:
        row = await unless_gone(request, _read(database, actor, feature(layer.statement(as_of), identifier)))
    if row is None:
        raise NotFoundError("there is no such feature, or none that you may see")
    here = f"{root(request)}/collections/{layer.name}"
    members: dict[str, object] = {"links": [link("self", f"{here}/items/{fid}", GEOJSON), link("collection", here, JSON)]}
    if settings.access.demo_mode:
        members["notice"] = NOTICE
    text = row[0].encode()[:-1] + b"," + orjson.dumps(members)[1:]
    return Response(text, media_type=GEOJSON, headers={"Vary": "Authorization"})


async def _read(database: Database, actor: Actor, statement: Statement) -> tuple[Any, ...] | None:
    query, values = rendered(statement)
    async with database.reading(actor) as connection:
        return await (await connection.execute(query, values)).fetchone()
