"""What is asked of a layer, and the statement for it: compiled once for each manner of asking, whatever the values."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    FromClause,
    Integer,
    Text,
    Uuid,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.types import TypeEngine

from geo.conditions import TYPES
from geo.cql2 import Filter
from geo.features import Key, Look, Where, feature, page
from geo.predicates import meets
from gridmgmt.history.beliefs import today
from gridmgmt.layers import LAYERS
from gridmgmt.layers.layer import Layer
from gridmgmt.reads import Template

MOMENT: Final = bindparam("moment", type_=DateTime(timezone=True))

WHOLE: Final = "district"
"""The class that sees all of the tables. The planner knows them whole, so its guess would tell any other of rows that are not theirs."""

Period = tuple[dt.date | None, dt.date | None]
"""First and last day; None where it is open."""
EVER: Final[Period] = (None, None)


@dataclass(frozen=True)
class Selection:
    """Which features are wanted, without the values: those are bound to the template under the names in brackets."""

    layer: str
    look: Look
    then: bool = False
    """As it was believed at [moment]."""
    since: bool = False
    """In force on [since] or later; with none of this, `until` and `ever`, in force on the day."""
    until: bool = False
    """In force on [until] or before."""
    ever: bool = False
    """Of whatever period."""
    boxes: int = 0
    """Meets one of [box0], [box1], whose cores (geo/bbox.py) are [core0], [core1]: geometries in degrees, EPSG:4490, as EWKB."""
    equal: tuple[str, ...] = ()
    """Properties that equal [p0], [p1], …"""
    filter: Filter | None = None
    """Meets a filter with its values [f0], [f1], …"""
    order: tuple[Key, ...] = ()
    after: tuple[bool, ...] | None = None
    """Begins after the key [a0], [a1], …: whether each of its values is there, or NULL."""
    walking: bool = False
    """So much meets box and filter that their index is of no use: the page before found that out."""


@lru_cache(maxsize=500)
def page_of(selection: Selection) -> Template:
    """The statement of `geo.features.page` for at most [limit] features."""
    layer = LAYERS[selection.layer]
    after = None if selection.after is None else _key(layer, selection)
    where = conditions(selection)
    statement = page(
        rows_of(selection),
        selection.look,
        limit=bindparam("limit", type_=Integer),
        order=selection.order,
        after=after,
        where=where,
        walking=selection.walking,
    )
    return Template.of(statement, kept=where is None and not selection.order)


@lru_cache(maxsize=500)
def count_of(selection: Selection) -> Template:
    """The statement for the number of features, of whatever page."""
    rows, where = rows_of(selection), conditions(selection)
    return Template.of(select(func.count()).select_from(rows).where(*(() if where is None else where(rows))))


@lru_cache(maxsize=500)
def estimate_of(selection: Selection) -> Template:
    """What the planner takes the number of features to be, as the JSON of EXPLAIN; nothing is read for it."""
    rows, where = rows_of(selection), conditions(selection)
    counted = Template.of(select(rows.c.id).where(*(() if where is None else where(rows))))
    return replace(counted, text=b"EXPLAIN (FORMAT JSON) " + counted.text)


@lru_cache(maxsize=200)
def feature_of(selection: Selection) -> Template:
    """The statement for the text of the feature with the [id]: one row, or none."""
    layer, rows = LAYERS[selection.layer], rows_of(selection, few=True)
    statement = select(feature(rows, selection.look), rows.c.version).where(rows.c.id == bindparam("id", type_=_id_type(layer)))
    return Template.of(statement, kept=True)


def rows_of(selection: Selection, *, few: bool = False) -> FromClause:
    """The layer's rows in the wanted period. `few`: an index finds the wanted ones whatever the planner thinks of the day."""
    layer = LAYERS[selection.layer]
    first, last = days(selection, few=few)
    moment: Any = MOMENT if selection.then else None
    rows = layer.rows(moment) if layer.rows_on is None or not selection.until or last is None else layer.rows_on(moment, last)
    columns = rows.selected_columns
    begins, ends = (None if name is None else columns[name] for name in layer.period)
    if begins is not None and last is not None:
        rows = rows.where(begins <= last)
    if ends is not None and first is not None:
        rows = rows.where(or_(ends.is_(None), ends > first))
    return rows.subquery("rows")


def days(selection: Selection, *, few: bool = False) -> tuple[ColumnElement[Any] | None, ColumnElement[Any] | None]:
    """The first and the last day of the wanted period; None where it is open.

    The day asked once a statement costs less than for each row. But the planner counts that cost: without it, walking the whole table
    in the order of the key looks cheap, even for a worker who sees two grids of it.
    """
    if selection.since or selection.until or selection.ever:
        return (
            bindparam("since", type_=Date) if selection.since else None,
            bindparam("until", type_=Date) if selection.until else None,
        )
    day = func.date(func.timezone("Asia/Shanghai", MOMENT)) if selection.then else today() if few else func.reg.today(type_=Date)
    return day, day


def conditions(selection: Selection) -> Where | None:
    """The conditions besides the period; None without any."""
    if not (selection.boxes or selection.equal or selection.filter):
        return None
    layer = LAYERS[selection.layer]
    named = {one.name: one for one in layer.properties}

    def where(rows: FromClause) -> Sequence[ColumnElement[bool]]:
        boxes, cores = ([func.geometry(bindparam(f"{of}{n}", type_=Text)) for n in range(selection.boxes)] for of in ("box", "core"))
        each = (meets(rows.c.geom, box, core) for box, core in zip(boxes, cores, strict=True))
        met: list[ColumnElement[bool]] = [or_(*each)] if boxes else []
        met += [rows.c[name] == bindparam(f"p{place}", type_=TYPES[named[name].kind]) for place, name in enumerate(selection.equal)]
        return met if selection.filter is None else [*met, selection.filter(rows)]

    return where


def queryables(layer: Layer) -> dict[str, str]:
    """What a filter may name, and of which kind: a property's, or `geometry`."""
    return {"geometry": "geometry"} | {one.name: one.kind for one in layer.properties}


def _key(layer: Layer, selection: Selection) -> list[ColumnElement[Any] | None]:
    assert selection.after is not None
    named = {one.name: one for one in layer.properties}
    types = [*(TYPES[named[key.name].kind] for key in selection.order), _id_type(layer)]
    there = zip(selection.after, types, strict=True)
    return [bindparam(f"a{place}", type_=type_) if given else None for place, (given, type_) in enumerate(there)]


def _id_type(layer: Layer) -> TypeEngine[Any]:
    return Integer() if layer.id_type == "integer" else Uuid()
