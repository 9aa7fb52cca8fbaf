"""When something was recorded, by the server's clock: a handheld's own may be wrong by days, and nobody sets it right in the field.

Only the server's time orders anything. What is corrected here says whether a record was made before a grid was lost, and is kept beside
the time that the device told.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

WRONG: Final = dt.timedelta(minutes=5)
"""A clock that is further off is flagged."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What the device's clocks said when it sent a batch, and the server's when it came. All times are aware."""

    received_at: dt.datetime
    sent_at: dt.datetime
    boot_id: str | None = None
    mono_ms: int | None = None

    @property
    def skew(self) -> dt.timedelta:
        """How far the device's wall clock goes behind the server's; negative when it goes ahead."""
        return self.received_at - self.sent_at


@dataclass(frozen=True, slots=True)
class Capture:
    """What the device's clocks said when something was recorded."""

    at: dt.datetime | None
    boot_id: str | None = None
    mono_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """When it was, by the server's clock, never later than it came; `flagged` where the device's clock cannot be right."""

    at: dt.datetime | None
    flagged: bool


def correct(sending: Sending, capture: Capture) -> Corrected:
    """By the monotonic clock where the device was not started anew in between, else by the wall clock, shifted by its skew at sending."""
    wrong = abs(sending.skew) > WRONG
    if capture.boot_id is not None and capture.boot_id == sending.boot_id and sending.mono_ms is not None and capture.mono_ms is not None:
        passed = sending.mono_ms - capture.mono_ms
        if passed < 0:
            return Corrected(sending.received_at, flagged=True)
        return Corrected(_before(sending.received_at, passed), flagged=wrong)
    if capture.at is None:
        return Corrected(None, flagged=wrong)
    if capture.at > sending.sent_at:
        return Corrected(sending.received_at, flagged=True)
    passed = (sending.sent_at - capture.at) // dt.timedelta(milliseconds=1)
    return Corrected(_before(sending.received_at, passed), flagged=wrong)


def _before(moment: dt.datetime, milliseconds: int) -> dt.datetime:
    """Also for numbers that no clock shows."""
    try:
        return moment - dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
