"""Filters in CQL2 (OGC 21-065r2), as text or as JSON: only what is listed can be named, and every value is bound.

Taken: and, or, not; =, <>, <, <=, >, >=, like, between, in, isNull between a property and values of its type, in either order;
casei around texts; the spatial relations of the standard and dwithin (metres, EPSG:4547); its temporal relations on days. Refused,
with the name or the place: everything else, such as arithmetic, other functions, and properties that are not queryable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from sqlalchemy import ColumnElement, FromClause

from geo.conditions import (
    OF_DAYS,
    SPATIAL,
    TEMPORAL,
    Comparison,
    Constant,
    Junction,
    Kind,
    Missing,
    Named,
    Near,
    Negation,
    Node,
    Span,
    Spatial,
    Temporal,
    Truth,
    Value,
    condition,
)
from geo.cql2_literals import (
    INFINITE,
    LiteralError,
    beginning,
    read_collection,
    read_day,
    read_distance,
    read_place,
    read_scalar,
    surroundings,
)
from geo.cql2_text import DEEPEST, CQL2SyntaxError, parse_text
from geo.crs import LONLAT, Exchange
from geo.geometry import is_list, is_object

LONGEST: Final = 65_536
"""Characters of a filter."""
MOST_NODES: Final = 100
"""Conditions and their combinations in a filter."""
MOST_LISTED: Final = 1_000
"""Values after `in`."""

Language = Literal["cql2-text", "cql2-json"]
Values = dict[str, str | int | float | bool]

_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
_REVERSED: Final = {"s_within": "s_contains", "s_contains": "s_within"}
_SINGLE: Final = {"dwithin", "s_dwithin"}


class FilterError(ValueError):
    """A filter that cannot be used; the message is one line that names what is wrong."""


@dataclass(frozen=True)
class Filter:
    """A checked filter without its values: hashable, and the same for all that differ in values only."""

    node: Node

    def __call__(self, rows: FromClause) -> ColumnElement[bool]:
        """The condition on rows that have the queryables as columns, the geometry as `geom`."""
        return condition(self.node, rows)


def read_filter(
    text: str, queryables: Mapping[str, str], *, language: Language = "cql2-text", exchange: Exchange = LONLAT
) -> tuple[Filter, Values]:
    """A filter and its values by the names under which they are bound: f0, f1, …

    `queryables` says for each name string, integer, number, boolean, date or geometry; coordinates are in `exchange`, in the order of
    its axes. Raises FilterError.
    """
    if not text.strip():
        raise FilterError("is empty")
    if len(text) > LONGEST:
        raise FilterError(f"is longer than {LONGEST:,} characters")
    reader = _Reader(queryables, exchange)
    try:
        return Filter(reader.truth(_decode(text, language), 0)), reader.values
    except (CQL2SyntaxError, LiteralError) as error:
        raise FilterError(str(error)) from None


def _decode(text: str, language: Language) -> Any:
    if language == "cql2-text":
        return parse_text(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FilterError(f"is not JSON: {error}") from None


class _Reader:
    """Turns the objects of CQL2 JSON into nodes, and puts values aside under names."""

    def __init__(self, queryables: Mapping[str, str], exchange: Exchange) -> None:
        self._queryables = queryables
        self._exchange = exchange
        self._nodes = 0
        self.values: Values = {}

    def truth(self, told: Any, depth: int) -> Node:
        """Something that is true or false of a feature."""
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise FilterError(f"has more than {MOST_NODES} conditions")
        if depth > DEEPEST:
            raise FilterError(f"is nested more than {DEEPEST} deep")
        if isinstance(told, bool):
            return Constant(told)
        if _is_property(told):
            name, kind = self._queryable(told)
            if kind != "boolean":
                raise FilterError(f"{name} is not true or false; compare it with a value")
            return Truth(name)
        operator, arguments = _operation(told)
        match operator:
            case "and" | "or":
                _count(operator, arguments, 2, LONGEST)
                return Junction(operator, tuple(self.truth(part, depth + 1) for part in arguments))
            case "not":
                _count(operator, arguments, 1)
                return Negation(self.truth(arguments[0], depth + 1))
            case "isnull":
                _count("isNull", arguments, 1)
                name, kind = self._queryable(arguments[0])
                return Missing("geom" if kind == "geometry" else name)
            case "=" | "<>" | "<" | "<=" | ">" | ">=":
                return self._comparison(operator, arguments)
            case "like" | "between" | "in":
                return self._test(operator, arguments)
            case _ if operator in SPATIAL:
                return self._spatial(operator, arguments)
            case _ if operator in _SINGLE:
                return self._near(operator, arguments)
            case _ if operator in TEMPORAL:
                _count(operator, arguments, 2)
                if not any(_names_property(one) for one in arguments):
                    raise FilterError(f"{operator} takes at least one property")
                if operator not in OF_DAYS and not any(is_object(one) and "interval" in one for one in arguments):
                    raise FilterError(f"{operator} takes an interval, as in INTERVAL('2024-01-01', '..')")
                return Temporal(operator, self._span(operator, arguments[0]), self._span(operator, arguments[1]))
            case "+" | "-" | "*" | "/" | "^" | "%" | "div":
                raise FilterError("arithmetic is not taken")
            case _:
                raise FilterError(f"there is no operator or function {operator[:60]!r} here")

    def _comparison(self, operator: Any, arguments: list[Any]) -> Comparison:
        _count(operator, arguments, 2)
        left, right = arguments
        if _is_property(_unfolded(right)) and not _is_property(_unfolded(left)):
            left, right, operator = right, left, _TURNED[operator]
        column = self._column(left, operator)
        if column.kind == "boolean" and operator not in {"=", "<>"}:
            raise FilterError(f"{column.name} is true or false; {operator} does not apply")
        return Comparison(operator, column, (self._value(column, right),))

    def _test(self, operator: Any, arguments: list[Any]) -> Comparison:
        _count(operator, arguments, 3 if operator == "between" else 2)
        column = self._column(arguments[0], operator)
        if operator == "between":
            if column.kind == "boolean":
                raise FilterError(f"{column.name} is true or false; between does not apply")
            return Comparison(operator, column, tuple(self._value(column, one) for one in arguments[1:]))
        if operator == "in":
            listed = arguments[1]
            if not is_list(listed) or not 1 <= len(listed) <= MOST_LISTED:
                raise FilterError(f"in takes a list of 1 to {MOST_LISTED:,} values")
            return Comparison(operator, column, tuple(self._value(column, one) for one in listed))
        if column.kind != "string":
            raise FilterError(f"like takes texts; {column.name} is of type {column.kind}")
        pattern = self._value(column, arguments[1])
        begins = beginning(str(self.values[pattern.name]))
        folded = column.folded or pattern.folded
        return Comparison(operator, column, (pattern,), () if folded else tuple(self._keep(one, "string") for one in begins))

    def _spatial(self, operator: str, arguments: list[Any]) -> Node:
        _count(operator, arguments, 2)
        place, turned = self._place(operator, arguments)
        name = _REVERSED.get(operator, operator) if turned else operator
        if not (is_object(place) and place.get("type") == "GeometryCollection"):
            return self._related(name, place)
        parts = place.get("geometries")
        if not is_list(parts) or not 1 <= len(parts) <= MOST_NODES:
            raise FilterError(f"a collection of geometries has 1 to {MOST_NODES} parts")
        if operator not in {"s_intersects", "s_disjoint"}:
            shape = read_collection(operator, parts, self._exchange)
            return Spatial(name, self._keep(shape.wkb_hex(), "string").name)
        return Junction("or" if name == "s_intersects" else "and", tuple(self._related(name, part) for part in parts))

    def _related(self, operator: str, place: Any) -> Spatial:
        shape, core = read_place(place, self._exchange)
        value = self._keep(shape.wkb_hex(), "string").name
        return Spatial(operator, value, self._keep(core, "string").name if core is not None and operator == "s_intersects" else None)

    def _near(self, operator: str, arguments: list[Any]) -> Near:
        _count(operator, arguments, 3, 4)
        place, _ = self._place(operator, arguments[:2])
        metres = read_distance(arguments[2], arguments[3] if len(arguments) == 4 else "m")
        shape, _ = read_place(place, self._exchange)
        metric, around = surroundings(shape, metres)
        return Near(self._keep(around, "string").name, self._keep(metric, "string").name, self._keep(metres, "number").name)

    def _place(self, operator: str, arguments: list[Any]) -> tuple[Any, bool]:
        """The geometry that is given, and whether it stands before the property."""
        turned = not _is_property(arguments[0])
        told, place = reversed(arguments) if turned else arguments
        if _is_property(place):
            raise FilterError(f"{operator} compares a property with a geometry that is given, not with another property")
        name, kind = self._queryable(told)
        if kind != "geometry":
            raise FilterError(f"{operator} takes a geometry; {name} is of type {kind}")
        return place, turned

    def _span(self, operator: str, told: Any) -> Span:
        if not (is_object(told) and "interval" in told):
            day = self._day(operator, told)
            return day, day
        ends = told["interval"]
        if len(told) != 1 or not is_list(ends) or len(ends) != 2:
            raise FilterError("an interval has a first and a last day")
        kept = [self._keep(INFINITE[place], "date") if end == ".." else self._day(operator, end) for place, end in enumerate(ends)]
        first, last = (self.values.get(end.name) if isinstance(end, Value) else None for end in kept)
        if first is not None and last is not None and first not in INFINITE and last not in INFINITE and str(first) > str(last):
            raise FilterError("an interval ends before it begins")
        return kept[0], kept[1]

    def _day(self, operator: str, told: Any) -> Named | Value:
        if _is_property(told):
            column = self._column(told, operator)
            if column.kind != "date":
                raise FilterError(f"{operator} takes days; {column.name} is of type {column.kind}")
            return column
        return self._keep(read_day(told, bare=True), "date")

    def _column(self, told: Any, operator: str) -> Named:
        inner = _unfolded(told)
        if not _is_property(inner):
            if is_object(inner) and isinstance(inner.get("op"), str):
                raise FilterError(f"there is no function {inner['op'][:60]!r} here")
            raise FilterError(f"{operator} takes a property and values")
        name, kind = self._queryable(inner)
        if kind == "geometry":
            raise FilterError(f"{operator} does not apply to a geometry")
        if inner is not told and kind != "string":
            raise FilterError(f"casei takes texts; {name} is of type {kind}")
        return Named(name, kind, folded=inner is not told)  # pyright: ignore[reportArgumentType] -- geometry is out

    def _value(self, column: Named, told: Any) -> Value:
        inner = _unfolded(told)
        if inner is not told and column.kind != "string":
            raise FilterError(f"casei takes texts; {column.name} is of type {column.kind}")
        if _is_property(inner):
            raise FilterError(f"{column.name} is compared with a value, not with another property")
        kind, value = read_scalar(column.name, column.kind, inner)
        return self._keep(value, kind, folded=inner is not told)

    def _keep(self, value: str | float, kind: Kind, *, folded: bool = False) -> Value:
        name = f"f{len(self.values)}"
        self.values[name] = value
        return Value(name, kind, folded)

    def _queryable(self, told: Any) -> tuple[str, str]:
        name = told.get("property") if _is_property(told) else None
        if not isinstance(name, str):
            raise FilterError("a property is expected in place of a value")
        kind = self._queryables.get(name)
        if kind is None:
            raise FilterError(f"there is no property {name[:60]!r}; there are {', '.join(self._queryables)}")
        return name, kind


def _operation(told: Any) -> tuple[str, list[Any]]:
    if not is_object(told):
        raise FilterError("a condition is expected in place of a value")
    operator, arguments = told.get("op"), told.get("args")
    if not isinstance(operator, str) or not is_list(arguments) or len(told) != 2:
        raise FilterError("a condition has an op and args")
    return operator.lower(), list(arguments)


def _count(operator: str, arguments: list[Any], least: int, most: int | None = None) -> None:
    if not least <= len(arguments) <= (most or least):
        raise FilterError(f"{operator} takes {least}{'' if most is None else ' or more'} arguments, not {len(arguments)}")


def _unfolded(told: Any) -> Any:
    """What stands in casei(…); anything else as it is."""
    if is_object(told) and isinstance(told.get("op"), str) and told["op"].lower() == "casei":
        arguments = told.get("args")
        if not is_list(arguments) or len(arguments) != 1:
            raise FilterError("casei takes one text")
        return arguments[0]
    return told


def _is_property(told: Any) -> bool:
    return is_object(told) and len(told) == 1 and "property" in told


def _names_property(told: Any) -> bool:
    ends = told.get("interval") if is_object(told) else None
    return _is_property(told) or (is_list(ends) and any(_is_property(end) for end in ends))
