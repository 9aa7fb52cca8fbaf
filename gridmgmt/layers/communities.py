"""Communities (社区)."""

import datetime as dt

from sqlalchemy import select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.style import Style
from gridmgmt.models import Area


def _rows(moment: dt.datetime | None) -> Statement:
    area, parent = known(Area, moment), known(Area, moment).alias("parent")
    return (
        select(
            area.c.id,
            area.c.version,
            area.c.geom,
            area.c.geom_3857,
            area.c.parent_id,
            area.c.code,
            area.c.name,
            parent.c.code.label("subdistrict"),
            area.c.valid_from,
            area.c.valid_to,
            area.c.approximate,
        )
        .join(parent, parent.c.id == area.c.parent_id)
        .where(area.c.level == "community", area.c.deleted_at.is_(None))
    )


LAYER = Layer(
    name="communities",
    title="Communities",
    title_zh="社区",
    description="Communities in force, with their twelve-digit codes",
    properties=(
        Property("code", "string", "Code, twelve digits", "社区代码"),
        Property("name", "string", "Name", "社区名称"),
        Property("subdistrict", "string", "Code of the subdistrict", "所属街道代码"),
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
    minzoom=10,
    styles=(Style("border", "Borders", "边界", "#5b7fa6", opacity=0.06, label="name"),),
    ground=True,
)
