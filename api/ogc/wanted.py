"""From the parameters of a page of features to a selection and its values. Whatever is wrong is refused by its parameter's name."""

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast, get_args
from zoneinfo import ZoneInfo

import orjson
from pydantic import TypeAdapter

from api.ogc.asking import COUNT, MOMENT, Asked, read
from api.paging import name_of_list
from api.schemas.base import AnyDay, AnyMoment, EntityId, Flag
from geo.bbox import BBoxError, parse_bbox
from geo.cql2 import FilterError, Language, read_filter
from geo.crs import EXCHANGES, LONLAT, Exchange
from geo.features import Key, Look
from gridmgmt.errors import InvalidError
from gridmgmt.layers.layer import Property
from gridmgmt.layers.selection import EVER, WHOLE, Period, Selection, queryables

DEFAULT: Final = 100
LARGEST: Final = 10_000
DISTRICT: Final = ZoneInfo("Asia/Shanghai")

Count = Literal["exact", "estimate", "none"]

LOOK: Final = frozenset({"crs", "properties", "f", "as_of"})
"""Parameters of one feature."""
CHOICE: Final = LOOK | {"bbox", "bbox-crs", "datetime", "filter", "filter-lang", "filter-crs", "sortby", "limit", "cursor", "count"}
"""Parameters of a page, besides the names of properties."""

_DAY: Final[TypeAdapter[dt.date]] = TypeAdapter(AnyDay)
_MOMENT: Final[TypeAdapter[dt.datetime]] = TypeAdapter(AnyMoment)
_TYPES: Final[dict[str, TypeAdapter[Any]]] = {
    "string": TypeAdapter(str),
    "integer": TypeAdapter(int),
    "number": TypeAdapter(float),
    "boolean": TypeAdapter(Flag),
    "date": _DAY,
}
_NUMBERS: Final = {"integer": re.compile(r"-?\d{1,18}", re.ASCII), "number": re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)}
_ID: Final[dict[str, TypeAdapter[Any]]] = {"integer": TypeAdapter(int), "uuid": TypeAdapter(EntityId)}
_UNBOUNDED: Final = frozenset({"", ".."})


@dataclass(frozen=True)
class Wanted:
    """A page that is asked for."""

    selection: Selection
    values: dict[str, Any]
    limit: int
    count: Count


def read_look(asked: Asked) -> Look:
    """`crs` and `properties`."""
    names = [one.name for one in asked.layer.properties]
    chosen = asked.given.get("properties")
    if chosen is not None:
        wanted = [name for name in chosen.split(",") if name]
        unknown = next((name for name in wanted if name not in names), None)
        if unknown is not None:
            raise InvalidError(f"properties: there is no {unknown[:100]!r}; there are {', '.join(names)}", field="properties")
        names = [name for name in names if name in wanted]
    return Look(tuple(names), _exchange(asked, "crs"))


def read_then(asked: Asked) -> dict[str, dt.datetime]:
    """`as_of`, as the value of a selection whose `then` is set."""
    moment = asked.read("as_of", MOMENT)
    return {} if moment is None else {"moment": moment}


def read_page(asked: Asked) -> Wanted:
    """Everything that a page hangs on. Raises InvalidError naming the parameter."""
    layer = asked.layer
    named = {one.name: one for one in layer.properties}
    asked.only(CHOICE | named.keys())
    values: dict[str, Any] = dict(read_then(asked))
    selection = Selection(layer.name, read_look(asked), then="moment" in values)
    selection = _with_boxes(asked, selection, values)
    selection = _with_period(asked, selection, values)
    selection = _with_equal(asked, selection, values, named)
    selection = _with_filter(asked, selection, values)
    selection = replace(selection, order=_order(asked, named))
    selection = _with_cursor(asked, selection, values, named)
    limit = min(asked.read("limit", COUNT) or DEFAULT, LARGEST)
    count = asked.given.get("count", "none")
    if count not in get_args(Count):
        raise InvalidError("count: takes exact, estimate or none", field="count")
    if count == "estimate" and asked.actor.scope != WHOLE:
        count = "exact"
    return Wanted(selection, values | {"limit": limit}, limit, cast("Count", count))


def _exchange(asked: Asked, name: str) -> Exchange:
    uri = asked.given.get(name)
    return LONLAT if uri is None else read_exchange(name, uri)


def read_exchange(name: str, uri: str) -> Exchange:
    """The reference system of that URI, with or without angle brackets. Raises InvalidError naming the parameter or header `name`."""
    found = EXCHANGES.get(uri.strip().removeprefix("<").removesuffix(">").replace("https://www.opengis.net", "http://www.opengis.net"))
    if found is None:
        raise InvalidError(f"{name}: not one of {', '.join(EXCHANGES)}", field=name)
    return found


def _with_boxes(asked: Asked, selection: Selection, values: dict[str, Any]) -> Selection:
    exchange = _exchange(asked, "bbox-crs")
    text = asked.given.get("bbox")
    if text is None:
        return selection
    try:
        box = parse_bbox(text, exchange)
    except BBoxError as error:
        raise InvalidError(str(error), field="bbox") from None
    halves = box.literals()
    values |= {f"box{place}": half for place, half in enumerate(halves)}
    values |= {f"core{place}": core for place, core in enumerate(box.cores())}
    return replace(selection, boxes=len(halves))


