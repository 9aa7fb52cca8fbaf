"""Buildings written by GIS programs that know only HTTP Basic, and say neither where they come from nor what they read."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gridmgmt.security import accounts
from tests.api.conftest import LogIn
from tests.api.editing import BUILDINGS, GEOJSON, PATCH, feature, spot, told
from tests.api.test_auth import basic
from tests.drawn import Drawn


@pytest.fixture
def qgis(app: FastAPI, client: TestClient, drawn: Drawn) -> TestClient:
    """A client with a key of the worker's that writes."""
    return with_key(app, client, drawn, writes=True)


def with_key(app: FastAPI, client: TestClient, drawn: Drawn, *, writes: bool) -> TestClient:
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        _, key = accounts.issue_key(session, "worker", label="QGIS", writes=writes)
    known = TestClient(app, headers=basic("worker", key))
    known.portal = client.portal
    return known


def at(drawn: Drawn, name: str) -> str:
    return f"{BUILDINGS}/{drawn.places.buildings[name]}"


def patch(client: TestClient, address: str, properties: dict[str, Any], **headers: str) -> Any:
    return client.patch(address, content=json.dumps({"properties": properties}), headers=PATCH | headers)


def test_key_that_reads_is_refused_and_says_why(app: FastAPI, client: TestClient, drawn: Drawn) -> None:
    reading, tower = with_key(app, client, drawn, writes=False), at(drawn, "tower")
    assert reading.options(tower).headers["allow"] == "GET, HEAD, OPTIONS"
    for answer in (reading.post(BUILDINGS, json=feature(), headers=GEOJSON), patch(reading, tower, {"name": "x"}), reading.delete(tower)):
        assert (*told(answer), answer.json()["detail"]) == (
            403, "forbidden", None, "this access key only reads: ask for one that writes, or log in for a bearer token"
        )  # fmt: skip


def test_key_writes_nothing_but_the_layers_that_its_account_writes(qgis: TestClient) -> None:
    assert qgis.post("/v1/buildings", json={}).status_code == 401
    grids = qgis.post("/ogc/collections/grids/items", json=feature(), headers=GEOJSON)
    assert (*told(grids), grids.json()["detail"]) == (403, "forbidden", None, "you may look at this layer, not write to it")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_page_of_another_site_writes_nothing_with_a_key_that_the_browser_kept(
    qgis: TestClient, drawn: Drawn, headers: dict[str, str]
) -> None:
    for answer in (
        patch(qgis, at(drawn, "tower"), {"name": "x"}, **headers),
        qgis.post(BUILDINGS, json=feature(), headers=GEOJSON | headers),
    ):
        assert told(answer) == (403, "forbidden", None)
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert patch(qgis, at(drawn, "tower"), {"name": "x"}, **own).status_code == 200


def test_forms_of_browsers_are_no_features(qgis: TestClient) -> None:
    for media_type in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
        assert told(qgis.post(BUILDINGS, content=json.dumps(feature()), headers={"Content-Type": media_type}))[0] == 415
    assert told(qgis.post(BUILDINGS, content=json.dumps(feature()))) == (400, "malformed-request", "Content-Type")


def test_features_are_made_changed_and_struck_out_as_qgis_does(qgis: TestClient, drawn: Drawn) -> None:
    assert qgis.options(f"{BUILDINGS}/unknown_id").headers["allow"] == "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"
    made = qgis.post(BUILDINGS, json=feature(), headers=GEOJSON)
    assert made.status_code == 201
    address = made.headers["location"]
    assert patch(qgis, address, {"name": "一"}).json()["properties"]["name"] == "一"
    moved = qgis.patch(address, content=json.dumps({"geometry": spot(310, 310)}), headers=PATCH)
    assert (moved.status_code, moved.json()["properties"]["name"]) == (200, "一")
    whole = qgis.put(address, content=moved.content, headers=GEOJSON)
    assert told(whole) == (428, "precondition-required", "If-Match")
    assert qgis.put(address, content=moved.content, headers=GEOJSON | {"If-Match": moved.headers["etag"]}).status_code == 200
    assert qgis.delete(address).status_code == 204


def test_what_somebody_else_changed_today_is_not_undone_unseen(qgis: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    tower, district = at(drawn, "tower"), log_in("district")
    assert patch(district, tower, {"name": "区里改的"}, **{"If-Match": "*"}).status_code == 200
    for answer in (patch(qgis, tower, {"name": "x"}), qgis.delete(tower)):
        assert told(answer) == (412, "stale-version", None)
    assert "somebody else changed name within the last 12 hours" in patch(qgis, tower, {"name": "x"}).json()["detail"]
    assert patch(qgis, tower, {"name": "区里改的"}).status_code == 200, "what stays as it is undoes nothing"
    assert patch(qgis, tower, {"floors_above": 7}).status_code == 200, "the other change stands"
    assert patch(qgis, tower, {"name": "x"}, **{"If-Match": qgis.get(tower).headers["etag"]}).status_code == 200


def test_token_still_says_what_was_read(log_in: LogIn, drawn: Drawn) -> None:
    assert told(patch(log_in("worker"), at(drawn, "tower"), {"name": "x"})) == (428, "precondition-required", "If-Match")
