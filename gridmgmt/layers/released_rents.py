"""Layers of published rents: what the releases in force say, and since when and until when.

Only what was published is shown, to everybody the same: drafts are read over /v1/rents by the office alone.
"""

import datetime as dt
from collections.abc import Mapping
from itertools import pairwise
from typing import Final, Literal

from sqlalchemy import ColumnElement, Date, FromClause, Integer, Text, cast, func, literal_column, select

from gridmgmt.history.beliefs import known
from gridmgmt.layers.layer import Property, Statement
from gridmgmt.layers.style import Shade, Style
from gridmgmt.models import Area, RentFigure, RentRelease
from gridmgmt.registers.terms import LEVELS, Term, Terms
from gridmgmt.registers.terms import USES as TERMS

USES: Final[Mapping[str, tuple[str, str]]] = {
    "residential": ("Dwellings", "住宅"),
    "shop": ("Shops", "商铺"),
    "office": ("Offices", "写字楼"),
    "plant": ("Plants", "厂房"),
    "warehouse": ("Warehouses", "仓库"),
}
BASES: Final[Terms] = {
    "direct": Term("本区域合同", "its own leases"),
    "model": Term("模型估计", "model"),
    "none": Term("无数据", "no number"),
}
FLAGS: Final[Terms] = {
    "few": Term("观测较少", "few observations"),
    "held_back": Term("暂缓发布", "held back"),
    "review": Term("复核提示", "marked for review"),
}
AREA: Final = (
    Property("code", "string", "Code, six to twelve digits", "区域代码"),
    Property("name", "string", "Name", "名称"),
    Property("level", "string", "Level of the area", "层级", terms=LEVELS),
    Property("use", "string", "What is let", "用途", terms=TERMS),
    Property("quarter", "string", "Quarter, 2011Q4", "季度"),
)
TOLD: Final = (
    Property("basis", "string", "Whether it rests on the area's own leases or on a model", "依据", terms=BASES),
    Property("observations", "integer", "Leases that it rests on, rounded to fives", "样本数（取整到五）"),
    Property("flag", "string", "What a reader should know", "提示", terms=FLAGS),
    Property("reason", "string", "Why there is no number", "无数据原因"),
)


def in_force(moment: dt.datetime | None) -> FromClause:
    """The releases that are public, or were at a moment, with the first day of their quarter as `starts`."""
    release = RentRelease.__table__
    starts = func.make_date(
        cast(func.left(release.c.quarter, 4), Integer), cast(func.right(release.c.quarter, 1), Integer) * 3 - 2, 1, type_=Date
    )
    told = select(release.c.id, release.c.quarter, starts.label("starts"))
    if moment is None:
        return told.where(release.c.state == "published").subquery("in_force")
    later = release.alias("later")
    followed = select(later.c.id).where(
        later.c.quarter == release.c.quarter, later.c.edition > release.c.edition, later.c.published_at <= moment
    )
    return told.where(release.c.published_at <= moment, ~followed.exists()).subquery("in_force")


def figures(
    moment: dt.datetime | None, product: Literal["guide", "index"], release: FromClause, ends: ColumnElement[dt.date]
) -> tuple[FromClause, Statement]:
    """The figures table, and the columns that both layers have of the figures of releases, in force until `ends`."""
    area, figure = known(Area, moment), RentFigure.__table__
    statement = (
        select(
            cast(figure.c.id, Integer).label("id"),
            literal_column("1").label("version"),
            area.c.geom,
            area.c.geom_3857,
            area.c.code,
            area.c.name,
            area.c.level,
            figure.c.use,
            func.to_char(figure.c.period, literal_column("'YYYY\"Q\"Q'", Text), type_=Text).label("quarter"),
            figure.c.value,  # with its two decimals, also where they are 00: who guesses types by the first features sees no whole number
            figure.c.low,
            figure.c.high,
            figure.c.basis,
            figure.c.n_told.label("observations"),
            figure.c.flag,
            figure.c.reason,
            figure.c.period.label("valid_from"),
            ends.label("valid_to"),
        )
        .select_from(figure)
        .join(release, release.c.id == figure.c.release_id)
        .join(area, area.c.id == figure.c.area_id)
        .where(
            figure.c.product == product,
            figure.c.frequency == "quarter",
            figure.c.lets == "all",
            area.c.deleted_at.is_(None),
        )
    )
    return figure, statement


def styles(
    property_: str, title: str, title_zh: str, limits: Mapping[str, tuple[float, ...]], colours: tuple[str, ...]
) -> tuple[Style, ...]:
    """One style for each use, because areas lie on each other; `limits` part the shades of a use."""
    made: list[Style] = []
    for use, (name, name_zh) in USES.items():
        ends = limits[use]
        words = [
            f"Under {ends[0]:g}",
            *(f"{low:g} to {high:g}" for low, high in pairwise(ends)),
            f"{ends[-1]:g} or more",
        ]
        words_zh = [f"不足 {ends[0]:g}", *(f"{low:g}–{high:g}" for low, high in pairwise(ends)), f"{ends[-1]:g} 及以上"]
        shades = tuple(
            Shade(least, colour, word, word_zh) for least, colour, word, word_zh in zip((0, *ends), colours, words, words_zh, strict=True)
        )
        made.append(
            Style(use, f"{title}: {name}", f"{title_zh}：{name_zh}", "#d9d9d9", property=property_, shades=shades, only=("use", use))
        )
    return tuple(made)
