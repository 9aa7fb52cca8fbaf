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
        "Guidance rents of the newest published release in yuan per square metre and month, one feature for each area and use: what half "
        "of the stock would let for less than, and the band in which six in ten rents lie. Those of an earlier quarter by `datetime`"
    ),
    properties=(
        *AREA,
        Property("value", "number", "Guidance rent, yuan per square metre and month", "指导租金（元/平方米·月）"),
        Property("low", "number", "Lower end of the band, the 20th percentile unless its run says otherwise", "下限（默认第 20 百分位）"),
        Property("high", "number", "Upper end of the band, the 80th percentile unless its run says otherwise", "上限（默认第 80 百分位）"),
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
