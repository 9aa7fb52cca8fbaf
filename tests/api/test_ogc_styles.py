"""Styles of maps: for whom, of what, and that nothing stands in them that a map would not find in our tiles."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from gridmgmt.layers import LAYERS
from gridmgmt.layers.far import far_properties
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.style import Style
from gridmgmt.layers.styles import legend, map_layers, styles_of
from gridmgmt.layers.tiles import drawn_properties
from tests.api.conftest import LogIn

MEDIA_TYPE = "application/vnd.mapbox.style+json"
ROOT = "http://testserver/ogc"
COLOUR = re.compile(r"#[0-9a-f]{6}")
ANY = {"visibility"}
KNOWN = {
    "background": {"background-color"},
    "fill": {"fill-color", "fill-opacity", "fill-antialias"},
    "line": {"line-color", "line-width", "line-join"},
    "circle": {"circle-color", "circle-radius", "circle-stroke-width", "circle-stroke-color"},
    "symbol": {
        "text-field", "text-font", "text-size", "text-padding", "text-max-width", "text-color", "text-halo-color", "text-halo-width",
    },
}  # fmt: skip
"""What may be said of a layer of each type in version 8 of the specification, as far as we say it."""
DRAWN = [(layer, style) for layer in LAYERS.values() for style in styles_of(layer)]


def stylesheet(client: TestClient, path: str) -> dict[str, Any]:
    answer = client.get(f"/ogc/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE), answer.text
    return answer.json()


def names_of(expression: Any) -> Iterator[str]:
    """The properties that an expression asks for."""
    if isinstance(expression, list):
        if expression[:1] in (["get"], ["has"]):
            yield expression[1]
        for part in expression:
            yield from names_of(part)


def told(layer: dict[str, Any]) -> dict[str, Any]:
    return {**layer.get("paint", {}), **layer.get("layout", {})}


REFUSED = (
    ("styles/nothing", 404),
    ("styles/buildings-nature", 404),
    ("collections/communities/styles/nothing", 404),
    ("collections/communities/styles/border?f=sld", 400),
    ("collections/communities/styles?style=border", 400),
    ("collections/nothing/styles", 404),
    ("collections/buildings/styles", 404),
    ("collections/buildings/styles/nature", 404),
)


def test_what_is_no_style_is_refused(client: TestClient) -> None:
    for path, status in REFUSED:
        assert client.get(f"/ogc/{path}").status_code == status, path


def test_everybody_finds_the_maps_of_the_own_layers(client: TestClient, log_in: LogIn) -> None:
    public, worker = client.get("/ogc/styles").json(), log_in("worker").get("/ogc/styles").json()
    assert not [one["id"] for one in public["styles"] if one["id"].startswith(("buildings", "grids"))]
    assert worker["default"] == "buildings-nature"
    assert {"buildings-nature", "buildings-rental", "buildings-density", "ground"} <= {one["id"] for one in worker["styles"]}
    for page in (public, worker):
        ids = [one["id"] for one in page["styles"]]
        assert page["default"] in ids
        assert len(set(ids)) == len(ids)


def test_every_listed_style_is_there(log_in: LogIn) -> None:
    district = log_in("district")
    for path in ("styles", *(f"collections/{name}/styles" for name in LAYERS)):
        page = district.get(f"/ogc/{path}").json()
        for one in page["styles"]:
            (sheet,) = [link for link in one["links"] if link["rel"] == "stylesheet"]
            assert sheet["type"] == MEDIA_TYPE
            answer = district.get(sheet["href"])
            assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
            again = district.get(sheet["href"], headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304


def test_whole_map_lies_over_the_ground_and_its_sources_are_our_tiles(log_in: LogIn) -> None:
    page = stylesheet(log_in("district"), "styles/buildings-nature")
    assert list(page["sources"]) == ["grids", "communities", "subdistricts", "buildings"]
    for name, source in page["sources"].items():
        assert source["type"] == "vector"
        assert source["tiles"] == [f"{ROOT}/collections/{name}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}?f=mvt"]
        assert source["attribution"] == "演示数据"
    assert page["metadata"]["gridmgmt:notice"] == "演示数据"
    assert page["sources"]["buildings"]["promoteId"] == {"buildings": "id"}
    assert set(page) == {"version", "name", "metadata", "center", "zoom", "sources", "layers"}
    types = [one["type"] for one in page["layers"]]
    assert types[0] == "background"
    assert types == sorted(types, key=["background", "fill", "line", "circle", "symbol"].index)
    assert not [one["id"] for one in page["layers"] if "far-" in one["id"] and one["source"] != "buildings"]


def test_map_begins_where_its_features_are(client: TestClient) -> None:
    (west, south, east, north) = client.get("/ogc/collections/subdistricts").json()["extent"]["spatial"]["bbox"][0]
    page = stylesheet(client, "styles/ground")
    assert page["center"] == pytest.approx([(west + east) / 2, (south + north) / 2], abs=1e-6)
    width = max(east - west, (north - south) / math.cos(math.radians((south + north) / 2)))
    assert 360 / 2 ** page["zoom"] == pytest.approx(width, rel=0.01)  # what a map of 512 pixels shows on that level


def test_features_and_their_numbers_never_show_on_one_level(log_in: LogIn) -> None:
    layers = {one["id"]: one for one in stylesheet(log_in("district"), "collections/buildings/styles/nature")["layers"]}
    assert layers["buildings-far-fill"]["maxzoom"] == layers["buildings-fill"]["minzoom"] == layers["buildings-circle"]["minzoom"] == 14
    colour = layers["buildings-fill"]["paint"]["fill-color"]
    assert colour[:2] == ["match", ["get", "nature"]]
    assert colour[2:-1:2] == ["self_built", "collective", "factory_dormitory", "commodity", "apartment", "other"]


def test_density_is_drawn_of_numbers_on_every_level(log_in: LogIn) -> None:
    page = stylesheet(log_in("district"), "collections/buildings/styles/density")
    assert [one["id"] for one in page["layers"]] == ["background", "buildings-far-fill"]
    assert not {"minzoom", "maxzoom"} & set(page["layers"][1])
    assert page["sources"]["buildings"]["maxzoom"] == 13
    steps = page["layers"][1]["paint"]["fill-color"]
    assert steps[:2] == ["step", ["zoom"]]
    by_level = dict(zip(steps[3::2], steps[4::2], strict=True))
    assert by_level[12][3::2] == [1, 3, 10, 30]
    assert by_level[11][3::2] == [4, 12, 40, 120]  # a cell of the level above holds four


@pytest.mark.parametrize(("layer", "style"), DRAWN, ids=[f"{layer.name}-{style.name}" for layer, style in DRAWN])
def test_style_asks_for_nothing_that_tiles_do_not_carry(layer: Layer, style: Style) -> None:
    near, far = ({one.name for one in carried} for carried in (drawn_properties(layer), far_properties(layer) if layer.far else ()))
    assert not (layer.far and "count" in near)  # by which what is far is told from what is near
    drawn = map_layers(layer, style)
    assert len({one["id"] for one in drawn}) == len(drawn) > 0
    for one in drawn:
        assert (one["source"], one["source-layer"]) == (layer.name, layer.name)
        assert set(told(one)) <= KNOWN[one["type"]]
        carried = far if "far-" in one["id"] else near | {"count"}
        assert set(names_of([one.get("filter"), *told(one).values()])) <= carried, one["id"]
        for colour in re.findall(r"#\w+", str(told(one))):
            assert COLOUR.fullmatch(colour)
    if style.property is not None:
        (declared,) = [one for one in layer.properties if one.name == style.property]
        if declared.values:
            assert {shade.value for shade in style.shades} == set(declared.values)
        if declared.type in {"number", "integer"}:
            assert [shade.value for shade in style.shades] == sorted({shade.value for shade in style.shades}, key=float)
    entries = legend(layer, style)
    assert style.colour in {entry["colour"] for entry in entries} or style.counted or style.property is not None
    assert {shade.colour for shade in style.shades} <= {entry["colour"] for entry in entries}
    assert all(COLOUR.fullmatch(entry["colour"]) and entry["title"] and entry["title_zh"] for entry in entries)
