"""The list of collections, and each one's own page."""

from functools import cache
from typing import Any

import orjson
from sqlalchemy import func, select
from starlette.responses import Response

from api.ogc.asking import Asked, members
from api.ogc.links import link
from api.ogc.negotiation import GEOJSON, JSON, choose
from geo.crs import EXCHANGES, LONLAT
from gridmgmt.database import PUBLIC, Database
from gridmgmt.layers import layers_for
from gridmgmt.layers.layer import Layer
from gridmgmt.models import Area
from gridmgmt.reads import Query, Template


async def list_collections(asked: Asked) -> Response:
    """The collections that are there for the caller."""
    choose(asked, {"json": JSON})
    extent = await _extent(asked.parts.database)
    page = {
        "links": [link("self", f"{asked.root}/collections", JSON)],
        "collections": [_describe(asked, layer, extent) for layer in layers_for(asked.actor)],
    }
    return Response(orjson.dumps(page | members(asked)), media_type=JSON)


async def read_collection(asked: Asked) -> Response:
    """One collection."""
    choose(asked, {"json": JSON})
    return Response(orjson.dumps(_describe(asked, asked.layer, await _extent(asked.parts.database))), media_type=JSON)


def _describe(asked: Asked, layer: Layer, extent: list[float] | None) -> dict[str, Any]:
    here = f"{asked.root}/collections/{layer.name}"
    described: dict[str, Any] = {
        "id": layer.name,
        "title": layer.title,
        "title_zh": layer.title_zh,
        "description": layer.description,
        "itemType": "feature",
        "crs": list(EXCHANGES),
        "storageCrs": "http://www.opengis.net/def/crs/EPSG/0/4490",
        "minzoom": layer.minzoom,
        "links": [link("self", here, JSON), link("items", f"{here}/items", GEOJSON, layer.title)],
    }
    if extent is not None:
        described["extent"] = {"spatial": {"bbox": [extent], "crs": LONLAT.uri}}
    return described


@cache
def _extent_query() -> Query:
    box = func.ST_Extent(Area.geom)
    sides = (func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box))
    return Template.of(select(*sides).where(Area.level == "district", Area.deleted_at.is_(None)), kept=True).bind()


async def _extent(database: Database) -> list[float] | None:
    """The box of the district, which is public; None before there is one."""
    [[sides]] = await database.read(PUBLIC, _extent_query())
    return None if sides[0] is None else [float(side) for side in sides if side is not None]
