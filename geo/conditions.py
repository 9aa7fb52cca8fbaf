"""Checked filters as SQL conditions. A condition holds the shape of a filter; its values are bound under names, f0, f1, …

So filters that differ only in their values share one compiled statement, and no value ever stands in SQL text. What may be named is
decided before (geo/cql2.py): nothing here takes a name or an operator from a client.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Double,
    FromClause,
    Text,
    and_,
    bindparam,
    cast,
    collate,
    false,
    func,
    not_,
    or_,
    true,
)
from sqlalchemy.types import Boolean, TypeEngine

from geo.predicates import meets

Kind = Literal["string", "integer", "number", "boolean", "date"]

TYPES: Final[Mapping[str, TypeEngine[Any]]] = {
    "string": Text(),
    "integer": BigInteger(),
    "number": Double(),
    "boolean": Boolean(),
    "date": Date(),
}
"""How values of each kind are bound."""


@dataclass(frozen=True)
class Value:
    """A bound value. `folded`: compared without regard to upper and lower case."""

    name: str
    kind: Kind
    folded: bool = False


@dataclass(frozen=True)
class Named:
    """A column with scalar values."""

    name: str
    kind: Kind
    folded: bool = False


Scalar = Value | Named
Span = tuple[Scalar, Scalar]
"""First and last day; a single day is both."""


@dataclass(frozen=True)
class Constant:
    """True or false."""

    value: bool


@dataclass(frozen=True)
class Truth:
    """A column of truth values, by itself."""

    name: str


@dataclass(frozen=True)
class Missing:
    """Whether a column is NULL."""

    name: str


@dataclass(frozen=True)
class Comparison:
    """A column with one value (=, <>, <, <=, >, >=, like), two (between) or any number (in)."""

    operator: Literal["=", "<>", "<", "<=", ">", ">=", "like", "between", "in"]
    column: Named
    values: tuple[Value, ...]
    begins: tuple[Value, ...] = ()
    """For `like` with a fixed beginning: the least text that begins so and, where there is one, the first beyond."""


@dataclass(frozen=True)
class Spatial:
    """The geometry with a bound one, hexadecimal EWKB in degrees (EPSG:4490)."""

    operator: str
    value: str
    core: str | None = None
    """Where the bound one is a box, its core (geo/bbox.py)."""


@dataclass(frozen=True)
class Near:
    """The geometry within so many metres of a bound one."""

    around: str
    """A box that holds whatever may be near, in degrees (EPSG:4490)."""
    place: str
    """In metres (EPSG:4547)."""
    metres: str


@dataclass(frozen=True)
class Temporal:
    """One span of days with another."""

    operator: str
    first: Span
    second: Span


@dataclass(frozen=True)
class Negation:
    """Not."""

    part: "Node"


@dataclass(frozen=True)
class Junction:
    """All of the parts, or any."""

    operator: Literal["and", "or"]
    parts: tuple["Node", ...]


Node = Constant | Truth | Missing | Comparison | Spatial | Near | Temporal | Negation | Junction

SPATIAL: Final = {
    "s_intersects": "",
    "s_within": "ST_Within",
    "s_contains": "ST_Contains",
    "s_disjoint": "",
    "s_equals": "ST_Equals",
    "s_touches": "ST_Touches",
    "s_crosses": "ST_Crosses",
    "s_overlaps": "ST_Overlaps",
}
"""Spatial relations and PostGIS's functions. All but the first and s_disjoint imply that the boxes meet, which they state for the index."""

TEMPORAL: Final[dict[str, tuple[str, ...]]] = {
    "t_after": ("s1>e2",),
    "t_before": ("e1<s2",),
    "t_contains": ("s1<s2", "e1>e2"),
    "t_disjoint": (),
    "t_during": ("s1>s2", "e1<e2"),
    "t_equals": ("s1=s2", "e1=e2"),
    "t_finishedby": ("s1<s2", "e1=e2"),
    "t_finishes": ("s1>s2", "e1=e2"),
    "t_intersects": ("s1<=e2", "e1>=s2"),
    "t_meets": ("e1=s2",),
    "t_metby": ("s1=e2",),
    "t_overlappedby": ("s1>s2", "s1<e2", "e1>e2"),
    "t_overlaps": ("s1<s2", "e1>s2", "e1<e2"),
    "t_startedby": ("s1=s2", "e1>e2"),
    "t_starts": ("s1=s2", "e1<e2"),
}
"""What must hold between the starts and ends of two spans (OGC 21-065r2, 7.9)."""
OF_DAYS: Final = frozenset({"t_after", "t_before", "t_disjoint", "t_equals", "t_intersects"})
"""Those that say something of two days too; with the others, one side at least is an interval."""


