"""Rows to GeoJSON in one statement: PostgreSQL builds the text, Python forwards it.

A layer is a SELECT with a unique, indexed column `id`, a geometry `geom` (EPSG:4490, may be NULL) and at most fifty others, which
become the properties under their names. Pages are read by keyset: the next begins after the last id, never at an offset.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, FromClause, Select, Text, cast, func, literal, literal_column, select, true, union_all
from sqlalchemy.dialects.postgresql import aggregate_order_by

from geo.bbox import Box
from geo.predicates import intersects_box, intersects_box_without_index

Layer = Select[*tuple[Any, ...]]

DIGITS: Final = 7
"""Decimals of a degree in GeoJSON: a centimetre."""

NO_CRS: Final = 0
"""Option of ST_AsGeoJSON, which by default writes a `crs` member into every geometry."""

DENSE: Final = 20_000
"""Features in a box from which walking the ids in order finds a page sooner than collecting and sorting what the box holds."""


def page(layer: Layer, *, limit: int, after: object = None, box: Box | None = None, dense: int = DENSE) -> Select[str, Any, int, bool]:
    """A page of the layer's features, ordered by id: at most `limit`, beginning after the id `after`, those that meet `box`.

    The statement gives one row: `features`, a JSON array as text; `last_id`, None on an empty page; `number_returned`; `more`,
    whether another page follows. `dense` only decides how the box is searched. Raises ValueError for a limit below 1.
    """
    if limit < 1:
        raise ValueError("a page has at least one feature")
    # One more than asked tells whether another page follows; it is counted, not built.
    chosen = _chosen(layer, limit + 1, after, box, dense).cte("chosen")
    shown = layer.subquery("shown")
    numbered = select(chosen.c.id, func.row_number().over(order_by=chosen.c.id).label("place")).cte("numbered")
    kept = numbered.c.place <= limit
    texts = func.string_agg(_feature(shown), aggregate_order_by(literal_column("','", Text), numbered.c.id)).filter(kept)
    last = select(numbered.c.id).where(kept).order_by(numbered.c.id.desc()).limit(1).scalar_subquery()
    return select(
        (literal_column("'['", Text) + func.coalesce(texts, "", type_=Text) + literal_column("']'", Text)).label("features"),
        last.label("last_id"),
        func.count().filter(kept).label("number_returned"),
        (func.count() > limit).label("more"),
    ).select_from(numbered.join(shown, shown.c.id == numbered.c.id))


def feature(layer: Layer, identifier: object) -> Select[str]:
    """The layer's feature with this id as GeoJSON text: one row, or none."""
    shown = layer.subquery("shown")
    return select(_feature(shown).label("feature")).where(shown.c.id == identifier)


def feature_collection(features: str | bytes, members: Mapping[str, object]) -> bytes:
    """A FeatureCollection around the array that `page` built, with further members (links, numberReturned, timeStamp) before it."""
    array = features.encode() if isinstance(features, str) else features
    head = orjson.dumps({"type": "FeatureCollection", **members})
    return head[:-1] + b',"features":' + array + b"}"


def _chosen(layer: Layer, count: int, after: object, box: Box | None, dense: int) -> Select[Any]:
    """The ids of the first `count` features after `after` in the box.

    Left alone, the planner walks the ids and tries the box on each row until the page is full, which in a small box is the whole
    table. So the box's ids are collected first, behind a fence, by the spatial index. But a client that pages through everything
    sends the whole district as its box; when the box turns out dense the collecting stops and the ids are walked after all.
    """
    rows = layer.subquery("rows")
    ids = select(rows.c.id)
    if after is not None:
        ids = ids.where(rows.c.id > after)
    if box is None:
        return ids.order_by(rows.c.id).limit(count)
    inside = ids.where(intersects_box(rows.c.geom, box))
    hits = inside.limit(literal_column(str(dense + 1))).cte("hits").prefix_with("MATERIALIZED", dialect="postgresql")
    density = select((func.count() > dense).label("dense")).select_from(hits).subquery("density")
    collected = select(hits.c.id).where(~select(density.c.dense).scalar_subquery()).order_by(hits.c.id).limit(count)
    # Lateral keeps the planner from starting parallel workers for a walk that is mostly not walked: 50 ms to no purpose.
    walk = ids.where(density.c.dense, intersects_box_without_index(rows.c.geom, box)).order_by(rows.c.id).limit(count)
    walked = walk.correlate(density).lateral("walked")
    either = union_all(
        select(collected.subquery("collected").c.id), select(walked.c.id).select_from(density.join(walked, true()))
    ).subquery("either")
    return select(either.c.id)


def _feature(row: FromClause) -> ColumnElement[str]:
    properties = [part for name, column in row.c.items() if name not in {"id", "geom"} for part in (literal(name, Text), column)]
    return (
        literal_column("""'{"type":"Feature","id":'""", Text)
        + cast(func.to_json(row.c.id), Text)
        + literal_column("""',"geometry":'""", Text)
        + func.coalesce(func.ST_AsGeoJSON(row.c.geom, DIGITS, NO_CRS), "null", type_=Text)
        + literal_column("""',"properties":'""", Text)
        + cast(func.json_build_object(*properties), Text)
        + literal_column("'}'", Text)
    )
