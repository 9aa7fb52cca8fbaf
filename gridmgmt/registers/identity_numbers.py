"""Resident identity numbers (公民身份号码, GB 11643-1999).

Six digits of area, eight of birth date, three of sequence (odd male, even female), one check character by ISO 7064 MOD 11-2. An
area code that is unknown or not in force is no error: people keep the number of a county that was dissolved long ago, and 81, 82 and 83
begin the numbers of residence permits.
"""

import datetime as dt
import unicodedata
from dataclasses import dataclass
from typing import Literal

from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_2

DEMO_PREFIX = "00"
EARLIEST = dt.date(1880, 1, 1)

Reason = Literal["missing", "length", "characters", "check-digit", "birth-date", "demo"]
WORDS: dict[Reason, str] = {
    "missing": "identity number missing",
    "length": "identity number is not 18 characters",
    "characters": "identity number is not 17 digits and a check character",
    "check-digit": "check digit of the identity number is wrong",
    "birth-date": "birth date in the identity number does not exist",
    "demo": "identity numbers beginning with 00 are for demonstration only",
}


class IdentityNumberError(ValueError):
    """A number that cannot be; never shows the number."""

    def __init__(self, reason: Reason) -> None:
        """Takes one of the reasons of this module."""
        super().__init__(WORDS[reason])
        self.reason = reason


@dataclass(frozen=True)
class IdentityNumber:
    """A number that can be, in canonical form, and what it says."""

    value: str
    birth_date: dt.date
    sex: Literal["male", "female"]


def parse_identity_number(text: str, *, today: dt.date, demo: bool = False) -> IdentityNumber:
    """Read a number, taking lower-case x, full-width digits and spaces. Raises IdentityNumberError with the reason.

    `demo` also takes the never-assigned prefix 00, and takes nothing else away.
    """
    value = "".join(unicodedata.normalize("NFKC", text).split()).upper()
    if not value:
        raise IdentityNumberError("missing")
    if len(value) != 18:
        raise IdentityNumberError("length")
    if not (value.isascii() and value[:17].isdigit() and (value[17].isdigit() or value[17] == "X")):
        raise IdentityNumberError("characters")
    try:
        born = dt.date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        raise IdentityNumberError("birth-date") from None
    if not EARLIEST <= born <= today:
        raise IdentityNumberError("birth-date")
    try:
        mod_11_2.validate(value)
    except ValidationError:
        raise IdentityNumberError("check-digit") from None
    if value.startswith(DEMO_PREFIX) and not demo:
        raise IdentityNumberError("demo")
    return IdentityNumber(value, born, "male" if int(value[16]) % 2 else "female")
