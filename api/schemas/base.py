"""Bases and types of everything that travels.

A `Body` takes JSON as it is written: no word for a number, no member that is not listed, no text that PostgreSQL or a log could choke
on. Strictness on Python values would refuse every date and UUID, which are text in JSON, so those have types of their own here.
"""

import datetime as dt
import re
import uuid
from decimal import Decimal
from typing import Annotated, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints

INT4: Final = 2_147_483_647
INT8: Final = 9_223_372_036_854_775_807

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})?", re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,18})", re.ASCII)


class Body(BaseModel):
    """A JSON object that somebody sends. Unknown members are refused, and nothing is converted on the way."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Answer(BaseModel):
    """A JSON object that we send. It lists its members, so a new column is never public by accident."""

    model_config = ConfigDict(from_attributes=True, frozen=True, extra="ignore", ser_json_inf_nan="null")


Item = TypeVar("Item", bound=BaseModel)


class Listing(Answer, Generic[Item]):
    """A page of a list. `next` is the cursor of the page that follows, null on the last."""

    items: list[Item]
    next: str | None


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("holds a control character")
    return text


def _written_day(value: object) -> object:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("is not a day of the form 2024-01-31")
    if not isinstance(value, (str, dt.date)) or isinstance(value, dt.datetime):
        raise ValueError("is not a day of the form 2024-01-31")  # noqa: TRY004 -- a ValueError is what pydantic reports
    return value


def _written_uuid(value: object) -> object:
    if isinstance(value, uuid.UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return value
    raise ValueError("is not a UUID")


def _written_moment(value: object) -> object:
    if isinstance(value, dt.datetime) or (isinstance(value, str) and _MOMENT.fullmatch(value)):
        # pydantic alone would take a number for seconds since 1970, and no leap second
        return _leap(value) if isinstance(value, str) and value[16:19] == ":60" else value
    raise ValueError("is not a time of the form 2024-01-31T08:00:00Z")


def _leap(text: str) -> dt.datetime:
    """A leap second as the second after it. It ends a day of UTC (RFC 3339, 5.7)."""
    try:
        after = dt.datetime.fromisoformat(f"{text[:17]}59{text[19:]}".upper()) + dt.timedelta(seconds=1)
        time = after.astimezone(dt.UTC).time().replace(microsecond=0)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None
    if time != dt.time(0):
        raise ValueError("has a second 60 that is no leap second")
    return after


def _with_zone(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise ValueError("has no time zone")
    return moment


def _near_ours(moment: dt.datetime) -> dt.datetime:
    if not 1850 <= moment.year <= 2200:
        raise ValueError("lies outside the years 1850 to 2200")
    return moment.astimezone(dt.UTC)


def _written_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("is not a number")  # noqa: TRY004 -- as above
    return value


def read_digits(value: object) -> object:
    """Parameters come as text; pydantic alone would take ` 5`, `+5` and `1_0` for numbers."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise ValueError("is not an integer")
        return int(value)
    return value


def _truth(value: object) -> object:
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    raise ValueError("is neither true nor false")


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_plain)]
"""One line of text, 1 to 200 characters, without control characters."""
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), AfterValidator(_plain)]
"""Text of up to 2,000 characters; line breaks and tabs may stand in it."""
Remarks = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_plain)]
"""Text of up to 4,000 characters, which may be empty; line breaks and tabs may stand in it."""
AreaCode = Annotated[str, StringConstraints(pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12})$")]
"""Code of a district (6 digits), a subdistrict (9) or a community (12)."""
Secret = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_plain)]
"""A password or number: taken as it is, blanks too."""
EntityId = Annotated[uuid.UUID, Strict(strict=False), BeforeValidator(_written_uuid)]
"""A UUID with its four hyphens, in a body, a path or a query."""
AnyDay = Annotated[dt.date, Strict(strict=False), BeforeValidator(_written_day)]
"""A day of whatever year from 1 to 9999."""
AnyMoment = Annotated[dt.datetime, Strict(strict=False), BeforeValidator(_written_moment), AfterValidator(_with_zone)]
"""A time with its zone, of whatever year from 1 to 9999."""
Day = Annotated[AnyDay, Field(ge=dt.date(1850, 1, 1), le=dt.date(2200, 12, 31))]
"""A day of the district (Asia/Shanghai), 1850 to 2200."""
Moment = Annotated[AnyMoment, AfterValidator(_near_ours)]
"""A time with its zone, 1850 to 2200."""
Int4 = Annotated[int, Field(ge=-INT4 - 1, le=INT4)]
"""What an integer column holds, in a body."""
Int8 = Annotated[int, Field(ge=-INT8 - 1, le=INT8)]
"""What a bigint column holds, in a body."""
Amount = Annotated[
    Decimal, Strict(strict=False), BeforeValidator(_written_number), Field(ge=0, max_digits=14, decimal_places=2, allow_inf_nan=False)
]
"""Yuan or square metres: not negative, two decimals."""
Degrees = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
"""Longitude or latitude."""
AreaId = Annotated[int, Strict(strict=False), BeforeValidator(read_digits), Field(ge=1, le=INT4)]
"""Number of an area or a grid, in a path or a query."""
Whole = Annotated[int, Strict(strict=False), BeforeValidator(read_digits), Field(ge=-INT4 - 1, le=INT4)]
"""An integer in a query, as plain digits."""
Flag = Annotated[bool, Strict(strict=False), BeforeValidator(_truth)]
"""`true` or `false` in a query."""
