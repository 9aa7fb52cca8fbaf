"""Inspections and duty reports, as a push writes them: what was seen once is added and never changed."""

from typing import Any, Final

from gridmgmt.registers.inspections import distance_from
from gridmgmt.sync.items import Item
from gridmgmt.sync.writers.noun import Column, Columns, Row, Surroundings, Values, Writer, one_each, unknown


def _unit_of(values: Values, around: Surroundings) -> Any:
    """The unit, where one is named. Raises InvalidError."""
    if values.get("unit_id") is None:
        return None
    unit = around.find("unit", values["unit_id"])
    if unit is None:
        raise unknown("unit_id")
    return unit.id


def _read(item: Item, _row: Row | None, _around: Surroundings) -> Columns:
    values = dict(item.values)
    given = values.get("place")
    values["place"] = (None, None, None) if given is None else (given["lon"], given["lat"], given["datum"])
    values["findings"] = "{" + ",".join(values.get("findings", ())) + "}"  # codes: nothing in them is to be quoted
    return values


def _visit(values: Values, _item: Item, around: Surroundings) -> Columns:
    building = around.find("building", values["building_id"])
    if building is None:
        raise unknown("building_id")
    lon, lat, datum = values["place"]
    rest = {name: values.get(name) for name in ("kind", "outcome", "visited_at", "findings", "note")}
    away = None
    if lon is not None:
        away = float(distance_from(lon, lat, datum, building.values["lon"], building.values["lat"])[0])
    return rest | {
        "building_id": building.id,
        "unit_id": _unit_of(values, around),
        "grid_id": building.grid_id,
        "subdistrict_id": building.subdistrict_id,
        "lon": lon,
        "lat": lat,
        "datum": datum,
        "distance_m": away,
    }


def _report(values: Values, _item: Item, around: Surroundings) -> Columns:
    manager = around.find("manager", values["manager_id"])
    if manager is None:
        raise unknown("manager_id")
    rest = {name: values.get(name) for name in ("kind", "happened_on", "persons", "note")}
    where = {"grid_id": manager.grid_id, "subdistrict_id": manager.subdistrict_id}
    return rest | where | {"manager_id": manager.id, "unit_id": _unit_of(values, around)}


INSPECTION: Final = Writer(
    kind="inspection",
    table="reg.inspection",
    columns={
        "building_id": Column("uuid"),
        "unit_id": Column("uuid"),
        "kind": Column("text"),
        "outcome": Column("text"),
        "visited_at": Column("timestamptz"),
        "findings": Column("text", "e.{}::text", "u.{}::text[]"),
        "note": Column("text"),
        "lon": Column("float8"),
        "lat": Column("float8"),
        "datum": Column("text"),
        "distance_m": Column("float8"),
    },
    fields={},
    made_of=one_each("building_id", "unit_id", "kind", "outcome", "visited_at", "findings", "note") | {"place": ("lon", "lat", "datum")},
    inserted=(
        "building_id", "unit_id", "grid_id", "subdistrict_id", "kind", "outcome", "visited_at", "findings", "note", "lon", "lat", "datum",
        "distance_m",
    ),
    create=_visit,
    references={"building_id": "building", "unit_id": "unit"},
    read=_read,
)  # fmt: skip
DUTY_REPORT: Final = Writer(
    kind="duty_report",
    table="reg.duty_report",
    columns={
        "manager_id": Column("uuid"),
        "unit_id": Column("uuid"),
        "kind": Column("text"),
        "happened_on": Column("date"),
        "persons": Column("int"),
        "note": Column("text"),
    },
    fields={},
    made_of=one_each("manager_id", "unit_id", "kind", "happened_on", "persons", "note"),
    inserted=("manager_id", "unit_id", "grid_id", "subdistrict_id", "kind", "happened_on", "persons", "note"),
    create=_report,
    references={"manager_id": "manager", "unit_id": "unit"},
)
