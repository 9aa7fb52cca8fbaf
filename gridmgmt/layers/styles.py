"""Styles of layers as MapLibre draws them (MapLibre Style Specification, version 8), and their legends.

What is drawn below a layer's `minzoom` is not its features but their number in each cell or area, so each style draws both: features from
that level on, numbers below. Shades of numbers in cells mean buildings for each cell of level 17, however large the cells that are drawn,
so that a colour means the same on every level.
"""

from collections.abc import Sequence
from typing import Any, Final

from gridmgmt.layers.far import CELL_LEVEL, FINENESS
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.style import Shade, Style

USUAL: Final = Style("usual", "Features", "要素", "#2b5c8a", opacity=0.25)
"""The style of a layer that declares none."""
COUNTS: Final = (
    Shade(0, "#fdeadb", "Under 1 building in 300 × 300 m", "每 300 米见方不足 1 栋"),
    Shade(1, "#fad0ae", "1 or 2", "1–2 栋"),
    Shade(3, "#f2a47c", "3–9", "3–9 栋"),
    Shade(10, "#db6b57", "10–29", "10–29 栋"),
    Shade(30, "#a93a63", "30 or more", "30 栋及以上"),
)
SHARES: Final = (
    Shade(0.0, "#d7e1ea", "Under a quarter", "不足四分之一"),
    Shade(0.25, "#f4c9a8", "A quarter to a half", "四分之一至一半"),
    Shade(0.5, "#e38d5f", "A half to three quarters", "一半至四分之三"),
    Shade(0.75, "#b94a28", "Three quarters or more", "四分之三及以上"),
)
COARSEST: Final = 4
"""Level of the map below which numbers are shaded as on it."""
FONTS: Final = ("Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "sans-serif")
"""Of the machine that draws: no glyphs are loaded."""
INK: Final = "#1d2733"
HALO: Final = "#ffffff"

MapLayer = dict[str, Any]


def styles_of(layer: Layer) -> Sequence[Style]:
    """The ways to draw a layer, the usual one first; never none."""
    return layer.styles or (USUAL,)


def map_layers(layer: Layer, style: Style, *, far: bool = True) -> list[MapLayer]:
    """A layer as the layers of a MapLibre style, from the ground up. Their source is named like the layer.

    Without `far` nothing stands for features that are too many to draw.
    """
    drawn = _counted(layer, style) if layer.far and far else []
    return drawn if style.counted else [*drawn, *_features(layer, style)]


def source_levels(layer: Layer, style: Style, deepest: int, *, far: bool = True) -> tuple[int, int]:
    """First and last level of tiles that the style needs: those beyond are drawn from the last one's."""
    return 0 if far else layer.minzoom, max(layer.minzoom - 1, 0) if style.counted else deepest


def legend(layer: Layer, style: Style, *, far: bool = True) -> list[dict[str, Any]]:
    """What each colour says, and from which level to below which one it is drawn."""
    counted: list[dict[str, Any]] = []
    if layer.far == "cells" and far:
        limits = {} if style.counted else {"maxzoom": layer.minzoom}
        counted = [_entry(shade) | limits for shade in (SHARES if style.share else COUNTS)]
    if style.counted:
        return counted
    limits = {"minzoom": layer.minzoom} if layer.far == "cells" or (layer.far and not far) else {}
    shades = [_entry(shade) | limits for shade in style.shades]
    if shades and any(one.name == style.property and one.type in {"number", "integer"} for one in layer.properties):
        shades.append({"colour": style.colour, "title": "Not known", "title_zh": "无数据"} | limits)
    plain = {"colour": style.colour, "title": layer.title, "title_zh": layer.title_zh} | limits
    return [*counted, *(shades or [plain])]


def _entry(shade: Shade) -> dict[str, Any]:
    return {"colour": shade.colour, "title": shade.title, "title_zh": shade.title_zh}


def _features(layer: Layer, style: Style) -> list[MapLayer]:
    """The features themselves."""
    colour = _colour(layer, style)
    near = {"minzoom": layer.minzoom} if layer.far else {}
    only: list[Any] = [["==", ["get", style.only[0]], style.only[1]]] if style.only else []
    drawn: list[MapLayer] = []
    if layer.shape != "point":
        areas = near | {"filter": _all(_NEAR, _AREAS, *only)} if layer.far else {"filter": _all(_AREAS, *only)}
        drawn.append(_layer(layer, "fill", "fill", **areas, paint={"fill-color": colour, "fill-opacity": style.opacity}))
        border = {"line-color": colour, "line-width": style.width}
        drawn.append(_layer(layer, "line", "line", **areas, paint=border, layout={"line-join": "round"}))
    if layer.shape != "multipolygon":
        points = near | {"filter": _all(_NEAR, _POINTS, *only)} if layer.far else {"filter": _all(_POINTS, *only)}
        size = {"circle-radius": ["interpolate", ["linear"], ["zoom"], 12, 2, 18, 7], "circle-stroke-width": 1, "circle-stroke-color": HALO}
        drawn.append(_layer(layer, "circle", "circle", **points, paint={"circle-color": colour, **size}))
    if style.label:
        shown = [*([_NEAR] if layer.far else []), *only]
        drawn.append(_text(layer, "label", ["to-string", ["get", style.label]], **near, **({"filter": _all(*shown)} if shown else {})))
    return drawn


def _counted(layer: Layer, style: Style) -> list[MapLayer]:
    """What stands for the features where they are far away."""
    far: dict[str, Any] = {"filter": _FAR} if style.counted else {"filter": _FAR, "maxzoom": layer.minzoom}
    if layer.far == "parents":
        border = {"line-color": style.colour, "line-width": style.width}
        text = ["concat", ["get", "name"], "\n", ["to-string", ["get", "count"]]]
        return [_layer(layer, "far-line", "line", **far, paint=border), _text(layer, "far-label", text, **far)]
    colour = _stepped(["/", ["get", style.share], ["get", "count"]], SHARES) if style.share else _by_level(layer)
    return [_layer(layer, "far-fill", "fill", **far, paint={"fill-color": colour, "fill-opacity": 0.8, "fill-antialias": False})]


def _by_level(layer: Layer) -> list[Any]:
    """The shade of a number on each level: four times as many buildings lie in a cell of the level above."""
    finest = CELL_LEVEL - FINENESS
    expression: list[Any] = ["step", ["zoom"], _stepped(["get", "count"], COUNTS, 4 ** (finest - COARSEST))]
    for level in range(COARSEST + 1, finest + 1):
        expression += [level, _stepped(["get", "count"], COUNTS, 4 ** (finest - level))]
    return expression


def _stepped(number: list[Any], shades: Sequence[Shade], times: int = 1) -> list[Any]:
    """The colour of the class in which a number lies."""
    first, *others = shades
    expression: list[Any] = ["step", number, first.colour]
    for shade in others:
        assert not isinstance(shade.value, str)
        expression += [shade.value * times, shade.colour]
    return expression


def _colour(layer: Layer, style: Style) -> Any:
    """The colour of a feature. A property that is not there has the style's own."""
    if style.property is None or not style.shades:
        return style.colour
    kind = next(one.type for one in layer.properties if one.name == style.property)
    value = ["get", style.property]
    if kind in {"number", "integer"}:
        return ["case", ["==", ["typeof", value], "number"], _stepped(value, style.shades), style.colour]
    if kind == "boolean":
        cases = [part for shade in style.shades for part in (["==", value, shade.value], shade.colour)]
        return ["case", *cases, style.colour]
    return ["match", value, *(part for shade in style.shades for part in (shade.value, shade.colour)), style.colour]


def _all(*conditions: list[Any]) -> list[Any]:
    """All of these, one at least."""
    return conditions[0] if len(conditions) == 1 else ["all", *conditions]


def _layer(layer: Layer, part: str, kind: str, **more: Any) -> MapLayer:
    return {"id": f"{layer.name}-{part}", "type": kind, "source": layer.name, "source-layer": layer.name, **more}


def _text(layer: Layer, part: str, text: list[Any], **more: Any) -> MapLayer:
    layout = {"text-field": text, "text-font": [*FONTS], "text-size": 12, "text-padding": 12, "text-max-width": 8}
    paint = {"text-color": INK, "text-halo-color": HALO, "text-halo-width": 1.5}
    return _layer(layer, part, "symbol", **more, layout=layout, paint=paint)


_FAR: Final = ["has", "count"]
_NEAR: Final = ["!", ["has", "count"]]
_AREAS: Final = ["match", ["geometry-type"], ["Polygon", "MultiPolygon"], True, False]
_POINTS: Final = ["match", ["geometry-type"], ["Point", "MultiPoint"], True, False]
