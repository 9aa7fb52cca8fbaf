"""The parameters of a page of features as OpenAPI 3.0 tells them."""

from collections.abc import Mapping
from typing import Any, Final

from api.ogc.asking import LANGUAGES
from api.ogc.wanted import DEFAULT, LARGEST
from geo.crs import EXCHANGES, LONLAT
from gridmgmt.layers.layer import Layer

_CRS: Final[Mapping[str, Any]] = {"type": "string", "format": "uri", "enum": list(EXCHANGES), "default": LONLAT.uri}


def _query(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema, "style": "form", "explode": False}


PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    one["name"]: one
    for one in (
        _query(
            "bbox",
            "Features that meet the box: west, south, east, north in the order of the axes of bbox-crs, or with heights, which are ignored",
            {
                "type": "array",
                "minItems": 4,
                "maxItems": 6,
                "oneOf": [{"minItems": 4, "maxItems": 4}, {"minItems": 6, "maxItems": 6}],
                "items": {"type": "number"},
            },
        ),
        _query("bbox-crs", "Reference system of bbox", _CRS),
        _query("crs", "Reference system of the answer; coordinates come in the order of its authority", _CRS),
        _query("datetime", "Features in force at a day or time, or in an interval, whose ends may be open (..)", {"type": "string"}),
        _query(
            "limit",
            f"Features of a page; more than {LARGEST} are taken for {LARGEST}",
            {"type": "integer", "minimum": 1, "maximum": LARGEST, "default": DEFAULT},
        ),
        _query("cursor", "Where the page begins, as the link next has it", {"type": "string"}),
        _query("count", "Whether to count all that match", {"type": "string", "enum": ["exact", "estimate", "none"], "default": "none"}),
        _query("filter", "Features that meet a condition in CQL2", {"type": "string"}),
        _query("filter-lang", "How the filter is written", {"type": "string", "enum": ["cql2-text", "cql2-json"], "default": "cql2-text"}),
        _query("filter-crs", "Reference system of the filter's coordinates", _CRS),
        _query("lang", "Language of a page for people", {"type": "string", "enum": list(LANGUAGES)}),
        _query("as_of", "As it was known at this time", {"type": "string", "format": "date-time"}),
    )
}  # fmt: skip


def choices(layer: Layer) -> list[dict[str, Any]]:
    """The parameters that name the layer's properties."""
    names = [one.name for one in layer.properties]
    signed = [f"{sign}{name}" for name in names for sign in ("", "+", "-")]
    return [
        _query("properties", "Properties of the answer", {"type": "array", "items": {"type": "string", "enum": names}}),
        _query(
            "sortby",
            "Order; - before a name is descending",
            {"type": "array", "minItems": 1, "items": {"type": "string", "enum": signed}},
        ),
    ]
