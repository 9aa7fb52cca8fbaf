"""Residents (实有人口): how many people live in each community and subdistrict, counted once a month and rounded before it is kept.

Everybody may see it: docs/decisions/counts-of-residents.md says why nobody can be made out.
"""

import datetime as dt

from sqlalchemy import FromClause, func, literal_column, select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.counted import square_kilometres
from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.style import Shade, Style
from gridmgmt.models import Area
from gridmgmt.models.counts import ResidentCount
from gridmgmt.registers.terms import LEVELS


def _rows(moment: dt.datetime | None) -> Statement:
    area, count = known(Area, moment), _counted(moment)
    later = count.alias("later")
    # A release holds until the next one of its area, which may have ended by then.
    superseded = (
        select(func.min(later.c.counted_on)).where(later.c.area_id == count.c.area_id, later.c.month > count.c.month).scalar_subquery()
    )
    return (
        select(
            count.c.id,
            literal_column("1").label("version"),
            area.c.geom,
            area.c.geom_3857,
            area.c.code,
            area.c.name,
            area.c.level,
            count.c.residents,
            count.c.floating,
            func.round(count.c.residents / square_kilometres(area)).label("residents_per_km2"),
            count.c.counted_on,
            func.least(superseded, area.c.valid_to).label("valid_to"),
        )
        .join(area, area.c.id == count.c.area_id)
        .where(area.c.deleted_at.is_(None))
    )


def _counted(moment: dt.datetime | None) -> FromClause:
    """The counts that there were by then: each is released on the day of the count, and stays as it is."""
    every = ResidentCount.__table__
    if moment is None:
        return every
    told = (every.c[name] for name in ("id", "area_id", "month", "counted_on", "residents", "floating"))
    return select(*told).where(every.c.counted_on <= func.date(func.timezone("Asia/Shanghai", moment))).subquery("count_then")


LAYER = Layer(
    name="residents",
    title="Residents",
    title_zh="实有人口",
    description=(
        "People who live in each community and subdistrict by their main residence, counted once a month. Numbers are rounded to tens, "
        "those of fewer than ten people and some above are not told, and a subdistrict has the sum of what is told of its communities"
    ),
    properties=(
        Property("code", "string", "Code, nine or twelve digits", "街道或社区代码"),
        Property("name", "string", "Name", "名称"),
        Property("level", "string", "Level of the area", "层级", terms={name: LEVELS[name] for name in ("subdistrict", "community")}),
        Property("residents", "integer", "Residents, rounded to tens; nothing where they are few", "实有人口数（取整到十，过少不公布）"),
        Property("floating", "integer", "Of these, floating population, rounded to tens", "其中流动人口数（取整到十）"),
        Property("residents_per_km2", "number", "Residents a square kilometre", "每平方公里实有人口"),
        Property("counted_on", "string", "Day of the count", "统计日期", "date"),
    ),
    rows=_rows,
    nouns=("area", "resident_count"),
    period=("counted_on", "valid_to"),
    id_type="integer",
    public=True,
    drawn=("name", "residents", "floating", "residents_per_km2"),
    by_level=True,
    minzoom=11,
    styles=(
        Style(
            "density",
            "Residents a square kilometre",
            "每平方公里实有人口",
            "#d9d9d9",
            property="residents_per_km2",
            shades=(
                Shade(0, "#feedde", "Under 200", "不足 200"),
                Shade(200, "#fdbe85", "200–999", "200–999"),
                Shade(1_000, "#fd8d3c", "1,000–4,999", "1000–4999"),
                Shade(5_000, "#e6550d", "5,000–19,999", "5000–19999"),
                Shade(20_000, "#a63603", "20,000 or more", "2 万及以上"),
            ),
            label="name",
        ),
    ),
)