def condition(node: Node, rows: FromClause) -> ColumnElement[bool]:
    """The condition on rows that have the filter's columns and `geom`."""
    match node:
        case Constant(value):
            return true() if value else false()
        case Truth(name):
            return rows.c[name]
        case Missing(name):
            return rows.c[name].is_(None)
        case Comparison():
            return _compared(node, rows)
        case Spatial():
            return _related(node, rows.c.geom)
        case Near():
            metric = func.ST_Transform(rows.c.geom, 4547)
            near = func.ST_DWithin(metric, _geometry(node.place), _bound(Value(node.metres, "number")), type_=Boolean)
            return and_(rows.c.geom.bool_op("&&")(_geometry(node.around)), near)
        case Temporal():
            return _timed(node, rows)
        case Negation(part):
            return not_(condition(part, rows).self_group())
        case Junction(operator, parts):
            return (and_ if operator == "and" else or_)(*(condition(part, rows) for part in parts))


def _compared(node: Comparison, rows: FromClause) -> ColumnElement[bool]:
    column, values = _scalar(node.column, rows), [_scalar(value, rows) for value in node.values]
    match node.operator:
        case "=":
            return column == values[0]
        case "<>":
            return column != values[0]
        case "in":
            return column.in_(values)
        case "like":
            begins = [_scalar(value, rows) for value in node.begins]
            bounds = [_ordered(node.column, column) >= begins[0]] if begins else []
            bounds += [_ordered(node.column, column) < last for last in begins[1:]]
            return and_(*bounds, column.like(values[0]))
        case "between":
            ordered = _ordered(node.column, column)
            return and_(ordered >= values[0], ordered <= values[1])
        case _:
            return _ordered(node.column, column).bool_op(node.operator)(values[0])


def _related(node: Spatial, column: ColumnElement[Any]) -> ColumnElement[bool]:
    other = _geometry(node.value)
    if node.operator == "s_intersects":
        return meets(column, other, None if node.core is None else _geometry(node.core))
    if node.operator == "s_disjoint":
        return not_(func.ST_Intersects(column, other, type_=Boolean))
    return and_(column.bool_op("&&")(other), getattr(func, SPATIAL[node.operator])(column, other, type_=Boolean))


def _timed(node: Temporal, rows: FromClause) -> ColumnElement[bool]:
    ends = {"s1": node.first[0], "e1": node.first[1], "s2": node.second[0], "e2": node.second[1]}
    days = {name: _scalar(end, rows) for name, end in ends.items()}
    if node.operator == "t_disjoint":
        return or_(days["e1"] < days["s2"], days["s1"] > days["e2"])
    return and_(*(days[rule[:2]].bool_op(rule[2:-2])(days[rule[-2:]]) for rule in TEMPORAL[node.operator]))


def _scalar(scalar: Scalar, rows: FromClause) -> ColumnElement[Any]:
    plain = rows.c[scalar.name] if isinstance(scalar, Named) else _bound(scalar)
    # Only ICU knows letters that fold to two: the upper case of ß is SS. The capital ẞ has no other, so lower case comes first.
    return func.lower(func.upper(func.lower(collate(plain, "und-x-icu"))), type_=Text) if scalar.folded else plain


def _bound(value: Value) -> ColumnElement[Any]:
    bound = bindparam(value.name, type_=TYPES[value.kind])
    # SQLAlchemy writes no type to a float, and PostgreSQL would read 1.5 as whatever stands beside it: an integer.
    return cast(bound, TYPES["number"]) if value.kind == "number" else bound


def _ordered(column: Named, plain: ColumnElement[Any]) -> ColumnElement[Any]:
    """Texts in the order of code points, wherever the database stands."""
    return collate(plain, "C") if column.kind == "string" else plain


def _geometry(name: str) -> ColumnElement[Any]:
    return func.geometry(bindparam(name, type_=Text))
