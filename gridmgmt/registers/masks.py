"""How names and numbers are shown by default: enough to tell two people apart at the door, not enough to be worth stealing."""


def mask_name(name: str) -> str:
    """The family name and stars: 张*, 欧阳** stays 欧***; a one-letter name is hidden whole."""
    return name[0] + "*" * (len(name) - 1) if len(name) > 1 else "*"


def mask_number(number: str) -> str:
    """Six and four of an identity number: 440306********001X. Shorter ones show nothing."""
    return number[:6] + "*" * (len(number) - 10) + number[-4:] if len(number) >= 15 else "*" * len(number)


def mask_phone(phone: str) -> str:
    """Three and four of a phone number: 138****1234. Shorter ones show nothing."""
    return phone[:3] + "*" * (len(phone) - 7) + phone[-4:] if len(phone) >= 11 else "*" * len(phone)
