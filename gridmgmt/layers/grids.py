"""Base grids (基础网格)."""

import datetime as dt

from sqlalchemy import select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import REGISTER_ROLES, Layer, Property, Statement, Writable
from gridmgmt.layers.style import Style
from gridmgmt.models import Area, Grid


def _rows(moment: dt.datetime | None) -> Statement:
    grid, community = known(Grid, moment), known(Area, moment)
    return (
        select(
            grid.c.id,
            grid.c.version,
            grid.c.geom,
            grid.c.geom_3857,
            grid.c.community_id.label("parent_id"),
            grid.c.code,
            grid.c.name,
            community.c.code.label("community"),
            grid.c.valid_from,
            grid.c.valid_to,
        )
        .join(community, community.c.id == grid.c.community_id)
        .where(grid.c.kind == "base", grid.c.deleted_at.is_(None))
    )


LAYER = Layer(
    name="grids",
    title="Base grids",
    title_zh="基础网格",
    description="Base grids in force; a worker sees the own ones",
    properties=(
        Property("code", "string", "Code, fifteen digits", "网格编码"),
        Property("name", "string", "Name", "网格名称"),
        Property("community", "string", "Code of the community", "所属社区代码"),
        Property("valid_from", "string", "In force since", "生效日期", "date"),
    ),
    rows=_rows,
    nouns=("area", "grid"),
    period=("valid_from", "valid_to"),
    id_type="integer",
    roles=REGISTER_ROLES | {"admin"},
    drawn=("code", "name"),
    far="parents",
    minzoom=12,
    styles=(Style("border", "Borders", "边界", "#d97706", opacity=0.08, label="name"),),
    ground=True,
    writable=Writable(
        roles=frozenset({"district"}),
        shapes=frozenset({"Polygon", "MultiPolygon"}),
        required=frozenset({"code", "name", "community", "valid_from"}),
        changed=frozenset({"name", "valid_from"}),
        fixed=frozenset({"code", "community"}),
    ),
)
