"""Phone numbers: a mainland mobile as its eleven digits, any other as digits, perhaps after a plus."""

import re
import unicodedata

NUMBER = re.compile(r"\+?\d{5,15}", re.ASCII)
WITH_COUNTRY = re.compile(r"(?:\+|00)?86(1\d{10})", re.ASCII)


class PhoneError(ValueError):
    """A number that cannot be; never shows the number."""


def parse_phone(text: str) -> str:
    """The number without blanks, hyphens and brackets, and without 86 before a mobile. Raises PhoneError."""
    digits = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", text))
    if not NUMBER.fullmatch(digits):
        raise PhoneError("a phone number has 5 to 15 digits")
    mobile = WITH_COUNTRY.fullmatch(digits)
    return mobile[1] if mobile else digits
