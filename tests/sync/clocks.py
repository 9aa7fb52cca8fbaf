"""A wall clock that somebody turns."""

import datetime as dt
import time
from dataclasses import dataclass


@dataclass
class WanderingClock:
    """A wall clock that somebody turns; the counter runs on."""

    boot_id: str = "2a0b7e9a-0000-4000-8000-000000000001"
    ahead: dt.timedelta = dt.timedelta()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000
