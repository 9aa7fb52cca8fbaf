"""Links between the pages of /ogc."""

from typing import Final

from starlette.requests import Request

JSON: Final = "application/json"
GEOJSON: Final = "application/geo+json"
SCHEMA: Final = "application/schema+json"
CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
NOTICE: Final = "演示数据"
"""Stands in every document in demo mode."""

Link = dict[str, str]


def root(request: Request) -> str:
    """Absolute address of /ogc, without a slash at its end."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}/ogc"


def link(rel: str, href: str, media_type: str, title: str | None = None) -> Link:
    """One link."""
    return {"rel": rel, "href": href, "type": media_type} | ({"title": title} if title else {})
