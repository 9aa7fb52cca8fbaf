"""Areas (行政区划): districts, subdistricts and communities, each under one code for one period, with lineage."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import JSON, FromClause, func, insert, select
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from geo.crs import STORAGE
from geo.features import DIGITS, NO_CRS
from geo.geometry import MAX_AREA_VERTICES, GeometryError, as_multipolygon, parse_geojson
from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError, InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known, live, table_of, true_on
from gridmgmt.history.versions import correct as write
from gridmgmt.history.versions import strike
from gridmgmt.models import Area, AreaLineage, Grid
from gridmgmt.registers.pages import begins, every_form, one, page
from gridmgmt.security import audit
from gridmgmt.security.access import Versions

PARENTS = {"district": None, "subdistrict": "district", "community": "subdistrict"}
"""The level that an area's parent has."""


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    level: str | None = None,
    parent: str | None = None,
    code: str | None = None,
    name: str | None = None,
    valid_on: dt.date | None = None,
    as_of: dt.datetime | None = None,
) -> Sequence[Told]:
    """A page of areas in the order of their codes, without their geometries; `parent` is a code, `code` and `name` are beginnings."""
    rows = known(Area, as_of)
    conditions = [
        *([rows.c.level == level] if level else []),
        *([begins(rows.c.code, code)] if code else []),
        *([begins(rows.c.name, name)] if name else []),
        *([true_on(rows.c.valid_from, rows.c.valid_to, valid_on)] if valid_on else []),
    ]
    if parent:
        above = Area.__table__.alias("above")
        conditions.append(rows.c.parent_id.in_(select(above.c.id).where(above.c.code == parent, above.c.deleted_at.is_(None))))
    return page(session, actor, rows, sheet, *conditions, limit=limit, after=after, order=("code", "id"))


def read(session: Session, actor: Actor, area_id: int, *, as_of: dt.datetime | None = None) -> Told:
    """One area with its geometry. Raises NotFoundError."""
    return one(session, Area, area_id, lambda rows: sheet(rows, geometry=True), as_of=as_of)


def history(session: Session, actor: Actor, area_id: int) -> Sequence[Told]:
    """Every form the area had, the newest first, with when it was believed. Raises NotFoundError."""
    read(session, actor, area_id)
    return every_form(session, Area, area_id, sheet)


def lineage(session: Session, actor: Actor, area_id: int) -> Sequence[Told]:
    """What the area came from and what came from it: `predecessor_id`, `successor_id`, `kind`, `happened_on`."""
    read(session, actor, area_id)
    link = AreaLineage
    either = (link.predecessor_id == area_id) | (link.successor_id == area_id)
    links: Sheet = select(link.predecessor_id, link.successor_id, link.kind, link.happened_on).where(either)
    return session.execute(links.order_by(link.happened_on, link.predecessor_id, link.successor_id)).all()


def create(
    session: Session,
    actor: Actor,
    *,
    code: str,
    name: str,
    level: str,
    geometry: Mapping[str, Any],
    valid_from: dt.date,
    valid_to: dt.date | None = None,
    parent: str | None = None,
    approximate: bool = False,
    predecessors: Sequence[int] = (),
    kind: str = "renumber",
) -> int:
    """Enter an area and give its id; `geometry` is GeoJSON in degrees, `parent` the code of the area above at `valid_from`.

    `predecessors` are ids of what it came from, by `kind`: split, merge or renumber. Raises InvalidError.
    """
    table = table_of(Area)
    values = {
        "code": code,
        "name": name,
        "level": level,
        "parent_id": _parent(session, level, parent, valid_from),
        "valid_from": valid_from,
        "valid_to": valid_to,
        "approximate": approximate,
        "geom": outline(geometry, max_vertices=MAX_AREA_VERTICES),
    }
    made: int = session.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    if predecessors:
        links = [{"predecessor_id": one, "successor_id": made, "kind": kind, "happened_on": valid_from} for one in predecessors]
        session.execute(insert(AreaLineage), links)
    audit.record(session, "create", "area", made)
    return made


