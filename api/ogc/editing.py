"""Create, replace, update and delete features (Part 4), by the verbs that /v1 has too.

The blocking verbs run in a thread. A change that has begun is finished even when the client hangs up: it hears of it when it asks again.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from anyio.to_thread import run_sync
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.conditional import read_if_match
from api.ogc.asking import Asked
from api.ogc.items import represent
from api.ogc.negotiation import GEOJSON, JSON
from api.ogc.received import Received, is_shown, read_feature, read_patch
from api.ogc.writers import WRITERS, Change, Creation, rename
from api.routing import repeated
from geo.crs import LONLAT
from geo.features import Look, feature
from gridmgmt.errors import DistrictError, InvalidError, NotFoundError
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.selection import Selection, feature_of, rows_of
from gridmgmt.security.access import Versions

Result = TypeVar("Result")


async def create_item(asked: Asked) -> Response:
    """Make a feature: 201, or 200 when the same request under the same id had made it before."""
    given = await read_feature(asked)
    assert given.geometry is not None
    writer = WRITERS[asked.layer.name]
    _require_all(asked.layer, given)
    creation = Creation(_given(asked.layer, given), given.geometry, given.id)
    made, fresh = await _written(asked, lambda session: writer.create(session, asked.actor, creation))
    address = f"{asked.root}/collections/{asked.layer.name}/items/{made}"
    response = await _shown(asked, made, address, 201 if fresh else 200)
    response.headers["Location"] = address
    return response


async def replace_item(asked: Asked) -> Response:
    """Put a whole feature in the place of the one that was read. What has not changed is not written: the version stays then.

    The answer has no ETag, as RFC 9110 (9.3.4) wants where what was sent is not kept as it was sent.
    """
    versions = read_if_match(asked.request.headers.get("if-match"))
    given = await read_feature(asked)
    _require_all(asked.layer, given)
    assert asked.layer.writable is not None
    absent = dict.fromkeys(asked.layer.writable.changed)
    response = await _changed(asked, Received(given.id, given.geometry, absent | dict(given.properties)), versions)
    if "etag" in response.headers:
        del response.headers["etag"]
    return response


async def update_item(asked: Asked) -> Response:
    """Change what a merge patch names."""
    versions = read_if_match(asked.request.headers.get("if-match"))
    return await _changed(asked, await read_patch(asked), versions)


async def delete_item(asked: Asked) -> Response:
    """Strike out a feature that was entered by mistake."""
    versions = read_if_match(asked.request.headers.get("if-match"))
    identifier = _identifier(asked)
    writer = WRITERS[asked.layer.name]

    def strike(session: Session) -> None:
        writer.lock(session, identifier, versions)
        _current(session, asked.layer, identifier)
        writer.delete(session, asked.actor, identifier, versions)

    await _written(asked, strike)
    return Response(status_code=204)


async def _changed(asked: Asked, given: Received, versions: Versions) -> Response:
    identifier = _identifier(asked)
    writer = WRITERS[asked.layer.name]
    if given.id is not None and given.id != identifier and given.id != str(identifier):
        raise InvalidError("the id is another than that of the address", field="id")

    def change(session: Session) -> None:
        writer.lock(session, identifier, versions)
        difference = _difference(asked.layer, _current(session, asked.layer, identifier), given)
        if difference.properties or difference.geometry is not None:
            writer.correct(session, asked.actor, identifier, difference, versions)

    await _written(asked, change)
    return await _shown(asked, identifier, f"{asked.root}/collections/{asked.layer.name}/items/{identifier}", 200)


def _difference(layer: Layer, shown: dict[str, Any], given: Received) -> Change:
    """What is other than was shown. Raises InvalidError for what must be there, or stays as it is."""
    assert layer.writable is not None
    before = shown["properties"]
    changes = {name: value for name, value in given.properties.items() if not _same(value, before[name])}
    for name, value in changes.items():
        if value is None and name in layer.writable.required:
            raise InvalidError("every feature of this layer has this property", field=f"properties.{name}")
        if name not in layer.writable.changed:
            raise InvalidError("this property stays as it is", field=f"properties.{name}")
    unchanged = given.geometry is None or is_shown(given.geometry, shown["geometry"])
    return Change(changes, None if unchanged else given.geometry)


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _given(layer: Layer, given: Received) -> dict[str, Any]:
    """The properties of a new feature: null says that there is none."""
    assert layer.writable is not None
    told = {name: value for name, value in given.properties.items() if value is not None}
    for name in told:
        if name not in layer.writable.changed | layer.writable.fixed:
            raise InvalidError("this property follows from others: leave it out", field=f"properties.{name}")
    return told


def _require_all(layer: Layer, given: Received) -> None:
    assert layer.writable is not None
    for name in sorted(layer.writable.required):
        if given.properties.get(name) is None:
            raise InvalidError("every feature of this layer has this property", field=f"properties.{name}")


def _current(session: Session, layer: Layer, identifier: Any) -> dict[str, Any]:
    """The feature as a GET shows it. Raises NotFoundError for one that is not shown, as one that ended."""
    rows = rows_of(Selection(layer.name, _look(layer)))
    text = session.execute(select(feature(rows, _look(layer))).where(rows.c.id == identifier)).scalar_one_or_none()
    if text is None:
        raise _unknown()
    return orjson.loads(text)


async def _written(asked: Asked, work: Callable[[Session], Result]) -> Result:
    """The result of `work` once it is committed; what the commit refuses is refused here."""

    def once() -> Result:
        with asked.parts.database.transaction(asked.actor) as session:
            return work(session)

    async def threaded() -> Result:
        return await run_sync(once)

    try:
        return await repeated(threaded)
    except DistrictError as error:
        raise rename(error) from error


async def _shown(asked: Asked, identifier: Any, address: str, status: int) -> Response:
    """The feature as it is now; 202 when it is not for the writer's eyes any more."""
    layer = asked.layer
    query = feature_of(Selection(layer.name, _look(layer))).bind(id=identifier)
    [rows] = await asked.parts.database.read(asked.actor, query)
    if not rows:
        return Response(b'{"result":"accepted"}', 202, media_type=JSON)
    body, headers = represent(asked, rows[0], LONLAT, address)
    return Response(body, status, headers | {"Content-Location": address}, GEOJSON)


def _look(layer: Layer) -> Look:
    return Look(tuple(one.name for one in layer.properties), LONLAT)


def _identifier(asked: Asked) -> Any:
    identifier = asked.layer.read_id(asked.request.path_params["fid"])
    if identifier is None:
        raise _unknown()
    return identifier


def _unknown() -> NotFoundError:
    return NotFoundError("there is no such feature, or none that you may see")
