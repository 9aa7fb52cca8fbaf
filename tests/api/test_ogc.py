"""GeoJSON for GIS clients: who sees which layer, boxes, pages, and refusals that name the parameter."""

from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from gridmgmt.layers import LAYERS
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import WEST, point
from tests.rented import release_all


def features(client: TestClient, address: str) -> list[dict[str, Any]]:
    answer = client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json"), answer.text
    assert answer.json()["type"] == "FeatureCollection"
    assert answer.json()["numberReturned"] == len(answer.json()["features"])
    return answer.json()["features"]


def names(client: TestClient, address: str) -> list[str]:
    return [feature["properties"]["name"] for feature in features(client, address)]


def box(west: float, south: float, east: float, north: float) -> str:
    """A bbox parameter of a rectangle in metres from the origin."""
    (w, s), (e, n) = point(west, south), point(east, north)
    return f"bbox={w},{s},{e},{n}"


def collections(client: TestClient) -> list[str]:
    return [collection["id"] for collection in client.get("/ogc/collections").json()["collections"]]


def test_hidden_layer_is_told_like_one_that_never_was(client: TestClient, log_in: LogIn) -> None:
    told: set[str] = set()
    for name in ("grids", "buildings", "persons", "no-such-layer"):
        for address in (f"/ogc/collections/{name}", f"/ogc/collections/{name}/items", f"/ogc/collections/{name}/items/1"):
            answer = client.get(address)
            assert answer.status_code == 404, address
            told.add(answer.json()["detail"])
    assert log_in("auditor").get("/ogc/collections/buildings/items").status_code == 404
    assert log_in("worker").get("/ogc/collections/persons").status_code == 404
    assert told == {"there is no such collection, or none that you may see"}


def test_feature_of_another_grid_is_told_like_one_that_never_was(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    told: set[str] = set()
    for fid in (str(drawn.places.buildings["mill"]), "00000000-0000-7000-8000-000000000000", "x", "1", "0" * 36):
        answer = worker.get(f"/ogc/collections/buildings/items/{fid}")
        assert answer.status_code == 404, fid
        told.add(answer.json()["detail"])
    assert len(told) == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("limit=-1", "limit"), ("limit=1_0", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
        ("bbox=abc", "bbox"),
        ("bbox=1,2,3", "bbox"), ("bbox=1,2,3,NaN", "bbox"), ("bbox=0,50,1,40", "bbox"), ("bbox=", "bbox"), ("bbox=500,0,501,1", "bbox"),
        ("cursor=abc", "cursor"), ("cursor=", "cursor"), ("as_of=yesterday", "as_of"), ("as_of=2024-01-01", "as_of"), ("f=xml", "f"),
        ("crs=EPSG:4490", "crs"), ("crs=", "crs"), ("bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4214", "bbox-crs"),
        ("bbox=114,22,215,23&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/4490", "bbox"),
        ("filter=1=1", "filter"),
        ("sortby=secret", "sortby"), ("sortby=name,-name", "sortby"), ("sortby=--name", "sortby"),
        ("sortby=", "sortby"), ("properties=name,secret", "properties"), ("count=maybe", "count"),
        ("datetime=yesterday", "datetime"),
        ("datetime=2020-02-30", "datetime"), ("datetime=2020-01-02/2020-01-01", "datetime"),
        ("datetime=2020-01-01/2020-01-02/2020-01-03", "datetime"), ("datetime=", "datetime"), ("datetime=2020-01-01T/..", "datetime"),
        ("datetime=2016-12-31T23:58:60Z", "datetime"), ("datetime=2016-12-31T23:59:61Z", "datetime"),
        ("datetime=2016-12-31T23:59:60%2B08:00", "datetime"), ("datetime=9999-12-31T23:59:60Z", "datetime"),
        ("as_of=2016-12-31T23:59:60", "as_of"),
        ("approximate=maybe", "approximate"), ("valid_from=today", "valid_from"), ("version=1", "version"), ("geom=1", "geom"),
        ("Limit=1", "Limit"), ("limit=1&limit=2", "limit"),
    ],
)  # fmt: skip
def test_bad_parameter_is_400_and_named(client: TestClient, query: str, parameter: str) -> None:
    answer = client.get(f"/ogc/collections/communities/items?{query}")
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/invalid-parameter"
    assert [error["field"] for error in answer.json()["errors"]] == [parameter]


@pytest.mark.parametrize("digits", [5, 18, 19, 20, 30, 5_000])
def test_limit_beyond_the_largest_is_taken_for_it_whatever_its_length(client: TestClient, digits: int) -> None:
    for form in ("json", "csv"):
        answer = client.get(f"/ogc/collections/communities/items?limit={'9' * digits}&f={form}")
        assert answer.status_code == 200, answer.text
        assert answer.text.count("440399001001") == 1
    assert client.get(f"/ogc/collections/communities/items?limit=0{'9' * digits}").status_code == 400


def test_anonymous_callers_see_the_areas(client: TestClient) -> None:
    assert collections(client) == ["subdistricts", "communities", "residents", "guide-rents", "rent-index"]
    assert names(client, "/ogc/collections/subdistricts/items") == ["西街道", "东街道"]
    assert [feature["properties"] for feature in features(client, "/ogc/collections/communities/items?limit=1")] == [
        {"code": "440399001001", "name": "南社区", "subdistrict": "440399001", "valid_from": "2020-01-01", "approximate": False}
    ]


