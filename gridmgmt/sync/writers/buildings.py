"""Buildings, as a push writes them. The grid follows from the entrance, found by PostgreSQL."""

import json
from typing import Any, Final

import shapely

from geo.crs import STORAGE
from gridmgmt.errors import NotFoundError
from gridmgmt.registers.buildings import Place, door, outline
from gridmgmt.sync.items import Item
from gridmgmt.sync.lines import Line, Unfit
from gridmgmt.sync.writers.noun import Column, Columns, Row, Surroundings, Values, Write, Writer, one_each

GEOMETRY: Final = Column("text", "e.{}::text", "u.{}::public.geometry")
"""As its text: hexadecimal EWKB, which PostGIS and Shapely write alike."""


CHANGEABLE: Final = {
    "house_code": "text", "name": "text", "address": "text", "floors_above": "int", "floors_below": "int", "built_year": "int",
    "nature": "text", "rental": "boolean", "retired_on": "date", "conflict_open": "boolean",
}  # fmt: skip
REST: Final = (
    "UPDATE reg.building AS e SET "  # noqa: S608 -- names of ours
    + ", ".join(
        f"{name} = CASE WHEN '{name}' = ANY (%(named)b::text[]) THEN %({name})s::{kind} ELSE e.{name} END"
        for name, kind in CHANGEABLE.items()
    )
    + " WHERE e.id = %(id)s::uuid RETURNING e.version"
)
RELOCATE: Final = (
    "SELECT sec.relocate_building(%(id)s::uuid, %(version)s::int, %(entrance)s::public.geometry, %(footprint)s::public.geometry,"
    " %(datum)s::text, %(source_x)s::float8, %(source_y)s::float8)"
)


def relocate(line: Line, write: Write) -> None:
    """Move a building wherever its new entrance lies, perhaps out of the worker's sight; what else changed is written before."""
    placed = {name: write.columns[name] for name in ("entrance", "datum", "source_x", "source_y")}
    placed["footprint"] = write.columns.get("footprint", write.row.values["footprint"])
    rest = {name: value for name, value in write.columns.items() if name not in placed}
    if rest:
        ((write.row.version,),) = line.rows(REST, {"id": write.row.id, **dict.fromkeys(CHANGEABLE), **rest, "named": list(rest)})
    ((said,),) = line.rows(RELOCATE, {"id": write.row.id, "version": write.row.version, **placed})
    if said != "accepted":
        raise Unfit(NotFoundError("there is no such row, or none that you may see", slug="not-found-or-out-of-scope"), write.seq)
    write.version = write.row.version = write.row.version + 1


def _read(item: Item, row: Row | None, _around: Surroundings) -> Columns:
    values = dict(item.values)
    given = values.get("entrance")
    place = None if given is None else Place(given["lon"], given["lat"], given["datum"])
    if place is not None:
        door(place)
        values["entrance"] = (place.lon, place.lat, place.datum)
    if values.get("footprint") is not None:
        if place is None and row is not None:
            place = Place(row.values["lon"], row.values["lat"], "CGCS2000")  # alone, it is in the datum in which it was pulled
        assert place is not None
        values["footprint"] = _ewkb(outline(values["footprint"], place))
    return values


def _create(values: Values, _item: Item, around: Surroundings) -> Columns:
    # Which grid it lies in, PostgreSQL says; until then it may be any that the worker has.
    grid_id = min(around.grids, default=0)
    rest = {"floors_below": 0, "built_year": None, "footprint": None} | dict(values)
    return _placed(rest) | {"grid_id": grid_id, "subdistrict_id": around.subdistrict_of(grid_id)}


def _change(wanted: Values, _row: Row, _around: Surroundings) -> Columns:
    return _placed(dict(wanted)) if "entrance" in wanted else dict(wanted)


def _placed(values: Columns) -> Columns:
    lon, lat, datum = values.pop("entrance")
    point = door(Place(lon, lat, datum))
    return values | {"entrance": _ewkb(point), "source_x": lon, "source_y": lat, "datum": datum, "lon": point.x, "lat": point.y}


def _ewkb(shape: Any) -> str:
    return shapely.to_wkb(shapely.set_srid(shape, STORAGE), hex=True, include_srid=True)


def _told(name: str, value: Any) -> Any:
    if name == "entrance":
        return {"lon": value[0], "lat": value[1], "datum": value[2]}
    if name == "footprint" and value is not None:
        return json.loads(shapely.to_geojson(shapely.from_wkb(value)))
    return value


BUILDING: Final = Writer(
    kind="building",
    table="reg.building",
    columns={
        "house_code": Column("text"),
        "name": Column("text"),
        "address": Column("text"),
        "entrance": GEOMETRY,
        "footprint": GEOMETRY,
        "datum": Column("text"),
        "source_x": Column("float8"),
        "source_y": Column("float8"),
        "floors_above": Column("int"),
        "floors_below": Column("int"),
        "built_year": Column("int"),
        "nature": Column("text"),
        "rental": Column("boolean"),
        "retired_on": Column("date"),
        # in degrees of CGCS2000: distances of visits are measured to them
        "lon": Column("float8", "public.ST_X(e.entrance)", derived=True),
        "lat": Column("float8", "public.ST_Y(e.entrance)", derived=True),
    },
    fields=one_each("house_code", "name", "address")
    | {"entrance": ("source_x", "source_y", "datum")}
    | one_each("footprint", "floors_above", "floors_below", "built_year", "nature", "rental", "retired_on"),
    made_of={},
    inserted=(
        "house_code", "name", "address", "entrance", "footprint", "datum", "source_x", "source_y", "floors_above", "floors_below",
        "built_year", "nature", "rental",
    ),
    create=_create,
    read=_read,
    change=_change,
    told=_told,
    falls={"entrance": "footprint"},
)  # fmt: skip
