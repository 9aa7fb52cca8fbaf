"""OGC API - Tiles: the sets of tiles, which of them a collection has, and the tiles themselves, drawn by PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, TypeAdapter
from starlette.responses import Response

from api.conditional import has_current
from api.disconnection import unless_gone
from api.lists import whole
from api.ogc.asking import Asked, members, read, route
from api.ogc.documents import representations, serve
from api.ogc.links import RELATIONS, Link, link
from api.ogc.negotiation import HTML, JSON, choose
from api.ogc.tags import etag_of, headers_of
from api.ogc.wanted import read_period, read_then
from api.schemas.base import read_digits
from geo.crs import LONLAT
from geo.tiles import DEEPEST, MEDIA_TYPE, Bounds, Quad, definition, quads
from gridmgmt.errors import NotFoundError
from gridmgmt.layers.far import far_properties
from gridmgmt.layers.layer import Layer, Property
from gridmgmt.layers.stamps import stamp_of
from gridmgmt.layers.tiles import ID, drawn_properties, is_far, tile_of

TILEJSON: Final = "application/vnd.mapbox.tile+json"
DRAWN: Final = {"mvt": MEDIA_TYPE}
MERCATOR: Final = "WebMercatorQuad"
NUMBER: Final[TypeAdapter[int]] = TypeAdapter(Annotated[int, BeforeValidator(read_digits), Field(ge=0)])
_PLACE: Final = ("tileMatrix", "tileRow", "tileCol")
_JSON_TYPES: Final = {"integer": "Number", "number": "Number", "boolean": "Boolean", "string": "String"}


async def list_tile_matrix_sets(asked: Asked) -> Response:
    """The sets by which tiles are counted."""
    sets = [
        {"id": quad.name, "title": quad.title, "uri": quad.uri, "crs": quad.crs, "links": [_scheme(asked, quad, "self")]}
        for quad in quads().values()
    ]
    page = {"links": representations(asked, f"{asked.root}/tileMatrixSets"), "tileMatrixSets": sets}
    return serve(asked, page | members(asked), template="tile_matrix_sets.html")


async def read_tile_matrix_set(asked: Asked) -> Response:
    """The definition of one set."""
    return serve(asked, {**definition(_quad(asked).name), **members(asked)}, template="tile_matrix_set.html")


async def list_tilesets(asked: Asked) -> Response:
    """The tilesets of a collection: one for each set."""
    layer = asked.layer
    here = _here(asked, layer)
    listed = [_about(layer, quad) | {"links": _links(asked, layer, quad)} for quad in quads().values()]
    page = {"links": representations(asked, here), "tilesets": listed}
    return serve(asked, page | members(asked), template="tilesets.html", layer=layer)


async def read_tileset(asked: Asked) -> Response:
    """What tiles a collection has in one set, and how to ask for them: as OGC says it, or as TileJSON 3.0."""
    layer, quad = asked.layer, _quad(asked)
    offered = {"json": JSON} | ({"tilejson": TILEJSON} if quad.name == MERCATOR else {}) | {"html": HTML}
    [extent] = await asked.parts.extents.read(asked.parts.database, asked.actor, [layer])
    if choose(asked, offered) == "tilejson":
        return serve(asked, _tilejson(asked, layer, quad, extent.box) | members(asked), offered)
    page = _about(layer, quad) | {
        "links": _links(asked, layer, quad),
        "layers": [_described(layer)],
        "tileMatrixSetLimits": _limits(layer, quad, extent.box),
    }
    if extent.box is not None:
        west, south, east, north = extent.box
        page["boundingBox"] = {"lowerLeft": [west, south], "upperRight": [east, north], "crs": LONLAT.uri}
    return serve(asked, page | members(asked), offered, template="tileset.html", layer=layer)


async def draw_tile(asked: Asked) -> Response:
    """One tile: without a byte where nothing lies in it, 404 beyond the tileset's limits. Kept while its stamp is the same."""
    layer, quad = asked.layer, _quad(asked)
    choose(asked, DRAWN)
    level, row, column = (read(name, asked.request.path_params[name], NUMBER) for name in _PLACE)
    if not quad.holds(level, row, column):
        raise NotFoundError("there is no such tile in the set")
    moment, period = read_then(asked).get("moment"), read_period(asked)
    wanted, tiles = (layer.name, quad.name, level, row, column, moment, period), asked.parts.tiles
    if_none_match = whole(asked.request.headers, "if-none-match")
    stamp = drawn = None
    if if_none_match is not None or tiles.knows(wanted):
        [[(stamp,)]] = await asked.parts.database.read(asked.actor, stamp_of(layer))
        assert stamp is not None
        headers = headers_of(asked, None, etag_of(asked, stamp))
        if has_current(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        drawn = tiles.find(wanted, stamp)
    if drawn is None:
        query = tile_of(layer, quad, level, row, column, moment=moment, period=period)
        # With the stamp of its own snapshot: a write may have come between.
        [[(stamp,)], [(drawn,)]] = await unless_gone(asked.request, asked.parts.database.read(asked.actor, stamp_of(layer), query))
        assert stamp is not None
        assert drawn is not None
        tiles.keep(wanted, stamp, drawn)
    assert stamp is not None
    headers = headers_of(asked, None, etag_of(asked, stamp))
    if not drawn:
        await _within_limits(asked, quad, level, row, column)
    return Response(drawn, media_type=MEDIA_TYPE, headers=headers)


async def _within_limits(asked: Asked, quad: Quad, level: int, row: int, column: int) -> None:
    """Raise NotFoundError where the tileset has no tiles, as the standard has it (/req/core/tc-error)."""
    [extent] = await asked.parts.extents.read(asked.parts.database, asked.actor, [asked.layer])
    if extent.box is not None:
        first_row, last_row, first_column, last_column = _limits_of(asked.layer, quad, level, extent.box)
        if not (first_row <= row <= last_row and first_column <= column <= last_column):
            raise NotFoundError("the tileset has no tile there")


def _quad(asked: Asked) -> Quad:
    quad = quads().get(asked.request.path_params["tileMatrixSetId"])
    if quad is None:
        raise NotFoundError(f"there is no such tile matrix set; there are {', '.join(quads())}")
    return quad


def _here(asked: Asked, layer: Layer) -> str:
    return f"{asked.root}/collections/{layer.name}/tiles"


def _scheme(asked: Asked, quad: Quad, rel: str) -> Link:
    return link(rel, f"{asked.root}/tileMatrixSets/{quad.name}", JSON, quad.title)


def _about(layer: Layer, quad: Quad) -> dict[str, Any]:
    named = {"tileMatrixSetId": quad.name, "tileMatrixSetURI": quad.uri}
    return {"title": layer.title, "dataType": "vector", "crs": quad.crs} | named


def _links(asked: Asked, layer: Layer, quad: Quad) -> list[dict[str, Any]]:
    here = f"{_here(asked, layer)}/{quad.name}"
    links: list[dict[str, Any]] = [
        dict(link("self", here, JSON, layer.title)),
        dict(_scheme(asked, quad, f"{RELATIONS}/tiling-scheme")),
        {**link("item", f"{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}?f=mvt", MEDIA_TYPE, "Tiles"), "templated": True},
        dict(link(f"{RELATIONS}/geodata", f"{asked.root}/collections/{layer.name}", JSON, layer.title)),
    ]
    if quad.name == MERCATOR:
        links.append(dict(link("describedby", f"{here}?f=tilejson", TILEJSON, "TileJSON")))
    return links


def _described(layer: Layer) -> dict[str, Any]:
    told = {name: _schema(meanings) for name, meanings in _carried(layer).items()}
    return {
        "id": layer.name,
        "title": layer.title,
        "dataType": "vector",
        "minTileMatrix": "0",
        "maxTileMatrix": str(DEEPEST),
        "propertiesSchema": {"type": "object", "properties": told},
    }


def _schema(meanings: Sequence[tuple[Property, str]]) -> dict[str, Any]:
    each = [{"type": one.type, "title": one.title} | ({"description": levels} if levels else {}) for one, levels in meanings]
    return {"oneOf": each} if len(each) > 1 else each[0]


def _carried(layer: Layer) -> Mapping[str, Sequence[tuple[Property, str]]]:
    """The properties that tiles carry by name, and on which levels unless on all of them.

    Far away other things are drawn than the features, of which a property of the same name may be another.
    """
    far = {one.name: one for one in far_properties(layer)} if layer.far else {}
    near = {one.name: one for one in (*((ID,) if layer.id_type == "uuid" else ()), *drawn_properties(layer))}
    carried: dict[str, list[tuple[Property, str]]] = {}
    for name, one in near.items():
        same = not far or (name in far and far[name].type == one.type)
        carried[name] = [(one, "" if same else f"from level {layer.minzoom}")]
    for name, one in far.items():
        if name not in near or near[name].type != one.type:
            carried.setdefault(name, []).append((one, f"below level {layer.minzoom}"))
    return carried


def _limits_of(layer: Layer, quad: Quad, level: int, box: Bounds) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the tiles that hold something."""
    if is_far(layer, level) and _reaches_on(layer):
        return 0, (1 << level) - 1, 0, (quad.columns << level) - 1
    return quad.limits(level, box)


def _reaches_on(layer: Layer) -> bool:
    """Whether what stands for the features far away, the areas around them, reaches beyond those that the caller sees."""
    return layer.far == "parents" and not layer.public


def _limits(layer: Layer, quad: Quad, box: Bounds | None) -> list[dict[str, Any]]:
    """Which tiles may hold something at each level."""
    if box is None:
        return []
    limits: list[dict[str, Any]] = []
    for level in range(quad.deepest + 1):
        first_row, last_row, first_column, last_column = _limits_of(layer, quad, level, box)
        limits.append(
            {
                "tileMatrix": str(level),
                "minTileRow": first_row,
                "maxTileRow": last_row,
                "minTileCol": first_column,
                "maxTileCol": last_column,
            }
        )
    return limits


def _tilejson(asked: Asked, layer: Layer, quad: Quad, box: Bounds | None) -> dict[str, Any]:
    fields = {
        name: "; ".join(f"{_JSON_TYPES[one.type]}, {levels}" if levels else _JSON_TYPES[one.type] for one, levels in meanings)
        for name, meanings in _carried(layer).items()
    }
    page: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": f"{layer.title} {layer.title_zh}",
        "description": layer.description,
        "scheme": "xyz",
        "tiles": [f"{_here(asked, layer)}/{quad.name}/{{z}}/{{y}}/{{x}}?f=mvt"],
        "minzoom": 0,
        "maxzoom": quad.deepest,
        "vector_layers": [{"id": layer.name, "description": layer.title, "minzoom": 0, "maxzoom": quad.deepest, "fields": fields}],
    }
    if box is not None and not _reaches_on(layer):
        page["bounds"] = list(box)
    return page


_F: Final = frozenset({"f"})
_TILESET: Final = "/collections/{collection}/tiles/{tileMatrixSetId}"
ROUTES: Final = (
    # The row stands before the column, as OGC counts; z/x/y of other services is turned by the template of the TileJSON.
    route(f"{_TILESET}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}", draw_tile, parameters=_F | {"as_of", "datetime"}),
    route(_TILESET, read_tileset, parameters=_F),
    route("/collections/{collection}/tiles", list_tilesets, parameters=_F),
    route("/tileMatrixSets/{tileMatrixSetId}", read_tile_matrix_set, parameters=_F),
    route("/tileMatrixSets", list_tile_matrix_sets, parameters=_F),
)
