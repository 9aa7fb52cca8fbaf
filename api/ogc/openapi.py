"""The OpenAPI 3.0 document of /ogc, made from the layers that the caller may see: each collection stands there by its own name."""

from collections.abc import Mapping, Sequence, Set
from importlib.metadata import version
from typing import Any, Final

from starlette.responses import Response

from api.ogc.asking import Asked, members
from api.ogc.documents import serve
from api.ogc.items import FORMATS, FORMS
from api.ogc.negotiation import HTML, JSON, OPENAPI, PAGES
from api.ogc.openapi_writes import PARAMETERS as HEADERS
from api.ogc.openapi_writes import PROBLEMS as REFUSALS
from api.ogc.openapi_writes import bodies, changing, making
from api.ogc.parameters import PARAMETERS, choices
from api.ogc.schemas import OFFERED as SCHEMA_FORMATS
from api.ogc.schemas import describe
from api.ogc.styles import OFFERED as STYLE_FORMATS
from api.ogc.tiles import DRAWN, TILEJSON
from api.problems import SCHEMAS, declares
from geo.tiles import MEDIA_TYPE, NAMES
from gridmgmt.layers import layers_for
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.styles import styles_of

OFFERED: Final[Mapping[str, str]] = {"json": OPENAPI, "html": HTML}

_PROBLEMS: Final = ("invalid-parameter", "unauthenticated", "not-found", "not-acceptable", "too-many-requests", "internal", "busy")
_GEOMETRIES: Final[Mapping[str, tuple[str, ...]]] = {
    "any": ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"),
    "point": ("Point",),
    "multipolygon": ("MultiPolygon",),
}


async def read_api(asked: Asked) -> Response:
    """The document, in which the caller finds what is there for the caller."""
    layers = layers_for(asked.actor)
    writable = {layer.name for layer in layers if asked.writes(layer)}
    page = document(layers, asked.root, writable) | {f"x-{name}": told for name, told in members(asked).items()}
    return serve(asked, page, OFFERED, template="api.html")


def document(layers: Sequence[Layer], root: str, writable: Set[str]) -> dict[str, Any]:
    """The document for these layers under an absolute address, of which the caller may write those that are named in `writable`."""
    paths: dict[str, Any] = {
        "/": _page("Landing page 首页", "landingPage", PAGES),
        "/conformance": _page("Conformance 符合性声明", "conformance", PAGES),
        "/api": _page("This document 本文档", "api", OFFERED),
        "/collections": _page("Collections 图层列表", "collections", PAGES),
    }
    paths |= _set_paths() | _style_paths(None)
    for layer in layers:
        paths |= _paths(layer) | _tile_paths(layer) | _style_paths(layer)
        if layer.name in writable:
            items = f"/collections/{layer.name}/items"
            paths[items] |= making(layer, _camel(layer.name))
            # What stands beside the methods holds for each of them.
            one = paths[f"{items}/{{featureId}}"]
            one |= {"parameters": [one["get"]["parameters"].pop(0)]} | changing(layer, _camel(layer.name))
    written = {name: told for layer in layers if layer.name in writable for name, told in bodies(layer).items()}
    problems = (*_PROBLEMS, *(REFUSALS if writable else ()))
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "gridmgmt: OGC API",
            "description": "Grids, rental buildings and areas of a district, for GIS clients 面向 GIS 客户端的网格、楼栋与区域",
            "version": version("gridmgmt"),
        },
        "servers": [{"url": root}],
        "tags": [{"name": "Capabilities"}, *({"name": layer.name, "description": f"{layer.title} {layer.title_zh}"} for layer in layers)],
        "security": [{}, {"bearer": []}, {"access-key": []}],
        "paths": paths,
        "components": {
            "parameters": {**PARAMETERS, **(HEADERS if writable else {})},
            "responses": {f"Problem{status}": told for status, told in declares(*dict.fromkeys(problems)).items()},
            "schemas": {**SCHEMAS, **written, **{f"{layer.name}-feature": _feature(layer) for layer in layers}, **{
                f"{layer.name}-features": _features(layer) for layer in layers
            }},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "access-key": {"type": "http", "scheme": "basic", "description": "User name and personal access key"},
            },
        },
    }  # fmt: skip


def _paths(layer: Layer) -> dict[str, Any]:
    here, name = f"/collections/{layer.name}", _camel(layer.name)
    look = ["crs", "as_of"]
    page = [*look, "bbox", "bbox-crs", "datetime", "filter", "filter-lang", "filter-crs", "limit", "cursor", "count"]
    features, feature = {}, {}
    for media_type in dict.fromkeys(FORMATS.values()):
        told = "features" if media_type == "application/geo+json" else None
        features[media_type] = {"schema": {"$ref": f"#/components/schemas/{layer.name}-features"} if told else {"type": "string"}}
        if media_type in FORMS.values():
            feature[media_type] = {"schema": {"$ref": f"#/components/schemas/{layer.name}-feature"} if told else {"type": "string"}}
    identifier = {"type": "integer", "minimum": 1} if layer.id_type == "integer" else {"type": "string", "format": "uuid"}
    of_layer = choices(layer)
    return {
        here: _page(f"{layer.title} {layer.title_zh}", f"describe{name}", PAGES, layer),
        f"{here}/items": _operation(
            f"Features of {layer.title} {layer.title_zh}",
            f"get{name}",
            features,
            layer,
            [
                *(_ref(one) for one in page),
                *of_layer,
                _format(FORMATS),
                _ref("lang"),
                *(_equal(layer, place) for place in range(len(layer.properties))),
            ],
        ),
        f"{here}/items/{{featureId}}": _operation(
            f"One of {layer.title} {layer.title_zh}",
            f"get{name}Feature",
            feature,
            layer,
            [
                {"name": "featureId", "in": "path", "required": True, "schema": identifier},
                *(_ref(one) for one in look),
                *(one for one in of_layer if one["name"] == "properties"),
                _format(FORMS),
                _ref("lang"),
            ],
        ),
        **{
            f"{here}/{document}": _page(f"{title} of {layer.title}", f"{document}Of{name}", SCHEMA_FORMATS, layer)
            for document, title in (("queryables", "Queryables"), ("sortables", "Sortables"), ("schema", "Schema"))
        },
    }


