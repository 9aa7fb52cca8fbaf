"""OGC API - Styles: how maps draw each collection, and whole maps in which one of them lies over the ground of the district."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.responses import Response

from api.ogc.asking import Asked, members, route
from api.ogc.documents import representations, serve
from api.ogc.links import NOTICE, link
from api.ogc.negotiation import HTML
from geo.tiles import Bounds
from gridmgmt.errors import NotFoundError
from gridmgmt.layers import layers_for
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.style import Style
from gridmgmt.layers.styles import legend, map_layers, source_levels, styles_of

MEDIA_TYPE: Final = "application/vnd.mapbox.style+json"
OFFERED: Final[Mapping[str, str]] = {"mapbox": MEDIA_TYPE, "json": MEDIA_TYPE, "html": HTML}
BACKGROUND: Final = "#f4f1ea"
ORDER: Final = ("fill", "line", "circle", "symbol")
"""From the ground up: no area hides a border, and nothing hides writing."""
DEEPEST: Final = 17
"""Level of the last tiles that maps ask for: a step of such a tile is a few centimetres, so it is good for all levels beyond."""
SMALLEST: Final = 0.001
"""Degrees that a map shows at least at first."""


@dataclass(frozen=True)
class Drawing:
    """What one style draws."""

    title: str
    title_zh: str
    drawn: Sequence[tuple[Layer, Style]]
    """From the ground up; the last is what it is about, and the only one that is drawn from afar too."""

    @property
    def parts(self) -> Sequence[tuple[Layer, Style, bool]]:
        """The same, with whether it is drawn from afar."""
        return [(layer, style, layer is self.drawn[-1][0]) for layer, style in self.drawn]


async def list_maps(asked: Asked) -> Response:
    """The whole maps: each style of each layer that is no ground, over the ground."""
    return _list(asked, _maps(asked), None)


async def read_map(asked: Asked) -> Response:
    """One whole map."""
    return await _read(asked, _maps(asked), None)


async def list_styles(asked: Asked) -> Response:
    """The styles of a collection."""
    return _list(asked, _drawings(asked.layer), asked.layer)


async def read_style(asked: Asked) -> Response:
    """One style of a collection."""
    return await _read(asked, _drawings(asked.layer), asked.layer)


def _drawings(layer: Layer) -> dict[str, Drawing]:
    """The styles of a layer alone, the usual one first."""
    return {
        style.name: Drawing(f"{layer.title}: {style.title}", f"{layer.title_zh} · {style.title_zh}", [(layer, style)])
        for style in styles_of(layer)
    }


def _maps(asked: Asked) -> dict[str, Drawing]:
    """The maps that the caller may see, the usual one first: that of the uppermost layer."""
    layers = layers_for(asked.actor)[::-1]
    # The wider areas' borders lie above those of the areas in them.
    ground = [(layer, styles_of(layer)[0]) for layer in layers if layer.ground]
    maps = {
        f"{layer.name}-{name}": replace(drawing, drawn=[*ground, *drawing.drawn])
        for layer in layers
        if not layer.ground
        for name, drawing in _drawings(layer).items()
    }
    return maps | {"ground": Drawing("Areas", "区域", ground)}


def _here(asked: Asked, layer: Layer | None) -> str:
    return f"{asked.root}/styles" if layer is None else f"{asked.root}/collections/{layer.name}/styles"


def _list(asked: Asked, drawings: Mapping[str, Drawing], layer: Layer | None) -> Response:
    here = _here(asked, layer)
    listed: list[dict[str, Any]] = []
    for name, drawing in drawings.items():
        title = f"{drawing.title} {drawing.title_zh}"
        links = [
            link("stylesheet", f"{here}/{name}?f=mapbox", MEDIA_TYPE, title),
            link("alternate", f"{here}/{name}?f=html", HTML, title),
        ]
        listed.append({"id": name, "title": title, "titles": {"en": drawing.title, "zh": drawing.title_zh}, "links": links})
    page = {"links": representations(asked, here), "default": next(iter(drawings)), "styles": listed}
    return serve(asked, page | members(asked), template="styles.html", layer=layer, here=here)


async def _read(asked: Asked, drawings: Mapping[str, Drawing], layer: Layer | None) -> Response:
    name = asked.request.path_params["style"]
    drawing = drawings.get(name)
    if drawing is None:
        raise NotFoundError("there is no such style, or none that you may see")
    extents = await asked.parts.extents.read(asked.parts.database, asked.actor, [layer for layer, _ in drawing.drawn])
    page = _style(asked, drawing, [extent.box for extent in extents])
    return serve(asked, page, OFFERED, template="style.html", layer=layer, here=_here(asked, layer), name=name)


def _style(asked: Asked, drawing: Drawing, boxes: Sequence[Bounds | None]) -> dict[str, Any]:
    """A MapLibre style. What it says beside its own lies in `metadata`, because nothing else may stand in a style."""
    layers = [one for layer, style, far in drawing.parts for one in map_layers(layer, style, far=far)]
    return {
        "version": 8,
        "name": f"{drawing.title} {drawing.title_zh}",
        "metadata": {
            "gridmgmt:title": {"en": drawing.title, "zh": drawing.title_zh},
            "gridmgmt:about": drawing.drawn[-1][0].name,
            "gridmgmt:legend": [entry for layer, style, far in drawing.parts[::-1] for entry in legend(layer, style, far=far)],
            **{f"gridmgmt:{key}": told for key, told in members(asked).items()},
        },
        **_view(boxes[-1]),
        "sources": {part[0].name: _source(asked, *part, box) for part, box in zip(drawing.parts, boxes, strict=True)},
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": BACKGROUND}},
            *sorted(layers, key=lambda one: ORDER.index(one["type"])),
        ],
    }


def _source(asked: Asked, layer: Layer, style: Style, far: bool, box: Bounds | None) -> dict[str, Any]:  # noqa: FBT001 -- see Drawing.parts
    first, last = source_levels(layer, style, DEEPEST, far=far)
    source: dict[str, Any] = {
        "type": "vector",
        "tiles": [f"{asked.root}/collections/{layer.name}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt"],
        "minzoom": first,
        "maxzoom": last,
    }
    if layer.id_type == "uuid":
        source["promoteId"] = {layer.name: "id"}
    if box is not None and layer.far != "parents":  # an area reaches further than the rows that are counted in it
        source["bounds"] = list(box)
    return source | ({"attribution": NOTICE} if members(asked) else {})


def _view(box: Bounds | None) -> dict[str, Any]:
    """Where a map begins: so that what it is about fits into a small one."""
    if box is None:
        return {}
    west, south, east, north = box
    middle = (south + north) / 2
    # A degree to the north is longer on the map than one to the east.
    widest = max(east - west, (north - south) / math.cos(math.radians(middle)), SMALLEST)
    return {"center": [round((west + east) / 2, 6), round(middle, 6)], "zoom": round(math.log2(360 / widest), 2)}


ROUTES: Final = (
    route("/styles", list_maps, parameters=frozenset({"f"})),
    route("/styles/{style}", read_map, parameters=frozenset({"f"})),
    route("/collections/{collection}/styles", list_styles, parameters=frozenset({"f"})),
    route("/collections/{collection}/styles/{style}", read_style, parameters=frozenset({"f"})),
)
