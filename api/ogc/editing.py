"""Create, replace, update and delete features (Part 4), by the verbs that /v1 has too.

A change names the version that was read (If-Match). QGIS cannot: with an access key that writes it may leave that out of PATCH and
DELETE, and is refused where it would undo what somebody else has done lately.

The blocking verbs run in a thread. A change that has begun is finished even when the client hangs up: it hears of it when it asks again.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import orjson
from anyio.to_thread import run_sync
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from api.auth import has_key
from api.conditional import read_if_match
from api.lists import whole
from api.ogc.asking import Asked
from api.ogc.items import represent
from api.ogc.negotiation import GEOJSON, JSON
from api.ogc.received import Received, is_shown, read_feature, read_patch
from api.ogc.writers import WRITERS, Change, Creation, rename
from api.routing import repeated
from geo.crs import LONLAT
from geo.features import Look, feature
from gridmgmt.errors import DistrictError, InvalidError, NotFoundError, StaleError
from gridmgmt.history.lately import oldest_read
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.selection import Selection, feature_of, rows_of
from gridmgmt.models import Building, Grid
from gridmgmt.security.access import Versions

Result = TypeVar("Result")

LATELY: Final = dt.timedelta(hours=12)
"""For so long a map may have been open: who cannot say which version was read is taken to have read one as old as this."""
_NOWHERE: Final = object()


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
    """Put a whole feature in the place of the one that was read. What has not changed is not written: the version stays then."""
    versions = read_if_match(whole(asked.request.headers, "if-match"))
    given = await read_feature(asked)
    _require_all(asked.layer, given)
    assert asked.layer.writable is not None
    absent = dict.fromkeys(asked.layer.writable.changed)
    return await _changed(asked, Received(given.id, given.geometry, absent | dict(given.properties)), versions, blind=False)


async def update_item(asked: Asked) -> Response:
    """Change what a merge patch names."""
    versions, blind = _read_versions(asked)

    async def shown() -> Mapping[str, Any]:
        query = feature_of(Selection(asked.layer.name, Look((), LONLAT))).bind(id=_identifier(asked))
        [rows] = await asked.parts.database.read(asked.actor, query)
        if not rows:
            raise _unknown()
        return orjson.loads(rows[0][0] or b"")["geometry"]

    return await _changed(asked, await read_patch(asked, shown), versions, blind=blind)


async def delete_item(asked: Asked) -> Response:
    """Strike out a feature that was entered by mistake."""
    versions, blind = _read_versions(asked)
    identifier = _identifier(asked)
    writer = WRITERS[asked.layer.name]

    def strike(session: Session) -> None:
        held = writer.lock(session, identifier, versions)
        _current(session, asked.layer, identifier)
        if blind and oldest_read(session, type(held), identifier, _lately()) is not None:
            raise _unseen("it", held)
        writer.delete(session, asked.actor, identifier, versions)

    await _written(asked, strike)
    return Response(status_code=204)


def _read_versions(asked: Asked) -> tuple[Versions, bool]:
    """What If-Match names, and whether it is missing where that is taken."""
    header = whole(asked.request.headers, "if-match")
    if header is None and has_key(asked.request):
        return None, True
    return read_if_match(header), False


async def _changed(asked: Asked, given: Received, versions: Versions, *, blind: bool) -> Response:
    identifier = _identifier(asked)
    writer = WRITERS[asked.layer.name]
    if given.id is not None and given.id != identifier and given.id != str(identifier):
        raise InvalidError("the id is another than that of the address", field="id")

    def change(session: Session) -> None:
        held = writer.lock(session, identifier, versions)
        shown = _current(session, asked.layer, identifier)
        difference = _difference(asked.layer, shown, given)
        if blind:
            _spare_others(session, asked.layer, held, shown, difference)
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


def _spare_others(session: Session, layer: Layer, held: Building | Grid, shown: dict[str, Any], difference: Change) -> None:
    """Raise StaleError when somebody else had a hand in what would be changed, and did so lately."""
    then = oldest_read(session, type(held), held.id, _lately())
    if then is None:
        return
    before = _shown_at(session, layer, held.id, then) or {"properties": {}, "geometry": None}
    gone = [name for name in difference.properties if before["properties"].get(name, _NOWHERE) != shown["properties"][name]]
    if difference.geometry is not None and before["geometry"] != shown["geometry"]:
        gone.append("geometry")
    if gone:
        raise _unseen(", ".join(gone), held)


def _lately() -> dt.datetime:
    return dt.datetime.now(dt.UTC) - LATELY


def _unseen(what: str, held: Building | Grid) -> StaleError:
    said = f"somebody else changed {what} within the last {LATELY // dt.timedelta(hours=1)} hours"
    return StaleError(f"{said}, and your program does not say by If-Match that it knows", version=held.version)


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
    found = _shown_at(session, layer, identifier, None)
    if found is None:
        raise _unknown()
    return found


def _shown_at(session: Session, layer: Layer, identifier: Any, moment: dt.datetime | None) -> dict[str, Any] | None:
    """The feature as it was shown at a moment, or is now; None where none was."""
    rows = rows_of(Selection(layer.name, _look(layer), then=moment is not None))
    told = select(feature(rows, _look(layer))).where(rows.c.id == identifier)
    text = session.execute(told, {} if moment is None else {"moment": moment}).scalar_one_or_none()
    return None if text is None else orjson.loads(text)


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
