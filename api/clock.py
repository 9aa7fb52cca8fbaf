"""Days are days of the district, whatever the machine's own zone."""

import datetime as dt
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends


async def _today() -> dt.date:
    return dt.datetime.now(ZoneInfo("Asia/Shanghai")).date()


TodayDep = Annotated[dt.date, Depends(_today)]
"""The district's day."""
