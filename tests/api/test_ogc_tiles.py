"""Vector tiles: what lies in them and where, for whom, how long they are good, and what is no tile.

Tiles are read by mapbox-vector-tile, which knows nothing of PostGIS. Places in them are worked out from longitude and latitude by the
formulas of Web Mercator.
"""

import math
from itertools import pairwise
from typing import Any

import mapbox_vector_tile
import morecantile
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from geo.tiles import quads
from gridmgmt.layers.tiles import OVERHEAD, Tiles
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import point

MERCATOR = "WebMercatorQuad"
LONLAT = "WorldCRS84Quad"


def place(level: int, east: float, north: float) -> tuple[float, float]:
    """Columns from the west and rows from the north, with fractions, of metres from the origin in the Web Mercator set."""
    lon, lat = point(east, north)
    down = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return (lon + 180) / 360 * 2**level, down * 2**level


def address(layer: str, level: int, east: float, north: float) -> str:
    """The tile over a place."""
    column, row = place(level, east, north)
    return f"/ogc/collections/{layer}/tiles/{MERCATOR}/{level}/{int(row)}/{int(column)}"


def drawn_in(client: TestClient, at: str) -> list[dict[str, Any]]:
    """The features of a tile, coordinates counted from the north-west corner."""
    answer = client.get(at)
    if answer.status_code == 404 or not answer.content:
        return []
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/vnd.mapbox-vector-tile"), answer.text
    layers = mapbox_vector_tile.decode(answer.content, default_options={"y_coord_down": True})
    (name,) = layers
    assert f"/collections/{name}/" in at
    assert (layers[name]["extent"], layers[name]["version"]) == (4096, 2)
    return layers[name]["features"]


REFUSED = (
    ("tiles/NoSuchSet/0/0/0", 404, None),
    (f"tiles/{MERCATOR}/0/0/1", 404, None),
    (f"tiles/{MERCATOR}/0/1/0", 404, None),
    (f"tiles/{LONLAT}/0/0/2", 404, None),
    (f"tiles/{MERCATOR}/23/0/0", 404, None),
    (f"tiles/{MERCATOR}/{'9' * 18}/0/0", 404, None),
    (f"tiles/{MERCATOR}/x/0/0", 400, "tileMatrix"),
    (f"tiles/{MERCATOR}/0/-1/0", 400, "tileRow"),
    (f"tiles/{MERCATOR}/0/0/1.5", 400, "tileCol"),
    (f"tiles/{MERCATOR}/0/0/0?f=png", 400, "f"),
    (f"tiles/{MERCATOR}/0/0/0?bbox=1,2,3,4", 400, "bbox"),
    (f"tiles/{MERCATOR}/0/0/0?as_of=yesterday", 400, "as_of"),
    (f"tiles/{MERCATOR}/0/0/0?datetime=yesterday", 400, "datetime"),
    (f"tiles/{MERCATOR}/0/0/0?datetime=2024-01-02/2024-01-01", 400, "datetime"),
    (f"tiles/{LONLAT}?f=tilejson", 400, "f"),
    ("tiles/NoSuchSet", 404, None),
)


def test_what_is_no_tile_is_refused(client: TestClient) -> None:
    for at, status, field in REFUSED:
        answer = client.get(f"/ogc/collections/communities/{at}")
        assert answer.status_code == status, (at, answer.text)
        assert [error["field"] for error in answer.json().get("errors", [])] == ([field] if field else []), at


def test_tiles_of_a_hidden_layer_are_told_like_those_of_one_that_never_was(client: TestClient) -> None:
    told = {client.get(f"/ogc/collections/{name}/tiles/{MERCATOR}/0/0/0").text for name in ("buildings", "persons")}
    told |= {client.get(f"/ogc/collections/{name}/tiles").text for name in ("buildings", "persons")}
    assert len({answer.partition('"detail"')[2].partition(",")[0] for answer in told}) == 1


