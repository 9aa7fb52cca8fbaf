"""Inspections (巡查): who stood at which door, what was found there. What was seen on a day is added or struck out, never corrected."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import FromClause, func, select
from sqlalchemy.orm import Session

from geo.crs import to_metric
from geo.datum import Datum, to_cgcs2000
from gridmgmt.database import Actor
from gridmgmt.errors import InvalidError
from gridmgmt.history.beliefs import Sheet, Told, known
from gridmgmt.history.versions import Made, make, strike
from gridmgmt.models import Building, Inspection, Unit
from gridmgmt.registers.buildings import Place
from gridmgmt.registers.pages import begins, in_area, in_grid, is_community, midnight, one, page
from gridmgmt.security import audit
from gridmgmt.security.access import Versions

PATROL_REACH: Final = 50
"""Metres from the entrance within which a patrol was at the door (measure 105); our proposal, which the office confirms."""


def browse(
    session: Session,
    actor: Actor,
    *,
    limit: int,
    after: tuple[Any, ...] | None = None,
    area: str | None = None,
    grid: str | None = None,
    building_id: uuid.UUID | None = None,
    house_code: str | None = None,
    kind: str | None = None,
    outcome: str | None = None,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> Sequence[Told]:
    """A page of visits by id; `house_code` is a beginning, `first` and `last` are days of the district, both of them counted."""
    rows = known(Inspection)
    conditions = [
        *([in_area(rows, area)] if area else []),
        *([in_grid(rows, grid)] if grid else []),
        *([rows.c.building_id == building_id] if building_id else []),
        *([rows.c.building_id.in_(select(Building.id).where(begins(Building.__table__.c.house_code, house_code)))] if house_code else []),
        *([rows.c.kind == kind] if kind else []),
        *([rows.c.outcome == outcome] if outcome else []),
        *([rows.c.visited_at >= midnight(first)] if first else []),
        *([rows.c.visited_at < midnight(last + dt.timedelta(days=1))] if last else []),
    ]
    return page(session, actor, rows, sheet, *conditions, limit=limit, after=after, narrow=is_community(area))


def read(session: Session, actor: Actor, inspection_id: uuid.UUID) -> Told:
    """One visit. Raises NotFoundError."""
    return one(session, Inspection, inspection_id, sheet)


def create(
    session: Session,
    actor: Actor,
    *,
    building_id: uuid.UUID,
    kind: str,
    outcome: str,
    visited_at: dt.datetime,
    unit_id: uuid.UUID | None = None,
    findings: Sequence[str] = (),
    note: str | None = None,
    place: Place | None = None,
    identifier: uuid.UUID | None = None,
) -> Made:
    """Enter a visit; `place` is where the visitor stood, `findings` are short codes.

    Raises InvalidError for a building or unit that the actor does not see, for a unit of another building and for a visit yet to come.
    """
    door: Sheet = select(Building.grid_id, Building.subdistrict_id, func.ST_X(Building.entrance).label("lon"))
    door = door.add_columns(func.ST_Y(Building.entrance).label("lat"))
    building = session.execute(door.where(Building.id == building_id, Building.deleted_at.is_(None))).one_or_none()
    if building is None:
        raise InvalidError("there is no such building, or none that you may see", field="building_id", slug="unknown-reference")
    values = {
        "building_id": building_id,
        "unit_id": unit_id,
        "kind": kind,
        "outcome": outcome,
        "visited_at": visited_at,
        "findings": list(findings),
        "note": note,
        "lon": None if place is None else place.lon,
        "lat": None if place is None else place.lat,
        "datum": None if place is None else place.datum,
    }
    away = None if place is None else float(distance_from(place.lon, place.lat, place.datum, building.lon, building.lat)[0])
    derived = {"grid_id": building.grid_id, "subdistrict_id": building.subdistrict_id, "distance_m": away}
    made = make(session, Inspection, values, derived=derived, identifier=identifier)
    if made.fresh:
        audit.record(session, "create", "inspection", made.id)
    return made


def delete(session: Session, actor: Actor, inspection_id: uuid.UUID, *, versions: Versions) -> None:
    """Strike out a visit that was entered by mistake. Raises StaleError, NotFoundError."""
    strike(session, Inspection, inspection_id, versions=versions)
    audit.record(session, "delete", "inspection", inspection_id)


def distance_from(
    lon: ArrayLike, lat: ArrayLike, datum: str | Sequence[str], door_lon: ArrayLike, door_lat: ArrayLike
) -> NDArray[np.float64]:
    """Metres (EPSG:4547, to the centimetre) from places in degrees of their datums to entrances in degrees of CGCS2000.

    One value for each place; a `datum` alone is that of all. NaN where a coordinate is NaN.
    """
    x, y = np.array(lon, dtype=float, ndmin=1), np.array(lat, dtype=float, ndmin=1)
    datums = np.broadcast_to(np.asarray(datum), x.shape)
    for name in Datum:
        chosen = datums == name.value
        x[chosen], y[chosen] = to_cgcs2000(x[chosen], y[chosen], name)
    (here_e, here_n), (door_e, door_n) = to_metric(x, y), to_metric(door_lon, door_lat)
    metres = np.hypot(here_e - door_e, here_n - door_n)
    return np.where(np.isfinite(metres), np.round(metres, 2), np.nan)


def sheet(rows: FromClause) -> Sheet:
    """What is told of visits, with house code and unit code."""
    names = ("id", "version", "recorded_from", "grid_id", "subdistrict_id", "building_id", "unit_id", "kind", "outcome", "visited_at")
    rest = ("findings", "note", "lon", "lat", "datum", "distance_m")
    building, unit = Building.__table__.alias("its_building"), Unit.__table__.alias("its_unit")
    joined = rows.outerjoin(building, building.c.id == rows.c.building_id).outerjoin(unit, unit.c.id == rows.c.unit_id)
    told = [rows.c[name] for name in (*names, *rest)]
    return select(*told, building.c.house_code.label("house_code"), unit.c.code.label("unit")).select_from(joined)
