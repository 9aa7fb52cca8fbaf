"""Links between the pages of /ogc."""

from typing import Final

NOTICE: Final = "演示数据"
"""Stands in every document in demo mode."""

RELATIONS: Final = "http://www.opengis.net/def/rel/ogc/1.0"
"""What the names of OGC's own relations begin with."""

Link = dict[str, str]


def link(rel: str, href: str, media_type: str, title: str | None = None) -> Link:
    """One link."""
    return {"rel": rel, "href": href, "type": media_type} | ({"title": title} if title else {})
