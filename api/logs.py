"""The service's log: JSON lines by a whitelist.

Bodies, query strings, names and numbers cannot come into it, because nothing is written that is not listed here. An error is its
class, its SQLSTATE and the places in the code, never its text: PostgreSQL's texts quote the row.
"""

import sys
import traceback
from collections.abc import MutableMapping
from pathlib import PurePath
from typing import Any, Final, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

WHITELIST: Final = frozenset(
    {"event", "level", "timestamp", "request_id", "method", "route", "status", "ms", "error", "sqlstate", "frames", "slug"}
)
FRAMES: Final = 12


def make_log(stream: TextIO | None = None) -> FilteringBoundLogger:
    """A log of its own to `stream` (standard error unless given); nothing global is configured."""
    return structlog.wrap_logger(
        structlog.PrintLogger(stream or sys.stderr),
        processors=[
            _only_listed,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )


def describe(error: BaseException) -> dict[str, object]:
    """An error for the log: class, SQLSTATE of it or of its cause, and the last places in the code."""
    cause = getattr(error, "orig", None) or error
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return {
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "sqlstate": getattr(cause, "sqlstate", None),
        "frames": [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _only_listed(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: value for name, value in event.items() if name in WHITELIST}
