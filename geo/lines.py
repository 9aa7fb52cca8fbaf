"""Rows to lines of text for whole layers: GeoJSON text sequences (RFC 8142), CSV, and the lines from which geo/writing.py makes files.

As in geo/features.py, PostgreSQL builds the text and Python forwards it. Rows are what is said there.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Integer, Numeric, Text, case, cast, func, literal_column, or_

from geo.crs import Exchange
from geo.features import Look, feature

RECORD_SEPARATOR: Final = "E'\\x1e'"
NEWLINE: Final = "E'\\n'"
FORMULA_STARTS: Final = ("'='", "'+'", "'-'", "'@'", "E'\\t'", "E'\\r'")
"""A spreadsheet runs a cell that begins so."""
CSV_PLACE: Final = ("longitude", "latitude", "WKT")
"""The last columns of a CSV line: a point in each shape in degrees, and the shape."""


def sequence_line(row: FromClause, look: Look) -> ColumnElement[str]:
    """A feature after a record separator, its axes in the authority's order as in any GeoJSON of ours."""
    return literal_column(RECORD_SEPARATOR, Text) + feature_line(row, look)


def feature_line(row: FromClause, look: Look) -> ColumnElement[str]:
    """A feature on a line of its own, its axes in the authority's order."""
    return feature(row, look) + literal_column(NEWLINE, Text)


def csv_line(row: FromClause, look: Look, texts: Sequence[str]) -> ColumnElement[str]:
    """A line of CSV (RFC 4180): id, properties, longitude, latitude, and WKT with its axes in the authority's order.

    `texts` names the properties that hold text: those stand in quotation marks and are no formula to a spreadsheet.
    """
    cells = [_plain(row.c.id), *(_quoted(row.c[name]) if name in texts else _plain(row.c[name]) for name in look.properties)]
    point = func.ST_PointOnSurface(row.c.geom)
    degrees = [_plain(func.round(cast(side(point), Numeric), _number(7))) for side in (func.ST_X, func.ST_Y)]
    placed = _placed(row.c.geom, look.exchange)
    turned = func.ST_FlipCoordinates(placed) if look.exchange.swapped else placed
    shape = _marked(func.ST_AsText(turned, _number(look.exchange.digits)))
    line: ColumnElement[str] = func.concat_ws(literal_column("','", Text), *cells, *degrees, shape, type_=Text)
    return line + literal_column("E'\\r\\n'", Text)


def table_line(row: FromClause, look: Look) -> ColumnElement[str]:
    """A JSON array on a line: id, properties, and the geometry as hexadecimal WKB, easting or longitude first."""
    shape = func.encode(func.ST_AsBinary(_placed(row.c.geom, look.exchange)), literal_column("'hex'", Text))
    values = func.json_build_array(row.c.id, *(row.c[name] for name in look.properties), shape)
    return cast(values, Text) + literal_column(NEWLINE, Text)


def _plain(column: ColumnElement[Any]) -> ColumnElement[str]:
    return func.coalesce(cast(column, Text), literal_column("''", Text), type_=Text)


def _quoted(column: ColumnElement[Any]) -> ColumnElement[str]:
    text = cast(column, Text)
    starts = or_(*(func.left(text, _number(1)) == literal_column(start, Text) for start in FORMULA_STARTS))
    return _marked(case((starts, literal_column("''''", Text) + text), else_=text))


def _marked(text: ColumnElement[str]) -> ColumnElement[str]:
    mark, two = literal_column("'\"'", Text), literal_column("'\"\"'", Text)
    return func.coalesce(mark + func.replace(text, mark, two, type_=Text) + mark, literal_column("''", Text), type_=Text)


def _placed(column: ColumnElement[Any], exchange: Exchange) -> ColumnElement[Any]:
    return column if exchange.degrees else func.ST_Transform(column, _number(exchange.srid))


def _number(number: int) -> ColumnElement[int]:
    return literal_column(str(number), Integer)
