"""A whole layer, or all of it that meets what is asked, line after line."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, Literal

from sqlalchemy import ColumnElement, FromClause, Integer, Select, bindparam, literal, select

from geo.features import Key, Look, sorting
from geo.lines import CSV_PLACE, csv_line, feature_line, sequence_line, table_line
from gridmgmt.layers import LAYERS
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.selection import Selection, conditions, rows_of
from gridmgmt.reads import Template

Form = Literal["sequence", "feature", "csv", "table"]
NOTICE: Final = "notice"
"""The property that says 演示数据 in demo mode."""


@lru_cache(maxsize=200)
def lines_of(selection: Selection, form: Form, notice: str | None = None) -> Template:
    """`statement_of`, compiled once."""
    return Template.of(statement_of(selection, form, notice))


def statement_of(selection: Selection, form: Form, notice: str | None = None) -> Select[str]:
    """The statement for the lines of geo/lines.py: at most [limit] in the selection's order and then by id, all of them for NULL.

    With a `notice`, each feature has it as a property.
    """
    layer, where = LAYERS[selection.layer], conditions(selection)
    rows, look = rows_of(selection), selection.look
    keys = (*selection.order, Key("id"))
    chosen = select(*rows.c, *(() if notice is None else (literal(notice).label(NOTICE),)))
    chosen = chosen.where(*(() if where is None else where(rows))).order_by(*sorting(rows, keys)).limit(bindparam("limit", type_=Integer))
    told = chosen.subquery("told")
    if notice is not None:
        look = replace(look, properties=(*look.properties, NOTICE))
    return select(_line(told, look, form, _texts(layer))).order_by(*sorting(told, keys))


def fields_of(selection: Selection, notice: str | None = None) -> tuple[tuple[str, str], ...]:
    """Name and kind of every column of a file: the id, the properties, and the notice where there is one."""
    layer = LAYERS[selection.layer]
    kinds = {one.name: one.kind for one in layer.properties}
    first = ("id", "integer" if layer.id_type == "integer" else "string")
    last = () if notice is None else ((NOTICE, "string"),)
    return (first, *((name, kinds[name]) for name in selection.look.properties), *last)


def heading_of(selection: Selection, notice: str | None = None) -> bytes:
    """The first line of CSV."""
    names = (*(name for name, _ in fields_of(selection, notice)), *CSV_PLACE)
    return ",".join(names).encode() + b"\r\n"


def _texts(layer: Layer) -> tuple[str, ...]:
    return (*(one.name for one in layer.properties if one.kind == "string"), NOTICE)


def _line(row: FromClause, look: Look, form: Form, texts: Sequence[str]) -> ColumnElement[str]:
    match form:
        case "sequence":
            return sequence_line(row, look)
        case "feature":
            return feature_line(row, look)
        case "csv":
            return csv_line(row, look, texts)
        case "table":
            return table_line(row, look)
