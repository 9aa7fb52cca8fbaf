"""Buildings (楼栋): footprints, or entrances where there is none."""

import datetime as dt
from typing import Final

from sqlalchemy import select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import REGISTER_ROLES, Layer, Property, Statement, Writable
from gridmgmt.layers.style import Shade, Style
from gridmgmt.models import Building
from gridmgmt.registers.terms import NATURES

COLOURS: Final = {
    "self_built": "#c2572d",
    "collective": "#e0a030",
    "factory_dormitory": "#6d4c9f",
    "commodity": "#2f78b4",
    "apartment": "#2b9c83",
    "other": "#8c8c8c",
}


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
        Property("nature", "string", "Nature", "房屋性质", terms=NATURES),
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
    styles=(
        Style(
            name="nature",
            title="Nature",
            title_zh="房屋性质",
            colour="#8c8c8c",
            property="nature",
            shades=tuple(Shade(word, colour, NATURES[word].en.capitalize(), NATURES[word].zh) for word, colour in COLOURS.items()),
        ),
        Style(
            name="rental",
            title="Let or not",
            title_zh="是否出租",
            colour="#8c8c8c",
            property="rental",
            shades=(
                Shade(value=True, colour="#c2572d", title="Let", title_zh="出租"),
                Shade(value=False, colour="#8da3b8", title="Not let", title_zh="非出租"),
            ),
            share="rental",
        ),
        Style("density", "Density", "楼栋密度", "#8c8c8c", counted=True),
    ),
    writable=Writable(
        roles=REGISTER_ROLES,
        shapes=frozenset({"Point", "Polygon", "MultiPolygon"}),
        required=frozenset({"house_code", "name", "address", "nature", "rental", "floors_above"}),
        changed=frozenset({"house_code", "name", "address", "nature", "rental", "floors_above", "built_year"}),
    ),
)