def _with_period(asked: Asked, selection: Selection, values: dict[str, Any]) -> Selection:
    period = read_period(asked)
    if period is None:
        return selection
    since, until = period
    values |= {"since": since, "until": until}
    return replace(selection, since=since is not None, until=until is not None, ever=period == EVER)


def read_period(asked: Asked) -> Period | None:
    """`datetime`: a time, or two with a slash between, either of which may be open (`..` or nothing), EVER when both are.

    None when it is not given.
    """
    text = asked.given.get("datetime")
    if text is None:
        return None
    begins, slash, ends = text.partition("/")
    first, last = _day(begins), _day(ends) if slash else _day(begins)
    if not slash and first is None:
        raise InvalidError("datetime: takes a time, or two with a slash between", field="datetime")
    if first is not None and last is not None and first > last:
        raise InvalidError("datetime: ends before it begins", field="datetime")
    return first, last


def _day(text: str) -> dt.date | None:
    """The district's day of a day or a time, of whatever year: programs send 9999 for an end that is open.

    A day with a `T` behind is refused, though GDAL writes it where a condition names a property with dates: it takes what was in force
    for what it asked, and looks no more at the property, so its user would be told too much and never know.
    """
    if text in _UNBOUNDED:
        return None
    if len(text) == 10:
        return read("datetime", text, _DAY)
    moment = read("datetime", text, _MOMENT)
    try:
        return moment.astimezone(DISTRICT).date()
    except OverflowError:
        return dt.date.max if moment.year > 1 else dt.date.min


def _with_equal(asked: Asked, selection: Selection, values: dict[str, Any], named: dict[str, Property]) -> Selection:
    equal = tuple(name for name in asked.given if name in named)
    values |= {f"p{place}": read_value(name, asked.given[name], named[name]) for place, name in enumerate(equal)}
    return replace(selection, equal=equal)


def read_value(name: str, text: str, declared: Property) -> object:
    """A property's value as it stands in an address. Raises InvalidError naming it."""
    pattern = _NUMBERS.get(declared.kind)
    if pattern is not None and not pattern.fullmatch(text):
        raise InvalidError(f"{name}: is not {'an integer' if declared.kind == 'integer' else 'a number'}", field=name)
    if declared.kind == "boolean":
        text = {"1": "true", "0": "false"}.get(text, text)  # SQL as GDAL takes it knows no other
    if declared.values and text not in declared.values:
        raise InvalidError(f"{name}: takes {', '.join(declared.values)}", field=name)
    return read(name, text, _TYPES[declared.kind])


def _with_filter(asked: Asked, selection: Selection, values: dict[str, Any]) -> Selection:
    language = asked.given.get("filter-lang", "cql2-text")
    if language not in get_args(Language):
        raise InvalidError(f"filter-lang: takes {' or '.join(get_args(Language))}", field="filter-lang")
    exchange = _exchange(asked, "filter-crs")
    text = asked.given.get("filter")
    if text is None:
        return selection
    try:
        meant, held = read_filter(text, queryables(asked.layer), language=cast("Language", language), exchange=exchange)
    except FilterError as error:
        raise InvalidError(f"filter: {error}", field="filter") from None
    values |= held
    return replace(selection, filter=meant)


def _order(asked: Asked, named: dict[str, Property]) -> tuple[Key, ...]:
    text = asked.given.get("sortby")
    if text is None:
        return ()
    # A plus that stands in an address is a space by now.
    keys = [Key(part[1:] if part[:1] in {"+", "-", " "} else part, part.startswith("-")) for part in text.split(",")]
    for key in keys:
        if key.name not in named:
            raise InvalidError(f"sortby: there is no {key.name[:100]!r}; there are {', '.join(named)}", field="sortby")
    if len({key.name for key in keys}) < len(keys):
        raise InvalidError("sortby: a property stands twice", field="sortby")
    return tuple(keys)


def _with_cursor(asked: Asked, selection: Selection, values: dict[str, Any], named: dict[str, Property]) -> Selection:
    """The key that the page begins after: one value for each property of the order, and the id; then how it is found."""
    cursor = asked.given.get("cursor")
    if cursor is None:
        return selection
    types = [*(_TYPES[named[key.name].kind] for key in selection.order), _ID[asked.layer.id_type]]
    *sealed, walking = asked.parts.cursors.open(_listed(asked), cursor, *([_same] * (len(types) + 1)))
    after = [None if value is None else read("cursor", value, type_) for value, type_ in zip(sealed, types, strict=True)]
    values |= {f"a{place}": value for place, value in enumerate(after)}
    return replace(selection, after=tuple(value is not None for value in after), walking=walking)


def _same(value: Any) -> Any:
    return value


def seal_cursor(asked: Asked, last: bytes) -> str:
    """The cursor of the page that follows what a page said of its end, a JSON array."""
    return asked.parts.cursors.seal(_listed(asked), orjson.loads(last))


def _listed(asked: Asked) -> str:
    return name_of_list(asked.request.scope["path"], asked.given.items())
