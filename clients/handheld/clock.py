"""What a device knows of time: a wall clock that anybody may turn, and a counter that runs evenly until the device is switched off."""

import datetime as dt
import secrets
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """Both times at once. Only the server's time orders anything; these say how long before the push something was recorded."""

    @property
    def boot_id(self) -> str:
        """Another one after every start of the device: counters of two starts cannot be compared."""
        ...

    def now(self) -> dt.datetime:
        """The wall clock, aware."""
        ...

    def mono_ms(self) -> int:
        """Milliseconds since some moment of this start."""
        ...


def _boot() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.exists() else str(uuid.uuid4())


@dataclass(frozen=True)
class SystemClock:
    """The clocks of the machine."""

    boot_id: str = field(default_factory=_boot)

    def now(self) -> dt.datetime:
        """The wall clock."""
        return dt.datetime.now(dt.UTC).astimezone()

    def mono_ms(self) -> int:
        """The monotonic clock."""
        return time.monotonic_ns() // 1_000_000


def new_id(now: dt.datetime) -> str:
    """A UUID of version 7 (RFC 9562): the device chooses ids, and rows that were made together lie together."""
    millis = int(now.timestamp() * 1000) & (1 << 48) - 1
    value = millis << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
