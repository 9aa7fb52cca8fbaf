"""Subdistricts (街道)."""

import datetime as dt

from sqlalchemy import select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.style import Style
from gridmgmt.models import Area


def _rows(moment: dt.datetime | None) -> Statement:
    area = known(Area, moment)
    return select(
        area.c.id,
        area.c.version,
        area.c.geom,
        area.c.geom_3857,
        area.c.parent_id,
        area.c.code,
        area.c.name,
        area.c.valid_from,
        area.c.valid_to,
        area.c.approximate,
    ).where(area.c.level == "subdistrict", area.c.deleted_at.is_(None))


LAYER = Layer(
    name="subdistricts",
    title="Subdistricts",
    title_zh="街道",
    description="Subdistricts in force, with their nine-digit codes",
    properties=(
        Property("code", "string", "Code, nine digits", "街道代码"),
        Property("name", "string", "Name", "街道名称"),
        Property("valid_from", "string", "In force since", "生效日期", "date"),
        Property("approximate", "boolean", "Whether the border is only roughly known", "边界是否为近似"),
    ),
    rows=_rows,
    nouns=("area",),
    period=("valid_from", "valid_to"),
    id_type="integer",
    public=True,
    drawn=("code", "name"),
    far="parents",
    minzoom=8,
    styles=(Style("border", "Borders", "边界", "#1d3557", opacity=0.0, width=2.5, label="name"),),
    ground=True,
)
