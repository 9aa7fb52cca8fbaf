"""Buildings (楼栋): footprints, or entrances where there is none."""

import datetime as dt
from typing import Final

from sqlalchemy import select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import REGISTER_ROLES, Layer, Property, Statement, Writable
from gridmgmt.models import Building

NATURES: Final = ("self_built", "collective", "factory_dormitory", "commodity", "apartment", "other")


def _rows(moment: dt.datetime | None) -> Statement:
    building = known(Building, moment)
    kept = ("id", "version", "geom", "geom_3857", "retired_on")
    told = ("house_code", "name", "address", "nature", "rental", "floors_above", "built_year")
    return select(*(building.c[name] for name in (*kept, *told))).where(building.c.deleted_at.is_(None))


LAYER = Layer(
    name="buildings",
    title="Buildings",
    title_zh="楼栋",
    description="Buildings that stand: their footprint, or the point of the entrance where none is drawn",
    properties=(
        Property("house_code", "string", "House code, nineteen digits", "房屋编码"),
        Property("name", "string", "Name", "楼栋名称"),
        Property("address", "string", "Address", "地址"),
        Property("nature", "string", "Nature", "房屋性质", values=NATURES),
        Property("rental", "boolean", "Whether it is let", "是否出租"),
        Property("floors_above", "integer", "Floors above ground", "地上层数"),
        Property("built_year", "integer", "Year of construction", "建成年份"),
    ),
    rows=_rows,
    nouns=("building",),
    period=(None, "retired_on"),
    id_type="uuid",
    shape="any",
    drawn=("nature", "rental"),
    far="cells",
    minzoom=14,
    writable=Writable(
        roles=REGISTER_ROLES,
        shapes=frozenset({"Point", "Polygon", "MultiPolygon"}),
        required=frozenset({"house_code", "name", "address", "nature", "rental", "floors_above"}),
        changed=frozenset({"house_code", "name", "address", "nature", "rental", "floors_above", "built_year"}),
    ),
)
