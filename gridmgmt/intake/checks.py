"""Cells to values: whole numbers, amounts, dates, words of a list, codes. What cannot be read is a Fault, never an exception.

Digits may be full-width, thousands may be separated, spaces stand where they like. A Fault never repeats the cell.
"""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from geo.datum import Datum, UnknownDatumError, parse_datum
from gridmgmt.registers.identity_numbers import IdentityNumber, IdentityNumberError, parse_identity_number
from gridmgmt.registers.phones import PhoneError, parse_phone
from gridmgmt.registers.terms import Terms, find_term

EARLIEST: Final = dt.date(1800, 1, 1)
LATEST: Final = dt.date(2200, 12, 31)
MEMORY: Final = 200_000

NUMBER: Final = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,6})?", re.ASCII)
WORDS_NOT_FINITE: Final = frozenset(
    {"nan", "inf", "infinity", "-inf", "+inf", "-infinity", "+infinity", "-nan", "+nan", "#div/0!", "#num!"}
)
ROUNDED: Final = re.compile(r"\d(\.\d+)?[eE]\+?\d+", re.ASCII)
DATE: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|年(\d{1,2})月(\d{1,2})日?|(\d\d)(\d\d))", re.ASCII
)
SERIAL: Final = re.compile(r"\d{5}(\.\d+)?", re.ASCII)
MIDNIGHT: Final = re.compile(r"[ T]0?0:00(:00(\.0+)?)?(Z|\+00(:?00)?)?$")
FLOOR: Final = re.compile(r"(?:(负|地下|[Bb-])\s*)?(?:第)?(\d{1,3})(?:层|楼|F|f)?", re.ASCII)
BREAKS: Final = re.compile(r"\s*[\t\r\n]\s*")
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
YES: Final = frozenset({"是", "有", "yes", "y", "true", "t", "1", "√"})
NO: Final = frozenset({"否", "无", "不是", "no", "n", "false", "f", "0", "×"})


@dataclass(frozen=True)
class Fault:
    """Why a cell is refused."""

    reason: str


T = TypeVar("T")
Check = Callable[[str], T | Fault]


class Remembered(dict[str, T | Fault]):
    """A check that keeps its answers: a million leases know some thousand dates and rents."""

    def __init__(self, check: Check[T]) -> None:
        super().__init__()
        self._check = check

    def __missing__(self, text: str) -> T | Fault:
        answer = self._check(text)
        if len(self) < MEMORY:
            self[text] = answer
        return answer


