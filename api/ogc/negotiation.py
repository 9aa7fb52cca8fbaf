"""Which representation is wanted: by the parameter `f`, else by `Accept` (RFC 9110, 12.5.1), else the first that is offered."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from api.lists import whole
from api.ogc.asking import Asked
from api.problems import RequestError
from gridmgmt.errors import InvalidError

JSON: Final = "application/json"
GEOJSON: Final = "application/geo+json"
HTML: Final = "text/html"
SCHEMA: Final = "application/schema+json"
OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.0"

PAGES: Final[Mapping[str, str]] = {"json": JSON, "html": HTML}
"""What documents are offered as."""


def choose(asked: Asked, offered: Mapping[str, str]) -> str:
    """The name of the wanted one among media types by name.

    Raises InvalidError (400) for an `f` that is not offered, and RequestError (406) when `Accept` takes none of them.
    """
    named = asked.given.get("f")
    if named is not None:
        if named not in offered:
            raise InvalidError(f"f: takes {', '.join(offered)}", field="f")
        return named
    accept = (whole(asked.request.headers, "accept") or "")[:1000].strip()
    found = _best(accept or "*/*", tuple(offered.items()))  # an empty list names nothing, so it excludes nothing
    if found is None:
        raise RequestError("not-acceptable", f"this is served as {', '.join(offered.values())}")
    return found


def read_ranges(header: str) -> list[tuple[str, float, int]]:
    """What a header such as Accept takes, in lower case, with the weight of each (RFC 9110, 12.4.2) and its place."""
    return [_read_range(part, place) for place, part in enumerate(header.split(","))]


@lru_cache(maxsize=1000)
def _best(accept: str, offered: tuple[tuple[str, str], ...]) -> str | None:
    """The offered one with the highest quality; what stands first in the header, and then what is offered first, among equals."""
    ranges = read_ranges(accept)
    best: tuple[float, int, int] | None = None
    name = None
    for place, (one, media_type) in enumerate(offered):
        media_type = media_type.partition(";")[0]  # noqa: PLW2901 -- which version it is has nobody to ask for
        kind, _, _ = media_type.partition("/")
        # The most exact range says how much a media type is wanted. Who takes JSON takes what is written in it (RFC 6839, 3.1).
        broader = (media_type, *((JSON,) if media_type.endswith("+json") else ()), f"{kind}/*", "*/*")
        exact = next((given for wanted in broader for given in ranges if given[0] == wanted), None)
        if exact is None or exact[1] <= 0:
            continue
        rank = (exact[1], -exact[2], -place)
        if best is None or rank > best:
            best, name = rank, one
    return name


def _read_range(part: str, place: int) -> tuple[str, float, int]:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                quality = 0.0
    return media_range, quality, place
