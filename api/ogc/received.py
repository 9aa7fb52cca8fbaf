"""A feature, or a patch of one, as somebody sends it (GeoJSON, RFC 7946; merge patch, RFC 7396), in the reference system of Content-Crs.

What is taken is what a GET shows, so that a feature that was read can be sent back as it is. Anything else is refused by its name.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from api.lists import whole
from api.ogc.asking import BODIES, Asked
from api.ogc.wanted import read_exchange
from api.problems import RequestError
from api.routing import StrictRequest
from geo.crs import LONLAT, STORAGE, Exchange, reproject, transformer
from geo.geometry import MAX_VERTICES, GeometryError, build, check, is_object
from gridmgmt.errors import InvalidError
from gridmgmt.registers.areas import refused

TAKEN: Final = frozenset({"application/geo+json", "application/json"})
MEMBERS: Final = frozenset({"type", "id", "geometry", "properties", "links", "bbox", "notice"})
"""Members of a feature as it is shown; the last three are told, never taken."""
COORDINATES: Final = ("geometry", "coordinates")
"""A number that is none is refused there with its place."""
SHOWN: Final = 2e-7
"""Degrees within which a geometry is the one that was shown, which has seven decimals of a degree or three of a metre."""


@dataclass(frozen=True)
class Received:
    """What was sent. `geometry` is in degrees, None where the body has no such member; `properties` are as they were written."""

    id: Any
    geometry: BaseGeometry | None
    properties: Mapping[str, Any]


async def read_feature(asked: Asked) -> Received:
    """A whole feature. Raises RequestError and InvalidError (400, 415) naming the member."""
    _require_media_type(asked, "POST", TAKEN)
    body = await _read_object(asked)
    if body.get("type") != "Feature":
        raise InvalidError("send a GeoJSON object of type Feature", field="type")
    if "geometry" not in body or body["geometry"] is None:
        raise InvalidError("every feature of this layer has a geometry", field="geometry")
    return _received(asked, body)


async def read_patch(asked: Asked, shown: Callable[[], Awaitable[Mapping[str, Any]]]) -> Received:
    """A merge patch of a feature: what is not named stays, null takes away. `shown` reads the geometry as it is shown now.

    Raises as `read_feature` does.
    """
    _require_media_type(asked, "PATCH", {BODIES["PATCH"][1]})
    body = await _read_object(asked)
    if body.get("type", "Feature") != "Feature":
        raise InvalidError("a feature stays a Feature", field="type")
    if "geometry" in body and body["geometry"] is None:
        raise InvalidError("every feature of this layer has a geometry", field="geometry")
    if "properties" in body and body["properties"] is None:
        body = {**body, "properties": {one.name: None for one in asked.layer.properties}}
    if is_object(given := body.get("geometry")) and not given.keys() >= {"type", "coordinates"}:
        body = _merged(body, given, (await shown())["type"])
    return _received(asked, body)


def is_shown(geometry: BaseGeometry, document: Mapping[str, Any]) -> bool:
    """Whether a geometry is the one that was shown as this GeoJSON, for all that its decimals can tell."""
    shown = build(document, max_vertices=10_000_000)
    same = shapely.multipolygons([geometry]) if geometry.geom_type == "Polygon" and shown.geom_type == "MultiPolygon" else geometry
    return bool(shapely.equals_exact(same, shown, SHOWN, normalize=True))


def _merged(body: Mapping[str, Any], given: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The patch with a whole geometry or none: coordinates that it does not name stay, unless they are to be of another kind."""
    if given.keys() <= {"type"} and given.get("type", kind) == kind:
        return {name: value for name, value in body.items() if name != "geometry"}
    return {**body, "geometry": {"type": kind, **given}}


def _received(asked: Asked, body: Mapping[str, Any]) -> Received:
    for name in body:
        if name not in MEMBERS:
            raise InvalidError(f"there is no member {name[:100]!r}; a reference system stands in Content-Crs", field=name[:100])
    properties = body.get("properties", {})
    if not is_object(properties):
        raise InvalidError("properties is an object", field="properties")
    known = {one.name for one in asked.layer.properties}
    for name, value in properties.items():
        # A merge patch may take away what is not there.
        if name not in known and value is not None:
            raise InvalidError(
                f"there is no property {name[:100]!r}; there are {', '.join(sorted(known))}", field=f"properties.{name[:100]}"
            )
    exchange = _content_crs(asked)
    geometry = _geometry(asked, body["geometry"], exchange) if "geometry" in body else None
    return Received(body.get("id"), geometry, {name: value for name, value in properties.items() if name in known})


def _geometry(asked: Asked, document: Any, exchange: Exchange) -> BaseGeometry:
    assert asked.layer.writable is not None
    kinds = asked.layer.writable.shapes
    try:
        return check(_in_degrees(document, kinds, exchange), kinds=kinds)
    except GeometryError as error:
        raise refused(error, "geometry") from None


def _in_degrees(document: Any, kinds: frozenset[str], exchange: Exchange) -> BaseGeometry:
    """The geometry in degrees, longitude first. Raises GeometryError whose place is in degrees too."""
    try:
        given = build(document, kinds=kinds, max_vertices=MAX_VERTICES)
    except GeometryError as error:
        if error.lon is None or error.lat is None or exchange is LONLAT:
            raise
        x, y = (error.lat, error.lon) if exchange.swapped else (error.lon, error.lat)
        lon, lat = transformer(exchange.srid, STORAGE).transform(x, y)
        raise GeometryError(error.reason, error.message, float(lon), float(lat)) from None
    if exchange.swapped:
        given = shapely.transform(given, lambda points: points[:, ::-1])
    return given if exchange.srid == STORAGE else reproject([given], exchange.srid, STORAGE)[0]


def _content_crs(asked: Asked) -> Exchange:
    given = whole(asked.request.headers, "content-crs")  # two of them are none that is known
    return LONLAT if given is None else read_exchange("Content-Crs", given)


def _require_media_type(asked: Asked, like: str, taken: Collection[str]) -> None:
    media_type = asked.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in taken:
        name, wanted = BODIES[like]
        if not media_type:
            raise RequestError("malformed-request", f"say what the body is: Content-Type: {wanted}", field="Content-Type")
        headers = {name: wanted} if asked.request.method in BODIES else {}
        raise RequestError("unsupported-media-type", f"send the body as {wanted}", headers=headers)


async def _read_object(asked: Asked) -> Mapping[str, Any]:
    body: Any = await StrictRequest(asked.request.scope, asked.request.receive).json(measured=COORDINATES)
    if not is_object(body):
        raise InvalidError("the body is a JSON object", field="body")
    return body