def test_everybody_sees_the_own_features(log_in: LogIn) -> None:
    seen = {
        name: (len(features(log_in(name), "/ogc/collections/grids/items")), len(features(log_in(name), "/ogc/collections/buildings/items")))
        for name in ("worker", "worker-east", "community", "subdistrict", "subdistrict-east", "district")
    }
    assert seen == {
        "worker": (1, 2), "worker-east": (1, 1), "community": (2, 3), "subdistrict": (4, 4), "subdistrict-east": (2, 1), "district": (6, 5),
    }  # fmt: skip
    assert collections(log_in("worker")) == list(LAYERS)


def test_estimate_tells_nobody_of_rows_that_are_not_theirs(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    with psycopg.connect(drawn.address.conninfo("postgres")) as root:
        root.execute("ANALYZE reg.building")  # from here on the planner knows what stands in the whole district
    address = "/ogc/collections/buildings/items?limit=1&count=estimate"
    counts = ("numberMatched", "numberMatchedEstimated")
    for query, theirs in (("", 1), ("&nature=commodity", 0), ("&filter=house_code>%274%27", 1)):
        page = log_in("worker-east").get(address + query).json()
        assert [page.get(name) for name in counts] == [theirs, None], query
    page = log_in("district").get(address).json()
    assert [page.get(name) for name in counts] == [None, 5]
    page = log_in("district").get(address.replace("estimate", "exact") + "&nature=commodity").json()
    assert page["numberMatched"] == 1
    release_all(drawn.database, drawn.places, WEST)  # five, of which one is published
    with psycopg.connect(drawn.address.conninfo("postgres")) as root:
        root.execute("ANALYZE reg.rent_figure")
    for asking in (client, log_in("admin"), log_in("auditor")):
        page = asking.get("/ogc/collections/guide-rents/items?count=estimate&datetime=../..").json()
        assert [page.get(name) for name in counts] == [1, None]


def test_box_holds_what_it_touches(log_in: LogIn) -> None:
    district = log_in("district")
    assert names(district, f"/ogc/collections/grids/items?{box(10, 10, 20, 20)}") == ["south-west"]
    assert names(district, f"/ogc/collections/grids/items?{box(490, 390, 510, 410)}") == [
        "south-west",
        "south-east",
        "north-west",
        "north-east",
    ]
    assert names(district, f"/ogc/collections/buildings/items?{box(230, 180, 236, 186)}") == ["tower"]  # its footprint begins at 235, 185
    assert names(district, f"/ogc/collections/buildings/items?{box(230, 180, 234, 184)}") == []
    assert names(district, f"/ogc/collections/buildings/items?{box(99, 299, 101, 301)}") == ["village"]  # an entrance is a point


def test_longitude_comes_first(log_in: LogIn) -> None:
    (village,) = [f for f in features(log_in("district"), "/ogc/collections/buildings/items") if f["properties"]["name"] == "village"]
    assert village["geometry"]["type"] == "Point"
    assert village["geometry"]["coordinates"] == pytest.approx([114.03989, 22.65471], abs=1e-5)


def test_pages_lead_on_by_their_link_and_hold_every_feature_once(log_in: LogIn) -> None:
    district = log_in("district")
    seen: list[str] = []
    address: str | None = "/ogc/collections/grids/items?limit=4"
    pages = 0
    while address is not None:
        page = district.get(address).json()
        seen += [feature["properties"]["name"] for feature in page["features"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
        pages += 1
    assert (pages, seen) == (2, ["south-west", "south-east", "north-west", "north-east", "east-inner", "east-outer"])


def test_limit_above_ten_thousand_is_taken_for_ten_thousand(client: TestClient) -> None:
    for limit in (10_001, 999_999_999_999):
        assert len(features(client, f"/ogc/collections/communities/items?limit={limit}")) == 3


def test_one_feature_has_the_properties_of_its_layer_and_its_links(log_in: LogIn, drawn: Drawn) -> None:
    answer = log_in("worker").get(f"/ogc/collections/buildings/items/{drawn.places.buildings['tower']}")
    feature = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert feature["id"] == str(drawn.places.buildings["tower"])
    assert feature["properties"] == {
        "house_code": "4403990010010000001", "name": "tower", "address": "测试路1号", "nature": "commodity", "rental": True,
        "floors_above": 30, "built_year": 2001,
    }  # fmt: skip
    assert [link["rel"] for link in feature["links"]] == ["self", "collection", "alternate"]


def test_as_of_a_time_before_anything_was_known_there_is_nothing(client: TestClient) -> None:
    assert features(client, "/ogc/collections/communities/items?as_of=2021-01-01T00:00:00Z") == []
    assert len(features(client, "/ogc/collections/communities/items?as_of=2150-01-01T08:00:00%2B08:00")) == 3


def test_collection_tells_where_and_since_when_it_has_features(client: TestClient) -> None:
    described = client.get("/ogc/collections/communities").json()
    (west, south), (east, north) = point(0, 0), point(2000, 800)
    assert described["extent"]["spatial"]["bbox"][0] == pytest.approx([west, south, east, north], abs=1e-4)
    assert described["extent"]["temporal"] == {"interval": [["2019-12-31T16:00:00Z", None]]}  # midnight in Shenzhen
    epsg = "http://www.opengis.net/def/crs/EPSG/0"
    assert described["crs"] == [
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        f"{epsg}/4490",
        f"{epsg}/4326",
        f"{epsg}/4547",
        f"{epsg}/3857",
    ]
    assert described["storageCrs"] == f"{epsg}/4490"