def _set_paths() -> dict[str, Any]:
    return {
        "/tileMatrixSets": _page("Tile matrix sets 瓦片矩阵集", "tileMatrixSets", PAGES),
        "/tileMatrixSets/{tileMatrixSetId}": _page("A tile matrix set", "tileMatrixSet", PAGES, parameters=[_tms()]),
    }


def _tile_paths(layer: Layer) -> dict[str, Any]:
    here, name = f"/collections/{layer.name}/tiles", f"{layer.name}.collection.vector"  # as Tiles wants it, 14.2
    offered = {"json": JSON, "tilejson": TILEJSON, "html": HTML}
    number = {"type": "integer", "minimum": 0}
    places = [{"name": place, "in": "path", "required": True, "schema": number} for place in ("tileMatrix", "tileRow", "tileCol")]
    drawn = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
    parameters = [_tms(), *places, _ref("as_of"), _ref("datetime"), _format(DRAWN)]
    tile = _operation(f"A vector tile of {layer.title}", f"{name}.getTile", drawn, layer, parameters)
    return {
        here: _page(f"Tilesets of {layer.title}", f"{name}.getTileSetsList", PAGES, layer),
        f"{here}/{{tileMatrixSetId}}": _page(f"A tileset of {layer.title}", f"{name}.getTileSet", offered, layer, parameters=[_tms()]),
        f"{here}/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": tile,
    }


def _style_paths(layer: Layer | None) -> dict[str, Any]:
    """The styles of a layer, or of whole maps."""
    here, name = ("/styles", "Map") if layer is None else (f"/collections/{layer.name}/styles", _camel(layer.name))
    of = "Maps 地图" if layer is None else f"Styles of {layer.title} {layer.title_zh}"
    style: dict[str, Any] = {"name": "style", "in": "path", "required": True, "schema": {"type": "string"}}
    if layer is not None:
        style["schema"]["enum"] = [one.name for one in styles_of(layer)]
    one = _page(f"One of {of}", f"get{name}Style", STYLE_FORMATS, layer, parameters=[style])
    return {here: _page(of, f"list{name}Styles", PAGES, layer), f"{here}/{{style}}": one}


def _tms() -> dict[str, Any]:
    return {"name": "tileMatrixSetId", "in": "path", "required": True, "schema": {"type": "string", "enum": list(NAMES)}}


def _page(
    summary: str,
    operation: str,
    offered: Mapping[str, str],
    layer: Layer | None = None,
    *,
    parameters: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string" if media_type == HTML else "object"}} for media_type in offered.values()}
    return _operation(summary, operation, content, layer, [*parameters, _format(offered), _ref("lang")])


def _operation(
    summary: str, operation: str, content: Mapping[str, Any], layer: Layer | None, parameters: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    problems = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in declares(*_PROBLEMS)}
    return {
        "get": {
            "summary": summary,
            "operationId": operation,
            "tags": ["Capabilities" if layer is None else layer.name],
            "parameters": list(parameters),
            "responses": {
                "200": {
                    "description": "What was asked for",
                    "headers": {"ETag": {"description": "For If-None-Match", "schema": {"type": "string"}}},
                    "content": dict(content),
                },
                "304": {"description": "If-None-Match names what there is"},
                **problems,
            },
        }
    }


def _feature(layer: Layer) -> dict[str, Any]:
    identifier = {"type": "integer"} if layer.id_type == "integer" else {"type": "string", "format": "uuid"}
    return {
        "type": "object",
        "required": ["type", "id", "geometry", "properties"],
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": identifier,
            "geometry": {
                "type": "object",
                "nullable": True,
                "required": ["type", "coordinates"],
                "properties": {
                    "type": {"type": "string", "enum": list(_GEOMETRIES[layer.shape])},
                    "coordinates": {"type": "array", "items": {}},
                },
            },
            "properties": {"type": "object", "properties": {one.name: _nullable(describe(one)) for one in layer.properties}},
        },
    }


def _features(layer: Layer) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "features", "links", "numberReturned"],
        "properties": {
            "type": {"type": "string", "enum": ["FeatureCollection"]},
            "features": {"type": "array", "items": {"$ref": f"#/components/schemas/{layer.name}-feature"}},
            "links": {"type": "array", "items": {"type": "object", "required": ["href", "rel"]}},
            "numberReturned": {"type": "integer", "minimum": 0},
            "numberMatched": {"type": "integer", "minimum": 0},
            "numberMatchedEstimated": {"type": "integer", "minimum": 0},
        },
    }


def _nullable(told: dict[str, Any]) -> dict[str, Any]:
    enum = {"enum": [*told["enum"], None]} if "enum" in told else {}
    return told | enum | {"nullable": True}


def _equal(layer: Layer, place: int) -> dict[str, Any]:
    declared = layer.properties[place]
    told = describe(declared)
    summary = told.pop("title")
    return {"name": declared.name, "in": "query", "description": summary, "schema": told}


def _format(offered: Mapping[str, str]) -> dict[str, Any]:
    return {"name": "f", "in": "query", "description": "Representation 格式", "schema": {"type": "string", "enum": list(offered)}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
