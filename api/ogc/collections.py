"""The list of collections, and each one's own page."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from api.ogc.asking import Asked, members
from api.ogc.documents import representations, serve
from api.ogc.items import FORMATS
from api.ogc.links import RELATIONS, Link, link
from api.ogc.negotiation import JSON, SCHEMA
from geo.crs import EXCHANGES, LONLAT, STORAGE
from gridmgmt.layers import layers_for
from gridmgmt.layers.extents import Extent
from gridmgmt.layers.layer import Layer

SCHEMAS: Final[Mapping[str, str]] = {
    "queryables": "What a filter may name 可查询属性",
    "sortables": "What features can be put in order by 可排序属性",
    "schema": "What a feature holds 要素结构",
}
STORAGE_URI: Final = f"http://www.opengis.net/def/crs/EPSG/0/{STORAGE}"
DISTRICT: Final = ZoneInfo("Asia/Shanghai")


async def list_collections(asked: Asked) -> Response:
    """The collections that are there for the caller."""
    layers = layers_for(asked.actor)
    extents = await asked.parts.extents.read(asked.parts.database, asked.actor, layers)
    page = {
        "links": representations(asked, f"{asked.root}/collections"),
        "collections": [describe(asked, layer, extent) for layer, extent in zip(layers, extents, strict=True)],
    }
    return serve(asked, page | members(asked), template="collections.html")


async def read_collection(asked: Asked) -> Response:
    """One collection."""
    layer = asked.layer
    [extent] = await asked.parts.extents.read(asked.parts.database, asked.actor, [layer])
    page = describe(asked, layer, extent)
    page["links"] = [*representations(asked, _here(asked, layer)), *page["links"][1:]]
    return serve(asked, page | members(asked), template="collection.html")


def describe(asked: Asked, layer: Layer, extent: Extent) -> dict[str, Any]:
    """A layer as a collection. Its own address is the first of its links."""
    here = _here(asked, layer)
    described: dict[str, Any] = {
        "id": layer.name,
        "title": layer.title,
        "title_zh": layer.title_zh,
        "description": layer.description,
        "itemType": "feature",
        "crs": list(EXCHANGES),
        "storageCrs": STORAGE_URI,
        "minzoom": layer.minzoom,
        "links": [*_links(layer, here)],
    }
    if extent.box is not None:
        spatial = {"bbox": [extent.box], "crs": LONLAT.uri}
        temporal = {"interval": [[_moment(extent.first), None]]}
        described["extent"] = {"spatial": spatial} | ({} if layer.period == (None, None) else {"temporal": temporal})
    return described


def _items(layer: Layer, here: str) -> list[Link]:
    """The first representation is what is answered when nothing is said; the others are asked for by `f`."""
    named: dict[str, str] = {}
    for name, media_type in FORMATS.items():
        named.setdefault(media_type, name)
    (usual, _), *others = named.items()
    title = f"{layer.title} {layer.title_zh}"
    return [
        link("items", f"{here}/items", usual, title),
        *(link("items", f"{here}/items?f={name}", media_type, f"{title} ({name})") for media_type, name in others),
    ]


def _schema(here: str, name: str, title: str) -> Link:
    return link(f"{RELATIONS}/{name}", f"{here}/{name}", SCHEMA, title)


def _links(layer: Layer, here: str) -> list[Link]:
    schemas = [_schema(here, name, title) for name, title in SCHEMAS.items()]
    tiles = link(f"{RELATIONS}/tilesets-vector", f"{here}/tiles", JSON, "Map tiles 矢量瓦片")
    styles = link(f"{RELATIONS}/styles", f"{here}/styles", JSON, "Map styles 地图样式")
    return [link("self", here, JSON), *_items(layer, here), *schemas, tiles, styles]


def _here(asked: Asked, layer: Layer) -> str:
    return f"{asked.root}/collections/{layer.name}"


def _moment(day: dt.date | None) -> str | None:
    """The beginning of the district's day."""
    if day is None:
        return None
    return dt.datetime.combine(day, dt.time(), DISTRICT).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
