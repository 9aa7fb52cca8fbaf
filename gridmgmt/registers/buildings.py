"""Buildings (楼栋), each under a 19-digit house code. The base grid follows from the entrance, found where nobody can lie about it."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import shapely
from sqlalchemy import JSON, DateTime, FromClause, Text, Uuid, bindparam, func, literal, select
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from geo.crs import METRIC, STORAGE, reproject
from geo.datum import Datum, to_cgcs2000
from geo.geometry import GeometryError, as_multipolygon, check, parse_geojson
from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError, StaleError
from gridmgmt.history.beliefs import Sheet, Told, known, live
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.history.versions import correct as write
from gridmgmt.models import Building
from gridmgmt.reads import Query, Template
from gridmgmt.registers.areas import geojson, refused
from gridmgmt.registers.pages import begins, every_form, in_area, in_grid, is_community, one, page
from gridmgmt.security import access, audit
from gridmgmt.security.access import Versions

REACH = 500
"""Metres from the entrance within which a footprint lies: one drawn elsewhere belongs to another building."""

ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


@dataclass(frozen=True)
class Place:
    """Longitude and latitude in degrees, as delivered in a datum."""

    lon: float
    lat: float
    datum: str = "CGCS2000"


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    house_code: str | None = None,
    name: str | None = None,
    nature: str | None = None,
    rental: bool | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of buildings by id; `area` and `grid` are codes, `house_code` and `name` beginnings, `valid_on` a day before retirement."""
    rows = known(Building, as_of)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([begins(rows.c.house_code, house_code)] if house_code else []),
        *([begins(rows.c.name, name)] if name else []),
        *([rows.c.nature == nature] if nature else []),
        *([rows.c.rental.is_(rental)] if rental is not None else []),
        *([standing(rows, valid_on)] if valid_on else []),
    ]
    return page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))