def test_building_lies_where_its_footprint_does(log_in: LogIn, drawn: Drawn) -> None:
    at = address("buildings", 16, 250, 200)
    (tower,) = [one for one in drawn_in(log_in("district"), at) if one["properties"]["id"] == str(drawn.places.buildings["tower"])]
    assert tower["properties"] == {"id": str(drawn.places.buildings["tower"]), "nature": "commodity", "rental": True}
    (west, south), (east, north) = place(16, 235, 185), place(16, 265, 215)
    corner_column, corner_row = int(place(16, 250, 200)[0]), int(place(16, 250, 200)[1])
    across = [x for ring in tower["geometry"]["coordinates"] for x, _ in ring]
    down = [y for ring in tower["geometry"]["coordinates"] for _, y in ring]
    wanted = [(west - corner_column) * 4096, (east - corner_column) * 4096, (north - corner_row) * 4096, (south - corner_row) * 4096]
    assert [min(across), max(across), min(down), max(down)] == pytest.approx(wanted, abs=2)


def test_both_sets_show_the_same_areas_with_their_codes(client: TestClient, drawn: Drawn) -> None:
    lon, lat = point(500, 400)
    side = 180 / 2**12
    row, column = int((90 - lat) / side), int((lon + 180) / side)
    for at in (address("communities", 12, 500, 400), f"/ogc/collections/communities/tiles/{LONLAT}/12/{row}/{column}"):
        told = {one["id"]: one["properties"] for one in drawn_in(client, at)}
        assert told[drawn.places.areas["440399001001"]] == {"code": "440399001001", "name": "南社区"}


def test_nothing_far_away(client: TestClient) -> None:
    answer = client.get(f"/ogc/collections/communities/tiles/{MERCATOR}/14/0/0")
    assert (answer.status_code, answer.json()["detail"]) == (404, "the tileset has no tile there")
    answer = client.get(f"/ogc/collections/communities/tiles/{MERCATOR}/0/0/0")  # where the district is less than a point
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/vnd.mapbox-vector-tile", b"")
    assert answer.headers["etag"]


def test_everybody_sees_the_own_buildings_whoever_asked_before(log_in: LogIn) -> None:
    tiles = sorted({address("buildings", 14, east, north) for east in (0, 750, 1250) for north in (0, 400, 700)})

    def seen(name: str) -> int:
        known = log_in(name)
        return len({one["properties"]["id"] for at in tiles for one in drawn_in(known, at)})

    names = ("district", "worker", "subdistrict", "worker-east", "subdistrict-east", "district", "worker")
    assert [seen(name) for name in names] == [5, 2, 4, 1, 1, 5, 2]


