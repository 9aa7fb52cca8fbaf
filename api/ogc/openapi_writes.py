"""The operations of OpenAPI 3.0 that write features, for callers who may (Part 4)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.ogc.asking import BODIES
from api.ogc.negotiation import GEOJSON
from api.ogc.schemas import describe
from api.problems import declares
from geo.crs import EXCHANGES, LONLAT
from gridmgmt.layers.layer import Layer, Writable

PROBLEMS: Final = (
    "invalid-parameter", "unauthenticated", "forbidden", "not-found", "conflict", "stale-version", "too-large",
    "unsupported-media-type", "precondition-required", "too-many-requests", "internal", "busy",
)  # fmt: skip
"""What a request that writes may be refused for."""

PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Content-Crs": {
        "name": "Content-Crs",
        "in": "header",
        "description": "Reference system of the body, whose coordinates come in the order of its authority",
        "schema": {"type": "string", "enum": [f"<{uri}>" for uri in EXCHANGES], "default": f"<{LONLAT.uri}>"},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "ETag of the version that was read. Without it 428, but for PATCH and DELETE with an access key",
        "schema": {"type": "string", "example": '"v3.5e2f"'},
    },
}
"""Headers of a request that writes."""


def making(layer: Layer, name: str) -> dict[str, Any]:
    """The operation of the address of all features; `name` is the layer's in the ids of operations."""
    made = _answers(layer, {"201": "Made", "200": "Made before by the same request under the same id"})
    made["201"]["headers"]["Location"] = {"description": "Address of the feature", "schema": {"type": "string", "format": "uri"}}
    return {
        "post": _operation(
            layer, f"Make a feature of {layer.title} {layer.title_zh}", f"create{name}", body="whole", headers=["Content-Crs"], answers=made
        )
    }


def changing(layer: Layer, name: str) -> dict[str, Any]:
    """The operations of the address of one feature."""
    changed = _answers(layer, {"200": "As it is now"}) | {"202": {"description": "Changed, and not for your eyes any more"}}
    gone = {"204": {"description": "Struck out"}}
    both = ["Content-Crs", "If-Match"]
    return {
        "put": _operation(
            layer, f"Replace one of {layer.title} {layer.title_zh}", f"replace{name}", body="whole", headers=both, answers=changed
        ),
        "patch": _operation(
            layer, f"Change one of {layer.title} {layer.title_zh}", f"update{name}", body="part", headers=both, answers=changed
        ),
        "delete": _operation(
            layer, f"Strike out one of {layer.title} {layer.title_zh}", f"delete{name}", body=None, headers=["If-Match"], answers=gone
        ),
    }


def bodies(layer: Layer) -> dict[str, Any]:
    """The schemas of what is sent: a whole feature, and a merge patch of one."""
    writable = layer.writable
    assert writable is not None
    return {f"{layer.name}-whole": _body(layer, writable, whole=True), f"{layer.name}-part": _body(layer, writable, whole=False)}


def _body(layer: Layer, writable: Writable, *, whole: bool) -> dict[str, Any]:
    taken = writable.changed | writable.fixed if whole else writable.changed
    properties: dict[str, Any] = {}
    for one in layer.properties:
        if one.name in taken:
            told = describe(one)
            if one.name not in writable.required:
                told |= {"nullable": True} | ({"enum": [*told["enum"], None]} if "enum" in told else {})
            properties[one.name] = told
    geometry = {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {
            "type": {"type": "string", "enum": sorted(writable.shapes)},
            "coordinates": {"type": "array", "items": {}},
        },
    }
    rest = {"required": sorted(writable.required)} if whole else {}
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["Feature"]},
            "geometry": geometry,
            "properties": {"type": "object", "properties": properties} | rest,
        },
    } | ({"required": ["type", "geometry", "properties"]} if whole else {})


def _operation(
    layer: Layer, summary: str, operation: str, *, body: str | None, headers: Sequence[str], answers: Mapping[str, Any]
) -> dict[str, Any]:
    media_type = BODIES["PATCH"][1] if body == "part" else GEOJSON
    content = {media_type: {"schema": {"$ref": f"#/components/schemas/{layer.name}-{body}"}}}
    return {
        "summary": summary,
        "operationId": operation,
        "tags": [layer.name],
        "parameters": [{"$ref": f"#/components/parameters/{header}"} for header in headers],
        **({} if body is None else {"requestBody": {"required": True, "content": content}}),
        "responses": {**answers, **{str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in declares(*PROBLEMS)}},
        "security": [{"bearer": []}, {"access-key": []}],
    }


def _answers(layer: Layer, told: Mapping[str, str]) -> dict[str, Any]:
    return {
        status: {
            "description": said,
            "headers": {"ETag": {"description": "For If-Match", "schema": {"type": "string"}}},
            "content": {GEOJSON: {"schema": {"$ref": f"#/components/schemas/{layer.name}-feature"}}},
        }
        for status, said in told.items()
    }
