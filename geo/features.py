"""Rows to GeoJSON in one statement: PostgreSQL builds the text, Python forwards it.

Rows are anything to select from with a unique, indexed column `id`, a geometry `geom` (EPSG:4490, may be NULL) and properties. Pages
are read by keyset: the next begins after the key of the last row, never at an offset. Values may be bound parameters, so that a
statement is compiled once and used for every page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from geo.crs import LONLAT, Exchange

NO_CRS: Final = 0
"""Option of ST_AsGeoJSON, which by default writes a `crs` member into every geometry."""
DIGITS: Final = LONLAT.digits
"""Decimals of a degree in GeoJSON: a centimetre."""
DENSE: Final = 20_000
"""Rows that meet a condition from which walking the keys in order finds a page sooner than collecting and sorting them."""


Where = Callable[[FromClause], Sequence[ColumnElement[bool]]]
"""Conditions on whatever has the columns of the rows."""


@dataclass(frozen=True)
class Key:
    """A column that orders a page. NULL comes last in either direction."""

    name: str
    descending: bool = False


@dataclass(frozen=True)
class Look:
    """How a feature is told: which properties in which order, in which reference system, with its geometry or without."""

    properties: tuple[str, ...]
    exchange: Exchange = LONLAT
    geometry: bool = True


def page(
    rows: FromClause,
    look: Look,
    *,
    limit: ColumnElement[int],
    order: Sequence[Key] = (),
    after: Sequence[ColumnElement[Any] | None] | None = None,
    where: Where | None = None,
    walking: bool = False,
    dense: int = DENSE,
) -> Select[Any, str, int, bool]:
    """A page of features that meet all of `where`: at most `limit`, ordered by `order` and then by id, beginning after the key `after`.

    The statement gives one row: `features`, GeoJSON texts with commas between; `last`, the key of the last feature as a JSON array where
    another page may follow, and behind it whether that page had best be found `walking` (see `_collected`); `number_returned`; `more`,
    whether another page follows. A key holds a value for each of `order` and the id, None for NULL.
    """
    keys = (*order, Key("id"))
    beyond = () if after is None else (_beyond(rows, keys, after),)
    names = list(dict.fromkeys(("id", "geom", *(key.name for key in keys), *look.properties)))
    many: ColumnElement[bool] = true() if walking else false()
    # One more than asked tells whether another page follows; it is counted, not built.
    if where is None or order:
        met = () if where is None else where(rows)
        chosen = select(*(rows.c[name] for name in names)).where(*beyond, *met).order_by(*sorting(rows, keys)).limit(limit + 1)
    elif walking:
        chosen = _walked(rows, names, beyond, where, count=limit + 1)
    else:
        chosen, many = _collected(rows, names, beyond, where, count=limit + 1, dense=dense)
    numbered = _numbered(chosen.subquery("chosen"), keys)
    kept = numbered.c.place <= limit
    last = func.json_build_array(*(numbered.c[key.name] for key in keys), many)
    return select(
        func.coalesce(func.string_agg(feature(numbered, look), literal_column("','", Text)).filter(kept), "", type_=Text).label("features"),
        cast(func.max(cast(last, Text)).filter(numbered.c.place == limit), Text).label("last"),
        func.count().filter(kept).label("number_returned"),
        (func.count() > limit).label("more"),
    ).select_from(numbered)


def feature(row: FromClause, look: Look) -> ColumnElement[str]:
    """A row as the text of a GeoJSON feature."""
    place = geometry(row.c.geom, look.exchange) if look.geometry else literal_column("'null'", Text)
    return (
        literal_column("""'{"type":"Feature","id":'""", Text)
        + cast(func.to_json(row.c.id), Text)
        + literal_column("""',"geometry":'""", Text)
        + place
        + literal_column("""',"properties":'""", Text)
        + properties(row, look.properties)
        + literal_column("'}'", Text)
    )


def geometry(column: ColumnElement[Any], exchange: Exchange) -> ColumnElement[str]:
    """The text of a GeoJSON geometry in a reference system, its axes in the authority's order; `null` where there is none."""
    moved = column if exchange.degrees else func.ST_Transform(column, literal_column(str(exchange.srid), Integer))
    turned = func.ST_FlipCoordinates(moved) if exchange.swapped else moved
    text = func.ST_AsGeoJSON(turned, literal_column(str(exchange.digits), Integer), literal_column(str(NO_CRS), Integer))
    return func.coalesce(text, literal_column("'null'", Text), type_=Text)