def test_tile_is_good_until_something_is_written(log_in: LogIn, app: FastAPI, drawn: Drawn) -> None:
    district = log_in("district")
    at = address("buildings", 14, 250, 200)
    first = district.get(at)
    assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
    size = app.state.parts.tiles.size
    assert size == len(first.content) + OVERHEAD
    assert district.get(at, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert district.get(at).content == first.content
    assert app.state.parts.tiles.size == size  # drawn once
    tower = f"/v1/buildings/{drawn.places.buildings['tower']}"
    assert district.patch(tower, json={"nature": "other"}, headers={"If-Match": "*"}).status_code == 200
    again = district.get(at, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert again.headers["etag"] != first.headers["etag"]
    mine = [one for one in drawn_in(district, at) if one["properties"]["id"] == str(drawn.places.buildings["tower"])]
    assert [one["properties"]["nature"] for one in mine] == ["other"]


def test_tile_as_of_a_time_before_anything_was_known_is_empty(client: TestClient) -> None:
    at = address("communities", 14, 500, 400)
    assert client.get(f"{at}?as_of=2021-01-01T00:00:00Z").content == b""
    assert len(drawn_in(client, f"{at}?as_of=2150-01-01T00:00:00Z")) == len(drawn_in(client, at)) > 0


@pytest.mark.parametrize("name", [MERCATOR, LONLAT])
def test_tile_shows_what_is_in_force_at_a_time(client: TestClient, name: str) -> None:
    """The communities of the district are in force since 2020 or later; far away, so are those that are counted."""
    for level in (14, 9):
        at = address("communities", level, 500, 400)
        if name == LONLAT:
            (lon, lat), side = point(500, 400), 180 / 2**level
            at = f"/ogc/collections/communities/tiles/{LONLAT}/{level}/{int((90 - lat) / side)}/{int((lon + 180) / side)}"
        now = drawn_in(client, at)
        assert len(now) > 0
        assert drawn_in(client, f"{at}?datetime=1900-01-01") == []
        assert drawn_in(client, f"{at}?datetime=../1900-01-01") == []
        assert drawn_in(client, f"{at}?datetime=1900-01-01/..") == now
        assert drawn_in(client, f"{at}?datetime=2100-01-01") == now


def shed(client: TestClient) -> str:
    """The id of a new building."""
    body = {
        "house_code": "4403990010010000098", "name": "shed", "address": "Lane", "nature": "other", "rental": False, "floors_above": 1,
        "entrance": dict(zip(("lon", "lat"), point(450, 350), strict=True)),
    }  # fmt: skip
    made = client.post("/v1/buildings", json=body)
    assert made.status_code == 201, made.text
    return made.json()["id"]


def retire(client: TestClient, building: str) -> None:
    ended = client.post(f"/v1/buildings/{building}/end", json={"on": "2024-01-01"}, headers={"If-Match": "*"})
    assert ended.status_code == 200, ended.text


def test_retired_building_is_drawn_and_counted_while_it_stood(log_in: LogIn) -> None:
    district = log_in("district")
    building = shed(district)
    retire(district, building)
    near, far = address("buildings", 16, 450, 350), address("buildings", 9, 450, 350)

    def seen(query: str) -> tuple[bool, int]:
        ids = {one["properties"]["id"] for one in drawn_in(district, near + query)}
        return building in ids, sum(one["properties"]["count"] for one in drawn_in(district, far + query))

    gone, stood = seen(""), seen("?datetime=2023-12-31")
    assert (gone[0], stood[0]) == (False, True)
    assert stood[1] == gone[1] + 1
    assert seen("?datetime=2024-01-01") == gone
    assert seen("?datetime=2023-12-31/..") == seen("?datetime=../2030-01-01") == seen("?datetime=../..") == stood
    ids = [
        {one["id"] for one in district.get(f"/ogc/collections/buildings/items{query}").json()["features"]}
        for query in ("", "?datetime=../..")
    ]
    assert ids[1] - ids[0] == {building}
    assert seen("?as_of=2150-01-01T00:00:00Z&datetime=2023-12-31") == stood


def test_public_tiles_may_be_kept_by_everybody(client: TestClient) -> None:
    assert client.get(address("communities", 14, 500, 400)).headers["cache-control"] == "public, no-cache"


def test_tileset_says_where_tiles_are(client: TestClient) -> None:
    listed = client.get("/ogc/collections/communities/tiles").json()["tilesets"]
    assert [one["tileMatrixSetURI"].rpartition("/")[2] for one in listed] == [MERCATOR, LONLAT]
    told = client.get(f"/ogc/collections/communities/tiles/{MERCATOR}").json()
    assert (told["dataType"], told["crs"]) == ("vector", "http://www.opengis.net/def/crs/EPSG/0/3857")
    (item,) = [link for link in told["links"] if link["rel"] == "item"]
    assert (item["type"], item["templated"]) == ("application/vnd.mapbox-vector-tile", True)
    (limits,) = [limit for limit in told["tileMatrixSetLimits"] if limit["tileMatrix"] == "14"]
    (west, north), (east, south) = place(14, 0, 800), place(14, 2000, 0)
    assert (limits["minTileRow"], limits["maxTileRow"]) == (int(north), int(south))
    assert (limits["minTileCol"], limits["maxTileCol"]) == (int(west), int(east))
    filled = item["href"].format(tileMatrix=14, tileRow=int(south), tileCol=int(west))
    assert client.get(filled).status_code == 200


def test_limits_hold_the_area_that_stands_for_the_own_grids_from_afar(log_in: LogIn) -> None:
    worker = log_in("worker")  # of the south-western grid alone; far away the whole community stands for it
    beyond = address("grids", 11, 900, 100)
    assert [one["properties"]["count"] for one in drawn_in(worker, beyond)] == [1]
    told = worker.get(f"/ogc/collections/grids/tiles/{MERCATOR}").json()["tileMatrixSetLimits"]
    column, row = (int(number) for number in place(11, 900, 100))
    assert (told[11]["minTileRow"] <= row <= told[11]["maxTileRow"], told[11]["maxTileCol"] >= column) == (True, True)
    assert told[11]["maxTileCol"] == 2047
    assert told[12]["maxTileCol"] < 4095
    assert "bounds" not in worker.get(f"/ogc/collections/grids/tiles/{MERCATOR}?f=tilejson").json()


def test_tilejson_leads_to_the_same_tiles(client: TestClient) -> None:
    answer = client.get(f"/ogc/collections/communities/tiles/{MERCATOR}?f=tilejson")
    assert answer.headers["content-type"] == "application/vnd.mapbox.tile+json"
    told = answer.json()
    assert told["tilejson"] == "3.0.0"
    fields = {"code": "String", "name": "String", "count": "Number, below level 10"}
    assert told["vector_layers"][0]["fields"] == fields
    x, y = (int(number) for number in place(14, 500, 400))
    assert client.get(told["tiles"][0].format(z=14, x=x, y=y)).content == client.get(address("communities", 14, 500, 400)).content


@pytest.mark.parametrize("name", [MERCATOR, LONLAT])
def test_sets_are_those_that_ogc_defines(client: TestClient, name: str) -> None:
    told = client.get(f"/ogc/tileMatrixSets/{name}").json()
    assert morecantile.TileMatrixSet.model_validate(told) == morecantile.tms.get(name)
    quad, known = quads()[name], morecantile.tms.get(name)
    for level, row, column in ((0, 0, 0), (1, 1, 1), (14, 7137, 13380), (22, 1827072, 3425280)):
        assert quad.bounds(level, row, column) == pytest.approx(tuple(known.xy_bounds(morecantile.Tile(column, row, level))), abs=1e-6)
    assert client.get("/ogc/tileMatrixSets/NoSuchSet").status_code == 404


def test_cache_forgets_what_was_not_asked_for_longest() -> None:
    tiles = Tiles(2 * (OVERHEAD + 10))

    def key(row: int) -> Any:
        return ("buildings", MERCATOR, 14, row, 0, None, None)

    def kept(*rows: int) -> list[bool]:
        found = [tiles.find(key(row), b"stamp") == b"0123456789" for row in rows]
        assert found == [tiles.knows(key(row)) for row in rows]
        return found

    tiles.keep(key(1), b"stamp", b"0123456789")
    tiles.keep(key(2), b"stamp", b"0123456789")
    assert kept(1) == [True]
    assert tiles.find(key(1), b"another") is None
    tiles.keep(key(3), b"stamp", b"0123456789")
    assert kept(1, 2, 3) == [True, False, True]
    assert tiles.size == 2 * (OVERHEAD + 10)
    tiles.keep(key(4), b"stamp", b"x" * 2 * OVERHEAD)
    assert kept(4) == [False]
    none = Tiles(0)
    none.keep(key(1), b"stamp", b"0123456789")
    assert none.find(key(1), b"stamp") is None


def test_far_away_buildings_are_counted_by_cells(log_in: LogIn) -> None:
    """All five stand in cells of level 17, of which a tile of level 12 has 32 on a side: 128 steps each."""
    at = address("buildings", 12, 250, 200)
    cells: dict[tuple[int, int], list[int]] = {}
    for name, east, north, rental in (("tower", 250, 200, 1), ("village", 100, 300, 1), ("shop", 750, 150, 0), ("school", 250, 600, 0)):
        assert address("buildings", 12, east, north) == at, name
        column, row = (int(number) for number in place(17, east, north))
        cell = cells.setdefault((column % 32 * 128, row % 32 * 128), [0, 0])
        cell[0], cell[1] = cell[0] + 1, cell[1] + rental
    drawn = drawn_in(log_in("subdistrict"), at)
    seen = {
        (min(x for x, _ in ring), min(y for _, y in ring)): [one["properties"]["count"], one["properties"]["rental"]]
        for one in drawn
        for ring in one["geometry"]["coordinates"]
    }
    assert seen == cells
    for one in drawn:
        (ring,) = one["geometry"]["coordinates"]
        assert max(x for x, _ in ring) - min(x for x, _ in ring) == 128
        assert sum(x * y2 - x2 * y for (x, y), (x2, y2) in pairwise(ring)) == 2 * 128**2  # clockwise where y counts downward: no hole


@pytest.mark.parametrize("level", [0, 6, 9, 13])
def test_counts_of_cells_are_those_of_the_own_buildings(log_in: LogIn, level: int) -> None:
    tiles = {address("buildings", level, east, north) for east, north in ((250, 200), (100, 300), (750, 150), (250, 600), (1250, 500))}

    def counted(name: str, query: str = "") -> int:
        known = log_in(name)
        return sum(one["properties"]["count"] for at in sorted(tiles) for one in drawn_in(known, at + query))

    names = ("worker", "subdistrict", "worker-east", "district")
    assert [counted(name) for name in names] == [2, 4, 1, 5]
    assert [counted(name, "?as_of=2150-01-01T00:00:00Z") for name in names] == [2, 4, 1, 5]
    assert counted("district", "?as_of=2021-01-01T00:00:00Z") == 0


@pytest.mark.parametrize("level", [0, 6, 9, 12])
def test_both_sets_count_the_same_buildings(log_in: LogIn, level: int) -> None:
    district, side, tiles = log_in("district"), 180 / 2**level, f"/ogc/collections/buildings/tiles/{LONLAT}/{level}"
    tiles = {f"{tiles}/{int((90 - lat) / side)}/{int((lon + 180) / side)}" for lon, lat in (point(250, 200), point(1250, 500))}
    assert max(sum(one["properties"]["count"] for one in drawn_in(district, at)) for at in tiles) >= 1
    if len(tiles) == 1:
        assert sum(one["properties"]["count"] for at in tiles for one in drawn_in(district, at)) == 5


def test_retired_building_is_counted_no_longer(log_in: LogIn) -> None:
    district = log_in("district")
    at = address("buildings", 9, 250, 200)
    before = sum(one["properties"]["count"] for one in drawn_in(district, at))
    building = shed(district)
    assert sum(one["properties"]["count"] for one in drawn_in(district, at)) == before + 1
    retire(district, building)
    assert sum(one["properties"]["count"] for one in drawn_in(district, at)) == before


def test_far_away_grids_are_told_by_their_communities(log_in: LogIn) -> None:
    def told(name: str) -> dict[str, int]:
        features = drawn_in(log_in(name), address("grids", 9, 500, 400))
        return {one["properties"]["name"]: one["properties"]["count"] for one in features}

    assert told("district") == {"南社区": 2, "北社区": 2, "东一社区": 2}
    assert told("worker") == {"南社区": 1}


def test_far_away_communities_are_told_by_their_subdistricts(client: TestClient) -> None:
    features = drawn_in(client, address("communities", 9, 500, 400))
    assert {one["properties"]["code"]: one["properties"]["count"] for one in features} == {"440399001": 2, "440399002": 1}
