"""Documents as pages for people, in Chinese or English, made from the very document that programs get. All text in them is escaped."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.lists import whole
from api.ogc.asking import LANGUAGES, Asked
from api.ogc.links import NOTICE
from api.ogc.negotiation import read_ranges

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "service": ("网格与楼栋", "Grids and buildings"),
    "demo": ("演示数据，全部为虚构", f"{NOTICE} · Demonstration data, all of it invented"),
    "skip": ("跳到正文", "Skip to the content"),
    "you-are-here": ("当前位置", "You are here"),
    "map": ("地图", "Map"),
    "home": ("首页", "Home"),
    "collections": ("图层", "Layers"),
    "items": ("要素", "Features"),
    "conformance": ("符合性声明", "Conformance"),
    "api": ("接口文档", "API"),
    "queryables": ("可查询属性", "Queryables"),
    "sortables": ("可排序属性", "Sortables"),
    "schema": ("要素结构", "Schema"),
    "other": ("其他格式", "Other representations"),
    "links": ("链接", "Links"),
    "id": ("标识", "Id"),
    "name": ("名称", "Name"),
    "title": ("标题", "Title"),
    "type": ("类型", "Type"),
    "values": ("取值", "Values"),
    "description": ("说明", "Description"),
    "extent": ("范围", "Extent"),
    "since": ("起始时间", "Since"),
    "crs": ("坐标参考系", "Reference systems"),
    "property": ("属性", "Property"),
    "value": ("值", "Value"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "next": ("下一页", "Next page"),
    "first": ("第一页", "First page"),
    "returned": ("本页要素数", "Features on this page"),
    "matched": ("符合条件的要素总数", "Features that match"),
    "estimated": ("符合条件的要素总数（估计）", "Features that match (estimated)"),
    "empty": ("没有符合条件的要素", "There are no features that match"),
    "none": ("没有可见的图层", "There are no layers that you may see"),
    "address": ("地址", "Address"),
    "parameters": ("参数", "Parameters"),
    "styles": ("地图样式", "Map styles"),
    "tilesets": ("矢量瓦片", "Map tiles"),
    "tile-matrix-sets": ("瓦片矩阵集", "Tile matrix sets"),
    "tile-matrix-set": ("瓦片矩阵集", "Tile matrix set"),
    "tile": ("瓦片地址", "Address of a tile"),
    "level": ("级别", "Level"),
    "scale": ("比例尺分母", "Scale denominator"),
    "cell-size": ("像元大小", "Cell size"),
    "matrix": ("列数 × 行数", "Columns × rows"),
    "columns": ("列", "Columns"),
    "rows": ("行", "Rows"),
    "legend": ("图例", "Legend"),
    "stylesheet": ("样式文件（MapLibre）", "Stylesheet (MapLibre)"),
}


def read_language(asked: Asked) -> str:
    """`lang`, else what Accept-Language wants most of what is spoken here, the first among equals, else Chinese."""
    if "lang" in asked.given:
        return asked.given["lang"]
    wanted = read_ranges((whole(asked.request.headers, "accept-language") or "")[:200])
    spoken = [(weight, -place, tag.partition("-")[0]) for tag, weight, place in wanted if weight > 0]
    return max((one for one in spoken if one[2] in LANGUAGES), default=(0, 0, "zh"))[2]


def render(asked: Asked, template: str, page: Mapping[str, Any], **more: Any) -> bytes:
    """A document as a page."""
    language = read_language(asked)
    words = {name: both[LANGUAGES.index(language)] for name, both in _WORDS.items()}
    other = LANGUAGES[1 - LANGUAGES.index(language)]
    switched = urlencode([*((k, v) for k, v in asked.given.items() if k not in {"lang", "f"}), ("f", "html"), ("lang", other)])
    text = (
        _environment()
        .get_template(template)
        .render(
            page=page,
            root=asked.root,
            site=asked.root.removesuffix("/ogc"),
            lang=language,
            words=words,
            keep=f"?f=html&lang={language}" if "lang" in asked.given else "?f=html",
            switched=f"?{switched}",
            demo=asked.parts.settings.access.demo_mode,
            **more,
        )
    )
    return text.encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment
