"""The values that a CQL2 filter may hold: texts, numbers, truth values, days, geometries and distances, each checked and bounded."""

import datetime as dt
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.bbox import BBoxError, Box, parse_bbox
from geo.conditions import Kind
from geo.crs import EXCHANGES, METRIC, MOST_STEPS, STORAGE, Exchange, in_degrees, reproject
from geo.geometry import DEPTHS, MAX_VERTICES, GeometryError, build, check, is_list, is_object

DISTRICT: Final = ZoneInfo("Asia/Shanghai")
INFINITE: Final = ("-infinity", "infinity")
"""The days before all and after all, as PostgreSQL writes them: the open ends of an interval."""
LONGEST_TEXT: Final = 1_000
LARGEST: Final = 2**63 - 1
EXACT: Final = 2**53
"""Whole numbers up to here are the same as floats."""
MOST_VERTICES: Final = MAX_VERTICES + MOST_STEPS
"""Of those that are sent, and of those that follow their long sides."""
FARTHEST: Final = 100_000.0
"""Metres of dwithin."""

_UNITS: Final = ((1.0, ("m", "meter", "meters", "metre", "metres")), (1e3, ("km", "kilometer", "kilometers", "kilometre", "kilometres")))
_METRES: Final = {name: metres for metres, names in _UNITS for name in names}
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_TOGETHER: Final = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)
"""By the dimension of the parts."""
_METRIC: Final = next(one for one in EXCHANGES.values() if one.srid == METRIC)


class LiteralError(ValueError):
    """A value that cannot stand where it does."""


@dataclass(frozen=True)
class Place:
    """A valid geometry in degrees (EPSG:4490), longitude first."""

    shape: BaseGeometry

    def wkb_hex(self) -> str:
        """As SQL takes it for a geometry."""
        return shapely.to_wkb(shapely.set_srid(self.shape, STORAGE), hex=True, include_srid=True)


def read_scalar(name: str, kind: Kind, told: Any) -> tuple[Kind, str | int | float | bool]:
    """A value for a property, and as what it is bound. Raises LiteralError naming the property."""
    match kind:
        case "string" if isinstance(told, str):
            if "\0" in told or len(told) > LONGEST_TEXT:
                raise LiteralError(f"{name}: a text has at most {LONGEST_TEXT:,} characters, none of them NUL")
            return kind, told
        case "boolean" if isinstance(told, bool):
            return kind, told
        case "integer" | "number" if isinstance(told, (int, float)) and not isinstance(told, bool):
            return _number(name, kind, told)
        case "date" if is_object(told):
            return kind, read_day(told)
        case _:
            wanted = {"string": "a text in single quotes", "boolean": "true or false", "date": "a day, such as DATE('2024-05-01')"}
            raise LiteralError(f"{name} takes {wanted.get(kind, 'a number')}")


def _number(name: str, kind: Kind, told: float) -> tuple[Kind, int | float]:
    if isinstance(told, float) and not math.isfinite(told):
        raise LiteralError(f"{name}: a number is too large")
    if kind == "number":
        if abs(told) > EXACT and isinstance(told, int):
            raise LiteralError(f"{name}: a number is too large")
        return kind, float(told)
    if isinstance(told, float) and told.is_integer() and abs(told) <= EXACT:
        return kind, int(told)
    if isinstance(told, int) and abs(told) <= LARGEST:
        return kind, told
    if isinstance(told, float) and abs(told) < EXACT:
        return "number", told
    raise LiteralError(f"{name}: a number is too large")


def read_day(told: Any, *, bare: bool = False) -> str:
    """The day of DATE(…) or TIMESTAMP(…), the district's for a moment; `bare`: texts too, as an interval holds them."""
    if is_object(told) and len(told) == 1 and told.keys() <= {"date", "timestamp"}:
        [(kind, text)] = told.items()
        pattern = (_DAY if kind == "date" else _MOMENT,)
    else:
        text, pattern = told if bare else None, (_DAY, _MOMENT)
    if not isinstance(text, str) or not any(one.fullmatch(text) for one in pattern):
        raise LiteralError(f"not a day or a time: {_shown(text)}; write DATE('2024-05-01') or TIMESTAMP('2024-05-01T08:00:00Z')")
    try:
        if len(text) == 10:
            return dt.date.fromisoformat(text).isoformat()
        return dt.datetime.fromisoformat(text).astimezone(DISTRICT).date().isoformat()
    except (ValueError, OverflowError):
        raise LiteralError(f"there is no such day or time as {text}") from None


