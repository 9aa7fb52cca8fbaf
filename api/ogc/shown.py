"""Features as pages for people: a table, and a map where they come in degrees, longitude first."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import URL
from starlette.responses import Response

from api.ogc.asking import Asked
from api.ogc.documents import answer
from api.ogc.files import FILES
from api.ogc.html import render
from api.ogc.links import Link, link
from api.ogc.negotiation import GEOJSON, HTML
from geo.crs import LONLAT
from geo.features import Look


def show_items(asked: Asked, body: bytes, look: Look, offered: Mapping[str, str]) -> Response:
    """A page of features."""
    url = asked.request.url
    then = urlencode({"as_of": asked.given["as_of"]}) if "as_of" in asked.given else ""
    more = {"further": "cursor" in asked.given, "first": str(url.remove_query_params("cursor")), "then": then}
    return _show(asked, "items.html", body, look, offered, **more)


def show_item(asked: Asked, body: bytes, look: Look, offered: Mapping[str, str]) -> Response:
    """One feature."""
    return _show(asked, "item.html", body, look, offered)


def alternates(address: str, offered: Mapping[str, str], wanted: str = GEOJSON) -> list[Link]:
    """A link for each representation of what is read at `address`, besides the wanted one."""
    page = _without(address, "f")
    file = _without(page, "cursor", "count")  # a file has no pages and no count
    names: dict[str, str] = {}
    for name, media_type in offered.items():
        names.setdefault(media_type, name)
    here = {name: file if name in FILES else page for name in names.values()}
    return [
        link("alternate", f"{here[name]}{'&' if '?' in here[name] else '?'}f={name}", media_type)
        for media_type, name in names.items()
        if media_type != wanted
    ]


def _without(address: str, *names: str) -> str:
    if not any(f"{name}=" in address for name in names):
        return address
    return str(URL(address).remove_query_params(names))


def _show(asked: Asked, template: str, body: bytes, look: Look, offered: Mapping[str, str], **more: Any) -> Response:
    shown = [one for one in asked.layer.properties if one.name in look.properties]
    drawn = look.exchange is LONLAT and look.geometry
    page = orjson.loads(body)
    page["links"] = [one for one in page["links"] if one["rel"] != "alternate"] + alternates(asked.address, offered, HTML)
    return answer(asked, render(asked, template, page, layer=asked.layer, shown=shown, drawn=drawn, **more), HTML)