def correct(session: Session, actor: Actor, area_id: int, changes: Mapping[str, Any], *, versions: Versions) -> int:
    """Change `name`, `valid_from`, `valid_to`, `approximate` or `geometry`, and give the new version.

    Raises InvalidError, StaleError, NotFoundError.
    """
    values = dict(changes)
    if "geometry" in values:
        values["geom"] = outline(values.pop("geometry"), max_vertices=MAX_AREA_VERTICES)
    new = write(session, Area, area_id, values, versions=versions)
    audit.record(session, "correct", "area", area_id, detail={"fields": sorted(changes)})
    return new


def end(session: Session, actor: Actor, area_id: int, *, on: dt.date, versions: Versions, reason: str | None = None) -> int:
    """Let the area end: `on` is the first day on which it is no more. Raises as `correct` does."""
    new = write(session, Area, area_id, {"valid_to": on}, versions=versions)
    audit.record(session, "end", "area", area_id, detail={"on": on.isoformat(), "reason": reason})
    return new


def delete(session: Session, actor: Actor, area_id: int, *, versions: Versions) -> None:
    """Strike out an area that was entered by mistake. Raises ConflictError while areas or grids lie in it, else as `correct` does."""
    parts = select(Area.id).where(Area.parent_id == area_id, Area.deleted_at.is_(None))
    grids = select(Grid.id).where(Grid.community_id == area_id, Grid.deleted_at.is_(None))
    if session.execute(parts.union_all(grids)).first() is not None:
        raise ConflictError("areas or grids lie in this area", slug="area-in-use")
    strike(session, Area, area_id, versions=versions)
    audit.record(session, "delete", "area", area_id)


def sheet(rows: FromClause, *, geometry: bool = False) -> Sheet:
    """What is told of areas."""
    names = ("id", "version", "recorded_from", "code", "name", "level", "parent_id", "valid_from", "valid_to", "approximate")
    told = [rows.c[name] for name in names]
    return select(*told, *([geojson(rows.c.geom).label("geometry")] if geometry else []))


def geojson(column: Any) -> Any:
    """A geometry as GeoJSON, built by PostgreSQL, opened by the driver."""
    return cast_to(func.ST_AsGeoJSON(column, DIGITS, NO_CRS), JSON)


def outline(document: Mapping[str, Any], *, max_vertices: int, field: str = "geometry") -> Any:
    """A multipolygon for SQL from GeoJSON in degrees. Raises InvalidError that says what is wrong and where."""
    try:
        shape = as_multipolygon(parse_geojson(document, max_vertices=max_vertices))
    except GeometryError as error:
        raise refused(error, field) from None
    return func.ST_GeomFromWKB(shape.wkb, STORAGE)


def refused(error: GeometryError, field: str) -> InvalidError:
    """A geometry's fault as a refusal, with its place where it has one."""
    return InvalidError(str(error), field=field, reason=error.reason, lon=error.lon, lat=error.lat)


def of_code(session: Session, code: str, level: str, day: dt.date, *, field: str) -> Told:
    """`id` and `parent_id` of the area that has this code on `day`. Raises InvalidError naming `field`."""
    table = Area.__table__
    this = (table.c.code == code, table.c.level == level, live(table), true_on(table.c.valid_from, table.c.valid_to, day))
    statement: Sheet = select(table.c.id, table.c.parent_id).where(*this)
    found = session.execute(statement).one_or_none()
    if found is None:
        raise InvalidError(f"no {level} has this code on {day.isoformat()}", field=field, slug="unknown-reference")
    return found


def _parent(session: Session, level: str, parent: str | None, day: dt.date) -> int | None:
    above = PARENTS.get(level)
    if above is None:
        if parent is not None:
            raise InvalidError("a district has no parent", field="parent")
        return None
    if parent is None:
        raise InvalidError(f"a {level} lies in a {above}: name its code", field="parent")
    return cast("int", of_code(session, parent, above, day, field="parent").id)
