"""Residences, as a push writes them."""

from typing import Any, Final

from gridmgmt.sync.items import Item
from gridmgmt.sync.writers.noun import Column, Columns, Row, Surroundings, Values, Writer, one_each, unknown

DEFAULTS: Final = {"main": True, "basis": "other", "valid_to": None, "declared_by": None, "declared_on": None}


def _create(values: Values, _item: Item, around: Surroundings) -> Columns:
    resident = around.find("resident", values["resident_id"])
    if resident is None:
        raise unknown("resident_id")
    unit = around.find("unit", values["unit_id"])
    if unit is None:
        raise unknown("unit_id")
    columns = {**DEFAULTS, **values, "unit_id": unit.id, "grid_id": unit.grid_id, "subdistrict_id": unit.subdistrict_id}
    del columns["resident_id"]
    return columns | {"person_id": resident.id}


def _change(wanted: Values, _row: Row, around: Surroundings) -> Columns:
    columns = dict(wanted)
    if columns.pop("verified", False):
        columns |= {"verified_by": around.account_id, "verified_at": around.received_at}
    return columns


def _same(name: str, one: Any, other: Any) -> bool:
    return name != "verified" and bool(one == other)  # somebody was there again


RESIDENCE: Final = Writer(
    kind="residence",
    table="reg.residence",
    columns={
        "person_id": Column("uuid"),
        "unit_id": Column("uuid"),
        "main": Column("boolean"),
        "basis": Column("text"),
        "valid_from": Column("date"),
        "valid_to": Column("date"),
        "declared_by": Column("text"),
        "declared_on": Column("date"),
        "verified_by": Column("bigint"),
        "verified_at": Column("timestamptz"),
    },
    fields=one_each("main", "basis", "valid_from", "valid_to", "declared_by", "declared_on") | {"verified": ("verified_by", "verified_at")},
    made_of={"resident_id": ("person_id",), "unit_id": ("unit_id",)},
    inserted=(
        "person_id", "unit_id", "grid_id", "subdistrict_id", "main", "basis", "valid_from", "valid_to", "declared_by", "declared_on",
    ),
    create=_create,
    references={"resident_id": "resident", "unit_id": "unit"},
    change=_change,
    same=_same,
    told=lambda name, value: value is not None and value[1] if name == "verified" else value,
    names={"person_id": "resident_id"},
)  # fmt: skip
