"""Guidance rents (房屋租赁指导租金): what a square metre typically lets for in each area, by use, as it was published."""

import datetime as dt

from sqlalchemy import func, select

from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.released_rents import AREA, TOLD, figures, in_force, styles


def _rows(moment: dt.datetime | None) -> Statement:
    release, later = in_force(moment), in_force(moment).alias("later")
    # A quarter's guidance rents hold until those of the next one that was published.
    ends = select(func.min(later.c.starts)).where(later.c.starts > release.c.starts).scalar_subquery()
    return figures(moment, "guide", release, ends)[1]


LAYER = Layer(
    name="guide-rents",
    title="Guidance rents",
    title_zh="房屋租赁指导租金",
    description=(
        "Guidance rents of the newest published release in yuan per square metre and month, one feature for each area and use: the median "
        "for a community, the mean over the stock for wider areas, and a typical spread around it. Those of earlier quarters by `datetime`"
    ),
    properties=(
        *AREA,
        Property(
            "value",
            "number",
            "Guidance rent, yuan per square metre and month: a community's median, a wider area's mean over the stock",
            "指导租金（元/平方米·月）：社区为中位数，街道和区为存量加权平均",
        ),
        Property(
            "low",
            "number",
            "Lower end of a typical spread: as far off as the 20th percentile of rents is from their median, unless its run says otherwise",
            "典型区间下限（距离取租金第 20 百分位与中位数之差，运行参数另有规定的除外）",
        ),
        Property(
            "high",
            "number",
            "Upper end of a typical spread: as far off as the 80th percentile of rents is from their median, unless its run says otherwise",
            "典型区间上限（距离取租金第 80 百分位与中位数之差，运行参数另有规定的除外）",
        ),
        *TOLD,
    ),
    rows=_rows,
    nouns=("area", "rent_release"),
    period=("valid_from", "valid_to"),
    id_type="integer",
    public=True,
    drawn=("name", "use", "value", "basis"),
    by_level=True,
    minzoom=11,
    styles=styles(
        "value",
        "Yuan per m² and month",
        "元/平方米·月",
        {
            "residential": (20, 30, 40, 60),
            "shop": (50, 75, 100, 150),
            "office": (30, 40, 60, 90),
            "plant": (15, 20, 30, 40),
            "warehouse": (10, 15, 20, 30),
        },
        ("#ffffd4", "#fed98e", "#fe9929", "#d95f0e", "#993404"),
    ),
)
