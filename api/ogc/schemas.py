"""What can be asked of a layer's features, and what they look like: queryables (Part 3) and schema (Part 5), as JSON Schema 2020-12."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from api.ogc.asking import Asked
from api.ogc.documents import serve
from api.ogc.negotiation import HTML, SCHEMA
from gridmgmt.layers.layer import Layer, Property

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
OFFERED: Final[Mapping[str, str]] = {"json": SCHEMA, "html": HTML}


async def read_queryables(asked: Asked) -> Response:
    """What a filter may name; each but the geometry is a parameter of the items too."""
    return _serve(asked, "queryables", queryables(asked.layer, _address(asked, "queryables")))


async def read_sortables(asked: Asked) -> Response:
    """What `sortby` may name."""
    return _serve(asked, "sortables", sortables(asked.layer, _address(asked, "sortables")))


async def read_schema(asked: Asked) -> Response:
    """What a feature holds."""
    return _serve(asked, "schema", schema(asked.layer, _address(asked, "schema")))


def queryables(layer: Layer, address: str) -> dict[str, Any]:
    """The queryables of a layer."""
    told = {"geometry": _geometry(layer)} | {one.name: describe(one) for one in layer.properties}
    return _head(layer, address) | {"properties": told, "additionalProperties": False}


def sortables(layer: Layer, address: str) -> dict[str, Any]:
    """The properties by which features can be put in order."""
    return _head(layer, address) | {"properties": {one.name: describe(one) for one in layer.properties}, "additionalProperties": False}


def schema(layer: Layer, address: str) -> dict[str, Any]:
    """The schema of a layer's features: one order for all of its formats, the part that each property plays, and what may be written."""
    begins, ends = layer.period
    roles = {begins: "primary-interval-start", ends: "primary-interval-end"}
    identifier = {"type": "integer"} if layer.id_type == "integer" else {"type": "string", "format": "uuid"}
    told: dict[str, dict[str, Any]] = {
        "id": {"title": "Id 标识", **identifier, "readOnly": True, "x-ogc-role": "id"},
        "geometry": _geometry(layer) | {"x-ogc-role": "primary-geometry"},
    }
    written = frozenset[str]() if layer.writable is None else layer.writable.changed | layer.writable.fixed
    for one in layer.properties:
        told[one.name] = (
            describe(one)
            | ({} if one.name in written else {"readOnly": True})
            | ({"x-ogc-role": roles[one.name]} if one.name in roles else {})
        )
    for place, one in enumerate(told.values(), 1):
        one["x-ogc-propertySeq"] = place
    required = {} if layer.writable is None else {"required": ["geometry", *sorted(layer.writable.required)]}
    return _head(layer, address) | {"properties": told, "additionalProperties": False} | required


def describe(declared: Property) -> dict[str, Any]:
    """A property as JSON Schema, which OpenAPI 3.0 takes too."""
    told: dict[str, Any] = {"title": f"{declared.title} {declared.title_zh}", "type": declared.type}
    if declared.format:
        told["format"] = declared.format
    if declared.values:
        told["enum"] = list(declared.values)
    return told


def _serve(asked: Asked, name: str, page: dict[str, Any]) -> Response:
    return serve(asked, page, OFFERED, template="schema.html", document=name, layer=asked.layer.name)


def _head(layer: Layer, address: str) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "$id": address,
        "type": "object",
        "title": f"{layer.title} {layer.title_zh}",
        "description": layer.description,
    }


def _geometry(layer: Layer) -> dict[str, Any]:
    return {"title": "Geometry 几何", "format": f"geometry-{layer.shape}"}


def _address(asked: Asked, name: str) -> str:
    return f"{asked.root}/collections/{asked.layer.name}/{name}"
