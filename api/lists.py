"""Headers that are lists: several lines of one are one list (RFC 9110, 5.2), though Starlette reads the first alone."""

from starlette.datastructures import Headers


def whole(headers: Headers, name: str) -> str | None:
    """All lines of a header as one, None without any."""
    lines = headers.getlist(name)
    return ", ".join(lines) if lines else None