def read(session: Session, actor: Actor, building_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Told:
    """One building with its footprint. Raises NotFoundError."""
    return one(session, Building, building_id, lambda rows: sheet(rows, footprint=True), as_of=as_of)


def history(session: Session, actor: Actor, building_id: uuid.UUID) -> Sequence[Told]:
    """Every form the building had, the newest first, with when it was believed. Raises NotFoundError."""
    read(session, actor, building_id)
    return every_form(session, Building, building_id, sheet)


def create(
    session: Session,
    actor: Actor,
    *,
    house_code: str,
    name: str,
    address: str,
    entrance: Place,
    floors_above: int,
    nature: str,
    rental: bool,
    floors_below: int = 0,
    built_year: int | None = None,
    footprint: Mapping[str, Any] | None = None,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Enter a building. `footprint` is GeoJSON in the datum of the entrance.

    Raises InvalidError for a place outside the writer's grids, ConflictError for a house code or an id that is taken.
    """
    values = {
        "house_code": house_code,
        "name": name,
        "address": address,
        "floors_above": floors_above,
        "floors_below": floors_below,
        "built_year": built_year,
        "nature": nature,
        "rental": rental,
        **_placed(entrance),
        "footprint": None if footprint is None else _footprint(footprint, entrance),
    }
    made = make(session, Building, values, identifier=identifier)
    if made.fresh:
        audit.record(session, "create", "building", made.id)
    return made


def correct(
    session: Session,
    actor: Actor,
    building_id: uuid.UUID,
    changes: Mapping[str, Any],
    *,
    versions: Versions,
    datum: str | None = None,
) -> None:
    """Change anything that `create` takes but the id; `entrance` is a Place, and needs `footprint` beside it where one is to stay.

    A new entrance may lie in somebody else's grid: then the building, its units and its residents go there, and the writer no longer
    sees them. The footprint is in `datum`, or in that of the entrance. Raises InvalidError, ConflictError, StaleError, NotFoundError.
    """
    values = dict(changes)
    entrance: Place | None = values.pop("entrance", None)
    if values.get("footprint") is not None:
        values["footprint"] = _footprint(values["footprint"], entrance or _entrance(session, building_id), datum)
    if entrance is None:
        write(session, Building, building_id, values, versions=versions)
    else:
        _relocate(session, building_id, entrance, values, versions)
    audit.record(session, "correct", "building", building_id, detail={"fields": sorted(changes)})


def end(session: Session, actor: Actor, building_id: uuid.UUID, *, on: dt.date, versions: Versions, reason: str | None = None) -> int:
    """Retire a building: `on` is the first day on which it does not stand. Its units are retired before.

    Raises ConflictError, StaleError, NotFoundError.
    """
    new = write(session, Building, building_id, {"retired_on": on}, versions=versions)
    audit.record(session, "end", "building", building_id, detail={"on": on.isoformat(), "reason": reason})
    return new


def delete(session: Session, actor: Actor, building_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a building that was entered by mistake. Raises as `end` does."""
    strike(session, Building, building_id, versions=versions)
    audit.record(session, "delete", "building", building_id)


def is_seen(session: Session, building_id: uuid.UUID) -> bool:
    """Whether the actor (still) sees the building."""
    return session.execute(select(Building.id).where(Building.id == building_id, Building.deleted_at.is_(None))).first() is not None


def sheet(rows: FromClause, *, footprint: bool = False) -> Sheet:
    """What is told of buildings. Geometries leave PostgreSQL as numbers and GeoJSON, never as its own bytes."""
    told = [rows.c[name] for name in ("id", "version", "recorded_from", "grid_id", "subdistrict_id", "house_code", "name", "address")]
    rest = [rows.c[name] for name in ("floors_above", "floors_below", "built_year", "nature", "rental", "retired_on")]
    place = func.json_build_object("lon", func.ST_X(rows.c.entrance), "lat", func.ST_Y(rows.c.entrance), type_=JSON)
    source = func.json_build_object("lon", rows.c.source_x, "lat", rows.c.source_y, "datum", rows.c.datum, type_=JSON)
    shape = [geojson(rows.c.footprint).label("footprint")] if footprint else []
    return select(*told, place.label("entrance"), source.label("source"), *rest, *shape)


def document(building_id: uuid.UUID, *, as_of: dt.datetime | None = None) -> Query:
    """What gives one building as the JSON text that is answered, and its version; no row where there is none.

    The read that handhelds make most: PostgreSQL builds the bytes.
    """
    return _document(then=as_of is not None).bind(id=building_id, moment=as_of)


def door(entrance: Place) -> shapely.Point:
    """An entrance in degrees (CGCS2000), its datum undone. Raises InvalidError naming `entrance`."""
    try:
        check(shapely.Point(entrance.lon, entrance.lat), kinds={"Point"})
    except GeometryError as error:
        raise refused(error, "entrance") from None
    lon, lat = to_cgcs2000(entrance.lon, entrance.lat, Datum(entrance.datum))
    return shapely.Point(float(lon), float(lat))


def outline(document: Mapping[str, Any], entrance: Place, datum: str | None = None) -> shapely.MultiPolygon:
    """A footprint (GeoJSON) in degrees (CGCS2000), its datum undone, which unless named is the entrance's.

    Raises InvalidError naming `footprint`, also for one that lies elsewhere than the entrance.
    """
    drawn = Datum(datum or entrance.datum)
    try:
        given = as_multipolygon(parse_geojson(document))
        shape = given if drawn == Datum.CGCS2000 else as_multipolygon(check(_undone(given, drawn)))
    except GeometryError as error:
        raise refused(error, "footprint") from None
    metres = shapely.distance(*reproject([door(entrance), shape], STORAGE, METRIC))
    if metres > REACH:
        raise InvalidError(f"the footprint lies {metres:,.0f} m from the entrance", field="footprint")
    return shape


def standing(rows: FromClause, day: dt.date) -> Any:
    """Whether buildings or units were not yet retired on the day."""
    return rows.c.retired_on.is_(None) | (rows.c.retired_on > day)


@cache
def _document(*, then: bool) -> Template:
    """Compiled once: SQLAlchemy needs longer for it than PostgreSQL for the answer."""
    moment: Any = bindparam("moment", type_=DateTime(timezone=True)) if then else None
    rows = known(Building, moment)
    told = sheet(rows, footprint=True)
    members: list[Any] = []
    for column in told.selected_columns:
        timed = column.name == "recorded_from"
        members += [literal(column.name, Text), func.to_char(func.timezone("UTC", column), ISO) if timed else column]
    body = cast_to(func.json_build_object(*members), Text).label("body")
    return Template.of(select(body, rows.c.version).where(rows.c.id == bindparam("id", type_=Uuid()), live(rows)), kept=True)


def _relocate(session: Session, building_id: uuid.UUID, entrance: Place, values: Mapping[str, Any], versions: Versions) -> None:
    """A function moves the building, because its new grid need not be the writer's; what else changed is written before."""
    placed = _placed(entrance)
    rest = {name: value for name, value in values.items() if name != "footprint"}
    version = write(session, Building, building_id, rest, versions=versions)
    where = (placed["entrance"], values.get("footprint"), entrance.datum, entrance.lon, entrance.lat)
    said = session.execute(select(func.sec.relocate_building(building_id, version, *where))).scalar_one()
    if said != "accepted":
        raise StaleError("the row was changed since you read it", version=version)


def _entrance(session: Session, building_id: uuid.UUID) -> Place:
    access.find(session, Building, building_id)
    where: Sheet = select(Building.source_x, Building.source_y, Building.datum).where(Building.id == building_id)
    row = session.execute(where).one()
    return Place(row.source_x, row.source_y, row.datum)


def _placed(entrance: Place) -> dict[str, Any]:
    point = door(entrance)
    return {
        "entrance": func.ST_SetSRID(func.ST_MakePoint(point.x, point.y), STORAGE),
        "datum": entrance.datum,
        "source_x": entrance.lon,
        "source_y": entrance.lat,
    }


def _footprint(document: Mapping[str, Any], entrance: Place, datum: str | None = None) -> Any:
    return func.ST_GeomFromWKB(outline(document, entrance, datum).wkb, STORAGE)


def _undone(shape: shapely.MultiPolygon, datum: Datum) -> Any:
    return shapely.transform(shape, lambda points: np.column_stack(to_cgcs2000(points[:, 0], points[:, 1], datum)))
