"""Rental price index (租金价格指数): how rents moved in each area, by use and quarter, as it was published."""

import datetime as dt

from sqlalchemy import Date, case, cast, null, select, text

from gridmgmt.layers.layer import Layer, Property, Statement
from gridmgmt.layers.released_rents import AREA, BASES, TOLD, figures, in_force, styles
from gridmgmt.models import RentFigure


def _rows(moment: dt.datetime | None) -> Statement:
    every = in_force(moment)
    newest = select(every).order_by(every.c.starts.desc()).limit(1).subquery("newest")
    period = RentFigure.__table__.c.period
    # The newest quarter stands until the next release: today's features are its.
    ends = case((period < newest.c.starts, cast(period + text("interval '3 months'"), Date)), else_=cast(null(), Date))
    figure, statement = figures(moment, "index", newest, ends)
    new = figure.alias("new")
    pair = (
        new.c.release_id == figure.c.release_id,
        new.c.product == "index",
        new.c.frequency == "quarter",
        new.c.area_id == figure.c.area_id,
        new.c.use == figure.c.use,
        new.c.lets == "new",
        new.c.period == figure.c.period,
    )
    columns = ((new.c.value, "new_lets"), (new.c.basis, "new_lets_basis"))
    return statement.add_columns(*(select(column).where(*pair).scalar_subquery().label(name) for column, name in columns))


LAYER = Layer(
    name="rent-index",
    title="Rental price index",
    title_zh="租金价格指数",
    description=(
        "The rental price index of the newest published release, one feature for each area and use: the newest quarter, or that of "
        "`datetime`. The first quarter is 100. By the month it is read from /v1/rents/index"
    ),
    properties=(
        *AREA,
        Property("value", "number", "Index of all leases, the first quarter being 100", "全部租赁指数（首季=100）"),
        Property("low", "number", "Lower limit of its interval of 95 %", "95% 区间下限"),
        Property("high", "number", "Upper limit of its interval of 95 %", "95% 区间上限"),
        Property("new_lets", "number", "Index of new lets alone", "新签租赁指数"),
        Property("new_lets_basis", "string", "What that rests on", "新签租赁指数依据", terms=BASES),
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
        "Index, the first quarter being 100",
        "指数（首季=100）",
        dict.fromkeys(("residential", "shop", "office", "plant", "warehouse"), (90, 100, 105, 110)),
        ("#2c7bb6", "#abd9e9", "#ffffbf", "#fdae61", "#d7191c"),
    ),
)
