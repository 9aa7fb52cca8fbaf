"""Filters over HTTP: both languages, other reference systems, every page, rows of the caller, refusals that name the parameter."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from api.dependencies import parts_of
from api.paging import name_of_list
from tests.api.conftest import LogIn
from tests.places import point

AREAS = "/ogc/collections/communities/items"
BUILDINGS = "/ogc/collections/buildings/items"
GRIDS = "/ogc/collections/grids/items"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"


def names(client: TestClient, address: str, **parameters: Any) -> list[str]:
    answer = client.get(f"{address}?{urlencode({name.replace('_', '-'): value for name, value in parameters.items()})}")
    assert answer.status_code == 200, answer.text
    return sorted(feature["properties"]["name"] for feature in answer.json()["features"])


def short(value: object) -> str:
    return str(value)[:60]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"filter": ""}, "filter"),
        ({"filter": "name"}, "filter"),
        ({"filter": "name = 'a' OR"}, "filter"),
        ({"filter": "secret = 'a'"}, "filter"),
        ({"filter": "geom IS NULL"}, "filter"),
        ({"filter": "version = 1"}, "filter"),
        ({"filter": "valid_to IS NULL"}, "filter"),
        ({"filter": "pg_sleep(5) = 1"}, "filter"),
        ({"filter": "approximate = 'maybe'"}, "filter"),
        ({"filter": "valid_from = 'yesterday'"}, "filter"),
        ({"filter": "name LIKE 'a\\'"}, "filter"),
        ({"filter": "name LIKE 'a\\\\'"}, "filter"),
        ({"filter": "NOT " * 300 + "approximate"}, "filter"),
        ({"filter": "S_INTERSECTS(geometry, POINT(22.65 114.04))"}, "filter"),
        ({"filter": "S_INTERSECTS(geometry, POLYGON((0 0,1 1,0 1,1 0,0 0)))"}, "filter"),
        ({"filter": "{", "filter-lang": "cql2-json"}, "filter"),
        ({"filter": "name = 'a'", "filter-lang": "cql2-json"}, "filter"),
        ({"filter": "name = 'a'", "filter-lang": "cql-text"}, "filter-lang"),
        ({"filter-lang": "sql"}, "filter-lang"),
        ({"filter": "name = 'a'", "filter-crs": "EPSG:4326"}, "filter-crs"),
        ({"Filter": "name = 'a'"}, "Filter"),
    ],
    ids=short,
)
def test_filter_that_cannot_be_used_is_400_and_named(client: TestClient, parameters: dict[str, str], named: str) -> None:
    answer = client.get(f"{AREAS}?{urlencode(parameters)}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [named]


def test_filter_shows_nobody_more_than_the_caller_may_see(log_in: LogIn) -> None:
    everything = "name IS NOT NULL OR TRUE OR NOT (name = 'x')"
    assert names(log_in("worker"), BUILDINGS, filter=everything) == ["tower", "village"]
    assert names(log_in("worker"), BUILDINGS, filter="name = 'mill'") == []
    assert names(log_in("worker-east"), BUILDINGS, filter=everything) == ["mill"]
    assert log_in("auditor").get(f"{BUILDINGS}?filter=TRUE").status_code == 404


def test_either_language_finds_the_same(log_in: LogIn) -> None:
    district = log_in("district")
    assert names(district, BUILDINGS, filter="house_code LIKE '44039900100%' AND floors_above > 5 AND rental") == ["tower", "village"]
    told = {
        "op": "and",
        "args": [
            {"op": "like", "args": [{"property": "house_code"}, "44039900100%"]},
            {"op": ">", "args": [{"property": "floors_above"}, 5]},
            {"property": "rental"},
        ],
    }
    assert names(district, BUILDINGS, filter=json.dumps(told), filter_lang="cql2-json") == ["tower", "village"]


def test_numbers_between_whole_ones_compare_with_whole_ones(log_in: LogIn) -> None:
    assert names(log_in("district"), BUILDINGS, filter="floors_above > 29.5") == ["tower"]
    assert names(log_in("district"), BUILDINGS, filter="floors_above IN (30, 0.5)") == ["tower"]
    assert names(log_in("district"), BUILDINGS, filter="floors_above > 9223372036854775807") == []


def test_place_in_a_filter_stands_in_the_order_of_its_reference_system(log_in: LogIn) -> None:
    lon, lat = point(250, 200)
    district = log_in("district")
    assert names(district, GRIDS, filter=f"S_INTERSECTS(geometry, POINT({lon} {lat}))") == ["south-west"]
    assert names(district, GRIDS, filter=f"S_INTERSECTS(geometry, POINT({lat} {lon}))", filter_crs=f"{EPSG}4490") == ["south-west"]
    metres = "S_INTERSECTS(geometry, POINT(2506200 504250))"
    assert names(district, GRIDS, filter=metres, filter_crs=f"{EPSG}4547") == ["south-west"]
    assert names(district, GRIDS, filter=f"DWITHIN(geometry, POINT({lon} {lat}), 260, m)") == ["north-west", "south-east", "south-west"]


def test_filter_joins_with_box_property_order_and_pages(log_in: LogIn) -> None:
    district = log_in("district")
    seen: list[str] = []
    asked = urlencode({"filter": "code LIKE '440399001%' AND NOT name = 'south-east'", "sortby": "-name", "limit": 1})
    address: str | None = f"{GRIDS}?{asked}"
    while address is not None:
        page = district.get(address).json()
        seen += [feature["properties"]["name"] for feature in page["features"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert seen == ["south-west", "north-west", "north-east"]
    (west, south), (east, north) = point(10, 10), point(510, 390)
    box = f"{west},{south},{east},{north}"
    assert names(district, GRIDS, filter="code LIKE '%1'", bbox=box, community="440399001001") == ["south-west"]


def test_pages_after_a_dense_one_follow_on_without_gap(app: FastAPI, log_in: LogIn) -> None:
    """A cursor says that the page before found too much to collect: what follows is the same."""
    district, cursors = log_in("district"), parts_of(Request({"type": "http", "app": app})).cursors
    asked = urlencode({"filter": "code LIKE '440399001%'", "limit": 1})
    page = district.get(f"{GRIDS}?{asked}").json()
    collected = next(link["href"] for link in page["links"] if link["rel"] == "next")
    address, _, cursor = collected.partition("&cursor=")
    listed = name_of_list(GRIDS, [("filter", "code LIKE '440399001%'")])
    key, walking = cursors.open(listed, cursor, int, bool)
    assert not walking
    seen = [district.get(each).json() for each in (collected, f"{address}&cursor={cursors.seal(listed, [key, True])}")]
    assert seen[0]["features"] == seen[1]["features"]
    ends = [next(link["href"] for link in each["links"] if link["rel"] == "next").partition("&cursor=")[2] for each in seen]
    assert [cursors.open(listed, end, int, bool) for end in ends] == [(key_of(seen[0]), False), (key_of(seen[0]), True)]


def key_of(page: Any) -> int:
    """Of the last feature."""
    return page["features"][-1]["id"]


def test_filter_counts_what_it_finds(log_in: LogIn) -> None:
    asked = urlencode({"filter": "code LIKE '440399001%'", "count": "exact", "limit": 1})
    page = log_in("district").get(f"{GRIDS}?{asked}").json()
    assert (page["numberReturned"], page["numberMatched"]) == (1, 4)


def test_days_are_those_of_the_district(client: TestClient) -> None:
    assert names(client, AREAS, filter="valid_from = DATE('2020-01-01')") == ["东一社区", "北社区", "南社区"]
    assert names(client, AREAS, filter="valid_from = TIMESTAMP('2019-12-31T16:00:00Z')") == ["东一社区", "北社区", "南社区"]
    assert names(client, AREAS, filter="T_BEFORE(valid_from, DATE('2020-01-01'))") == []
    assert names(client, AREAS, filter="T_DURING(valid_from, INTERVAL('..', '2020-01-02')) AND CASEI(name) LIKE '南%'") == ["南社区"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("datetime=2019-12-31", 0), ("datetime=2020-01-01", 3), ("datetime=2019-12-31T15:59:59Z", 0), ("datetime=2019-12-31T16:00:00Z", 3),
        ("datetime=../2019-12-31", 0), ("datetime=../2020-01-01", 3), ("datetime=2019-01-01/2019-12-31", 0), ("datetime=2019-01-01/..", 3),
        ("datetime=../..", 3), ("datetime=2030-01-01/", 3),
        ("datetime=2019-12-31t15:59:59z", 0), ("datetime=2019-12-31t16:00:00z", 3), ("datetime=2019-12-31T23:59:59.5%2B08:00", 0),
        ("datetime=2016-12-31T23:59:60Z", 0), ("datetime=2019-12-31t15:59:59z/2030-12-31t23:59:60z", 3),
        ("datetime=2020-01-01/9999-12-31T23:59:59Z", 3), ("datetime=9999-12-31", 3), ("datetime=9999-12-31T23:59:59-23:59", 3),
        ("datetime=0001-01-01T00:00:00%2B23:59/2019-12-31", 0), ("datetime=0001-01-01/..", 3), ("valid_from=1700-01-01", 0),
        ("name=南社区", 1), ("name=南", 0),
        ("approximate=false", 3), ("approximate=true", 0),
        ("valid_from=2020-01-01&subdistrict=440399001", 2), ("valid_from=2020-01-02", 0),
    ],
)  # fmt: skip
def test_days_and_properties_choose(client: TestClient, query: str, expected: int) -> None:
    answer = client.get(f"{AREAS}?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["numberReturned"] == expected