def properties(row: FromClause, names: Sequence[str]) -> ColumnElement[str]:
    """The text of a JSON object of columns. `row_to_json` of a row needs a third of what json_build_object does."""
    if not names:
        return literal_column("'{}'", Text)
    inner = select(*(row.c[name] for name in names)).correlate(row).subquery("told")
    return cast(func.row_to_json(select(inner.table_valued()).scalar_subquery()), Text)


def sorting(rows: FromClause, keys: Sequence[Key]) -> list[ColumnElement[Any]]:
    """The order of a page: NULL last, and by id at the end where `keys` end so."""
    return [
        (rows.c[key.name].desc() if key.descending else rows.c[key.name]).nulls_last() if key.name != "id" else rows.c.id for key in keys
    ]


def feature_collection(features: bytes, members: Mapping[str, object]) -> bytes:
    """A FeatureCollection around the texts that `page` built, with further members (links, numberReturned) before it."""
    return orjson.dumps({"type": "FeatureCollection", **members})[:-1] + b',"features":[' + features + b"]}"


def _numbered(chosen: FromClause, keys: Sequence[Key]) -> FromClause:
    """The rows in their order with their place in it."""
    order = sorting(chosen, keys)
    return select(*chosen.c, func.row_number().over(order_by=order).label("place")).order_by(*order).subquery("numbered")


def _collected(
    rows: FromClause, told: Sequence[str], after: Sequence[ColumnElement[bool]], where: Where, *, count: ColumnElement[int], dense: int
) -> tuple[Select[Any], ColumnElement[bool]]:
    """The first rows by id that meet conditions, and whether more than `dense` meet them.

    Left alone, the planner walks the ids and tries the conditions on each row until the page is full, which for a small box is the
    whole table. So what meets the conditions is collected first, behind a fence, by the spatial or whatever index. But a client that
    pages through everything sends the whole district as its box; when what meets the conditions turns out dense, the collecting
    stops and the ids are walked after all, and so they are at once for the pages that follow.
    """
    columns = [rows.c[name] for name in told]
    hits = select(*columns).where(*after, *where(rows)).limit(literal_column(str(dense + 1), Integer)).cte("hits")
    hits = hits.prefix_with("MATERIALIZED", dialect="postgresql")
    many = exists(select(literal_column("1")).select_from(hits).offset(literal_column(str(dense))))
    first = select(*(hits.c[name] for name in told)).where(~many).order_by(hits.c.id).limit(count).subquery("first")
    walked = _walked(rows, told, (many, *after), where, count=count).subquery("walked")
    return select(union_all(select(first), select(walked)).subquery("either")), many


def _walked(
    rows: FromClause, told: Sequence[str], after: Sequence[ColumnElement[bool]], where: Where, *, count: ColumnElement[int]
) -> Select[*tuple[Any, ...]]:
    """The same by walking the ids."""
    # OFFSET 0 keeps the conditions out of the walk, so that the planner takes no other index for it.
    walk = select(*rows.c).where(*after).order_by(rows.c.id).offset(literal_column("0")).subquery("walk")
    return select(*(walk.c[name] for name in told)).where(*where(walk)).limit(count)


def _beyond(rows: FromClause, keys: Sequence[Key], after: Sequence[ColumnElement[Any] | None]) -> ColumnElement[bool]:
    """Whether a row comes after the key: greater in one column and equal in all before it."""
    cases: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for key, value in zip(keys, after, strict=True):
        column = rows.c[key.name]
        if value is None:  # nothing comes after NULL but what is NULL too
            equal.append(column.is_(None))
            continue
        greater = column < value if key.descending else column > value
        cases.append(and_(*equal, greater if key.name == "id" else or_(greater, column.is_(None))))
        equal.append(column == value)
    return or_(*cases) if cases else false()
