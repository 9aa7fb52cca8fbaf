"""Features at their own address, whatever period a page listed them for."""

import json
import re
import time
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.editing import ANY, BUILDINGS, GEOJSON, PATCH, feature, told
from tests.api.test_ogc_tiles import retire, shed
from tests.drawn import Drawn
from tests.places import WEST
from tests.rented import release_all

LAYERS = ("guide-rents", "rent-index", "residents", "managers-coverage", "lease-density", "grids", "communities")


def retired(district: TestClient) -> str:
    building = shed(district)
    retire(district, building)
    return building


def test_retired_building_that_a_page_lists_is_there_at_its_own_address(log_in: LogIn) -> None:
    district = log_in("district")
    building = retired(district)
    listed: list[dict[str, Any]] = district.get(f"{BUILDINGS}?datetime=2023-06-01").json()["features"]
    assert building in {one["id"] for one in listed}
    assert building not in {one["id"] for one in district.get(BUILDINGS).json()["features"]}
    answer = district.get(f"{BUILDINGS}/{building}")
    assert (answer.status_code, answer.json()["id"]) == (200, building)
    assert district.get(f"{BUILDINGS}/{building}?as_of=2020-01-01T00:00:00Z").status_code == 404  # nobody knew of it


def test_retired_building_is_changed_by_nobody(log_in: LogIn) -> None:
    district = log_in("district")
    building = f"{BUILDINGS}/{retired(district)}"
    before = district.get(building)
    assert told(district.patch(building, content=b'{"properties":{"name":"x"}}', headers=PATCH | ANY)) == (404, "not-found", None)
    assert told(district.put(building, content=json.dumps(feature()), headers=GEOJSON | ANY)) == (404, "not-found", None)
    assert told(district.delete(building, headers=ANY)) == (404, "not-found", None)
    after = district.get(building)
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])


@pytest.mark.parametrize("name", LAYERS)
def test_feature_of_any_period_is_one_at_its_address(log_in: LogIn, drawn: Drawn, name: str) -> None:
    release_all(drawn.database, drawn.places, WEST)
    district = log_in("district")
    items = f"/ogc/collections/{name}/items"
    listed: list[dict[str, Any]] = district.get(f"{items}?datetime=../..&limit=100").json()["features"]
    assert listed
    for one in listed[:20]:
        alone = district.get(f"{items}/{one['id']}").json()
        assert {member: alone[member] for member in one} == one


def test_page_of_what_was_known_leads_to_what_was_known(log_in: LogIn) -> None:
    district = log_in("district")
    building = shed(district)
    time.sleep(0.01)
    then = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    assert district.delete(f"{BUILDINGS}/{building}", headers=ANY).status_code == 204
    page = district.get(BUILDINGS, params={"f": "html", "as_of": then, "limit": 1000}).text
    [address] = [unescape(one) for one in re.findall(r'href="([^"]+)"', page) if building in one]
    assert district.get(address).status_code == 200