def read_place(told: Any, exchange: Exchange) -> tuple[Place, str | None]:
    """A geometry or a bbox without its heights, and the core of a bbox that is one box.

    Raises LiteralError with the place of a fault.
    """
    try:
        if is_object(told) and len(told) == 1 and "bbox" in told:
            return _read_box(told["bbox"], exchange)
        shape = build(told, max_vertices=MAX_VERTICES, drop_z=True)
        return Place(check(_moved(shape, exchange), kinds=frozenset(DEPTHS), max_vertices=MOST_VERTICES)), None
    except (GeometryError, BBoxError) as error:
        raise LiteralError(str(error)) from None


def read_collection(operator: str, parts: Sequence[Any], exchange: Exchange) -> Place:
    """Several geometries as the one that they make together. Raises LiteralError unless all are points, all lines, or all areas apart."""
    shapes = shapely.get_parts([read_place(part, exchange)[0].shape for part in parts])
    dimensions = set(shapely.get_dimensions(shapes).tolist())
    if len(dimensions) > 1:
        raise LiteralError(f"{operator} takes collections of points, of lines or of areas, not of several kinds; combine conditions")
    try:
        most = MAX_VERTICES if exchange.degrees else MOST_VERTICES
        return Place(check(_TOGETHER[dimensions.pop()](shapes), kinds=frozenset(DEPTHS), max_vertices=most))
    except GeometryError as error:
        raise LiteralError(str(error)) from None


def _read_box(numbers: Any, exchange: Exchange) -> tuple[Place, str | None]:
    if not is_list(numbers) or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in numbers[:6]):
        raise LiteralError("bbox takes 4 or 6 numbers")
    box = parse_bbox(",".join(map(repr, numbers[:7])), exchange)
    halves = shapely.from_wkb(list(box.literals()))
    return Place(shapely.union_all(halves)), box.cores()[0] if len(halves) == 1 else None


def _moved(shape: BaseGeometry, exchange: Exchange) -> BaseGeometry:
    """The shape in degrees, longitude first."""
    if exchange.swapped:
        shape = shapely.transform(shape, lambda points: points[:, ::-1])
    points = shapely.get_coordinates(shape)
    west, south, east, north = exchange.limits
    wrong = (points[:, 0] < west) | (points[:, 0] > east) | (points[:, 1] < south) | (points[:, 1] > north)
    if wrong.any():
        x, y = points[int(np.argmax(wrong))]
        first = ("latitude" if exchange.degrees else "northing") if exchange.swapped else ("longitude" if exchange.degrees else "easting")
        raise LiteralError(f"a coordinate lies outside the reference system at {x:.10g}, {y:.10g}; {first} comes first in it")
    if exchange.degrees:
        return shape
    try:
        return in_degrees(shape, exchange.srid)
    except ValueError as error:
        raise LiteralError(f"a geometry in this reference system: {error}") from None


def read_distance(told: Any, unit: Any) -> float:
    """Metres. Raises LiteralError for none, too many, or a unit that is not known."""
    if is_object(unit) and len(unit) == 1 and "property" in unit:  # a bare word in the text form
        unit = unit["property"]
    factor = _METRES.get(unit.lower()) if isinstance(unit, str) else None
    if factor is None:
        raise LiteralError("dwithin takes m or km as its unit")
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not 0 < told <= FARTHEST / factor:
        raise LiteralError(f"dwithin takes a distance of more than 0 and at most {FARTHEST:,.0f} m")
    return float(told) * factor


def surroundings(place: Place, metres: float) -> tuple[str, str]:
    """The place in metres (EPSG:4547), and a box in degrees that holds whatever is so near, both as SQL takes a geometry."""
    metric = reproject([place.shape], STORAGE, METRIC)[0]
    west, south, east, north = metric.bounds
    first, lowest, last, highest = _METRIC.limits
    if not (first <= west <= east <= last and lowest <= south <= north <= highest):
        raise LiteralError("dwithin measures in EPSG:4547, whose middle is 114 degrees east; the place lies too far from it")
    reach = metres * 1.01 + 1.0
    [around] = Box(west - reach, south - reach, east + reach, north + reach, _METRIC).literals()
    return shapely.to_wkb(shapely.set_srid(metric, METRIC), hex=True, include_srid=True), around


def beginning(pattern: str) -> tuple[str, ...]:
    """The least text that begins as a pattern of LIKE does and the first beyond it; nothing when the pattern begins with a wildcard.

    Raises LiteralError for a backslash at the end, which escapes nothing.
    """
    head: list[str] = []
    fixed, escaped = True, False
    for letter in pattern:
        if escaped or letter not in "%_\\":
            head += [letter] if fixed else []
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            fixed = False
    if escaped:
        raise LiteralError("like: the pattern ends with a backslash that escapes nothing")
    least = "".join(head)
    stem = least.rstrip("\U0010ffff")
    if not stem:
        return (least,) if least else ()
    following = ord(stem[-1]) + 1
    return least, stem[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)


def _shown(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else type(value).__name__
