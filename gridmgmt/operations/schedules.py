"""When a job comes around: once in each period, from a moment in the small hours of the district on."""

import datetime as dt
from collections.abc import Mapping
from typing import Final, Literal
from zoneinfo import ZoneInfo

Schedule = Literal["hourly", "nightly", "monthly", "quarterly"]

DISTRICT: Final = ZoneInfo("Asia/Shanghai")
NIGHT: Final = 2
"""Hour from which the work of the night is done."""
SETTLED: Final = 15
"""Day of a quarter's first month from which the quarter before is computed: most of its leases are filed by then."""
LENGTHS: Final[Mapping[Schedule, dt.timedelta]] = {
    "hourly": dt.timedelta(hours=1),
    "nightly": dt.timedelta(days=1),
    "monthly": dt.timedelta(days=31),
    "quarterly": dt.timedelta(days=92),
}
"""The longest that a period lasts."""


def begin(schedule: Schedule, now: dt.datetime) -> dt.datetime:
    """The moment from which a job of the present period is due; aware, never after `now`."""
    here = now.astimezone(DISTRICT)
    if schedule == "hourly":
        return here.replace(minute=0, second=0, microsecond=0)
    first = here.replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    if schedule == "nightly":
        return first if first <= here else first - dt.timedelta(days=1)
    if schedule == "monthly":
        first = first.replace(day=1)
        return first if first <= here else _months_before(first, 1)
    first = first.replace(day=SETTLED, month=(here.month - 1) // 3 * 3 + 1)
    return first if first <= here else _months_before(first, 3)


def is_due(schedule: Schedule, now: dt.datetime, success: dt.datetime | None) -> bool:
    """Whether nothing that began in the present period succeeded; `success` is when the last run that did began."""
    return success is None or success < begin(schedule, now)


def is_late(schedule: Schedule, now: dt.datetime, since: dt.datetime) -> bool:
    """Whether a job that last succeeded at `since` has missed two whole periods."""
    return is_due(schedule, now, since) and now - since > 2 * LENGTHS[schedule]


def _months_before(moment: dt.datetime, months: int) -> dt.datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return moment.replace(year=year, month=month + 1)
