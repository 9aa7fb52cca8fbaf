"""Units, as a push writes them."""

from typing import Final

from gridmgmt.errors import InvalidError
from gridmgmt.sync.items import Item
from gridmgmt.sync.writers.noun import Column, Columns, Surroundings, Values, Writer, one_each, unknown


def _create(values: Values, _item: Item, around: Surroundings) -> Columns:
    building = around.find("building", values["building_id"])
    if building is None:
        raise unknown("building_id")
    if not values["code"].startswith(building.values["house_code"]):
        raise InvalidError("the first 19 digits of a unit's code are its building's house code", field="code")
    return {**values, "building_id": building.id, "grid_id": building.grid_id, "subdistrict_id": building.subdistrict_id}


UNIT: Final = Writer(
    kind="unit",
    table="reg.unit",
    columns={
        "building_id": Column("uuid"),
        "code": Column("text"),
        "floor": Column("int"),
        "room": Column("text"),
        "area_m2": Column("numeric"),
        "use": Column("text"),
        "max_occupants": Column("int"),
        "retired_on": Column("date"),
    },
    fields=one_each("floor", "room", "area_m2", "use", "max_occupants", "retired_on"),
    made_of=one_each("building_id", "code"),
    inserted=("building_id", "grid_id", "subdistrict_id", "code", "floor", "room", "area_m2", "use", "max_occupants"),
    create=_create,
    references={"building_id": "building"},
)