def plain(text: str) -> str:
    """The text with full-width digits, letters and signs made narrow (Unicode NFKC), without spaces around."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()


def code(noun: str, digits: int) -> Check[str]:
    """A code of so many digits."""

    def check(text: str) -> str | Fault:
        if len(text) == digits and text.isascii() and text.isdigit():
            return text
        told = "".join(plain(text).split())
        if len(told) == digits and told.isascii() and told.isdigit():
            return told
        if ROUNDED.fullmatch(told):
            return Fault(f"{noun} was rounded by a spreadsheet to fifteen digits: format the column as text and enter the codes anew")
        return Fault(f"{noun} is not {digits} digits")

    return check


def pattern(noun: str, form: str, words: str) -> Check[str]:
    """A short mark that matches a regular expression, described by `words`."""
    wanted = re.compile(form, re.ASCII)

    def check(text: str) -> str | Fault:
        told = plain(text)
        return told if wanted.fullmatch(told) else Fault(f"{noun} is not {words}")

    return check


def words(noun: str, longest: int) -> Check[str]:
    """Free text without control characters, each letter in its one form (Unicode NFC); a line break within a cell becomes a space."""

    def check(text: str) -> str | Fault:
        told = BREAKS.sub(" ", unicodedata.normalize("NFC", text).strip())
        if not told:
            return Fault(f"{noun} is missing")
        if CONTROLS.search(told):
            return Fault(f"{noun} holds control characters")
        return told if len(told) <= longest else Fault(f"{noun} is longer than {longest} characters")

    return check


def number(noun: str) -> Check[Decimal]:
    """A finite number, exactly as written."""

    def check(text: str) -> Decimal | Fault:
        told = plain(text)
        if told.lower() in WORDS_NOT_FINITE:
            return Fault(f"{noun} is not finite")
        match = NUMBER.fullmatch(told)
        if len(told) > 60 or match is None or not (match[1] or (match[3] and len(match[3]) > 1)):
            return Fault(f"{noun} is not a number")
        bare = told.replace(",", "")
        if not math.isfinite(float(bare)):
            return Fault(f"{noun} is not finite")
        value = Decimal(bare)
        return value if -40 <= value.adjusted() <= 40 or not value else Fault(f"{noun} is out of range")

    return check


def between(noun: str, least: Decimal, most: Decimal, *, places: int) -> Check[Decimal]:
    """A number within bounds, both included, rounded half up to so many places."""
    read = number(noun)
    step = Decimal(1).scaleb(-places)

    def check(text: str) -> Decimal | Fault:
        value = read(text)
        if isinstance(value, Fault):
            return value
        if value <= 0 < least:
            return Fault(f"{noun} must be positive")
        rounded = value.quantize(step, rounding="ROUND_HALF_UP") if abs(value) <= most else value
        return rounded if least <= rounded <= most else Fault(f"{noun} is out of range: {least} to {most}")

    return check


def whole(noun: str, least: int, most: int) -> Check[int]:
    """A whole number within bounds, both included."""
    read = number(noun)

    def check(text: str) -> int | Fault:
        value = read(text)
        if isinstance(value, Fault):
            return value
        if value != value.to_integral_value():
            return Fault(f"{noun} is not a whole number")
        return int(value) if least <= value <= most else Fault(f"{noun} is out of range: {least} to {most}")

    return check


def degrees(noun: str) -> Check[float]:
    """A finite number of degrees; whether it is a place of the district is seen later, with the datum."""
    read = number(noun)

    def check(text: str) -> float | Fault:
        value = read(text)
        return value if isinstance(value, Fault) else float(value)

    return check


def floor(noun: str) -> Check[int]:
    """The floor of a unit: 3, 3层, 3F; B1, 负1 and -1 lie below the ground. There is no floor 0."""

    def check(text: str) -> int | Fault:
        told = plain(text)
        match = FLOOR.fullmatch(told.removesuffix(".0"))
        if match is None:
            return Fault(f"{noun} is not a floor")
        value = -int(match[2]) if match[1] else int(match[2])
        return value if -20 <= value <= 200 and value else Fault(f"{noun} is out of range: -20 to 200 without 0")

    return check


def date(noun: str) -> Check[dt.date]:
    """A day: 2010-01-05, 2010/1/5, 2010.1.5, 20100105, 2010年1月5日.

    A spreadsheet's count of days is refused: it begins in 1900 or in 1904, and a cell does not say which.
    """

    def check(text: str) -> dt.date | Fault:
        told = plain(text)
        match = DATE.fullmatch(MIDNIGHT.sub("", told))
        if match is None and SERIAL.fullmatch(told):
            return Fault(f"{noun} is a spreadsheet's count of days: format the column as a date and hand it over again")
        if match is None:
            return Fault(f"{noun} is not a date")
        year, month, day = (int(part) for part in match.groups() if part is not None)
        try:
            value = dt.date(year, month, day)
        except ValueError:
            return Fault(f"{noun} is a date that does not exist")
        return value if EARLIEST <= value <= LATEST else Fault(f"{noun} is out of range: {EARLIEST.year} to {LATEST.year}")

    return check


def yes_or_no(noun: str) -> Check[bool]:
    """是 or 否, yes or no, true or false, 1 or 0."""

    def check(text: str) -> bool | Fault:
        told = plain(text).lower().removesuffix(".0")
        return told in YES if told in YES or told in NO else Fault(f"{noun} is neither 是 (yes) nor 否 (no)")

    return check


def term(noun: str, terms: Terms) -> Check[str]:
    """A word of a list, in Chinese or English; the stored word comes out."""
    known = ", ".join(f"{one.zh} ({one.en})" for one in terms.values())

    def check(text: str) -> str | Fault:
        return find_term(terms, text) or Fault(f"unknown {noun}: expected one of {known}")

    return check


def datum(text: str) -> Datum | Fault:
    """What a pair of coordinates refers to."""
    try:
        return parse_datum(plain(text))
    except UnknownDatumError:
        return Fault(f"unknown datum: expected one of {', '.join(Datum)}")


def identity_number(*, today: dt.date, demo: bool) -> Check[IdentityNumber]:
    """A resident identity number (公民身份号码); the reasons are those of the register."""

    def check(text: str) -> IdentityNumber | Fault:
        told = plain(text)
        if ROUNDED.fullmatch(told):
            return Fault(
                "identity number was rounded by a spreadsheet to fifteen digits: format the column as text and enter the numbers anew"
            )
        try:
            return parse_identity_number(told, today=today, demo=demo)
        except IdentityNumberError as error:
            return Fault(str(error))

    return check


def phone(text: str) -> str | Fault:
    """A telephone number, in the form that the register seals."""
    try:
        return parse_phone(plain(text).removesuffix(".0"))
    except PhoneError:
        return Fault("phone is not 5 to 15 digits")
