"""What a client takes, and what it gets."""

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.drawn import Drawn

ITEMS = "/ogc/collections/communities/items?limit=1"


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0, text/plain", "application/geo+json;q=0, application/json;q=0"])
def test_a_client_who_takes_nothing_that_is_offered_is_told_so(client: TestClient, accept: str) -> None:
    answer = client.get(ITEMS, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/geo+json, application/json;q=0.5",
        "image/png, application/*;q=0.1",
        "text/plain;q=x, */*",
        "",
    ],
)
def test_who_takes_json_gets_features(client: TestClient, accept: str) -> None:
    answer = client.get(ITEMS, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json")
    assert answer.json()["numberReturned"] == 1


def test_parameter_goes_before_what_is_taken(client: TestClient) -> None:
    assert client.get(f"{ITEMS}&f=json", headers={"Accept": "image/png"}).status_code == 200
    answer = client.get(f"{ITEMS}&f=word", headers={"Accept": "application/geo+json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "f")


def test_header_of_several_lines_is_one_list(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    tag = client.get(ITEMS).headers["etag"]
    stale = ("If-None-Match", '"x"')
    assert client.get(ITEMS, headers=[stale, ("If-None-Match", tag)]).status_code == 304
    listed = client.get("/ogc/collections").headers["etag"]
    assert client.get("/ogc/collections", headers=[stale, ("If-None-Match", listed)]).status_code == 304
    page = client.get(ITEMS, headers=[("Accept", "image/png"), ("Accept", "text/html")])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    spoken = client.get(f"{ITEMS}&f=html", headers=[("Accept-Language", "fr"), ("Accept-Language", "en")])
    assert '<html lang="en">' in spoken.text
    district, tower = log_in("district"), drawn.places.buildings["tower"]
    for address in (f"/ogc/collections/buildings/items/{tower}", f"/v1/buildings/{tower}"):
        read = ("If-None-Match", district.get(address).headers["etag"])
        assert district.get(address, headers=[stale, read]).status_code == 304, address


def test_lines_of_if_match_name_each_a_version(log_in: LogIn, drawn: Drawn) -> None:
    district, tower = log_in("district"), drawn.places.buildings["tower"]
    ours = f"/ogc/collections/buildings/items/{tower}", {"properties": {"floors_above": 31}}, "application/merge-patch+json"
    plain = f"/v1/buildings/{tower}", {"floors_above": 32}, "application/json"
    for address, body, media_type in (ours, plain):
        tags = [("If-Match", '"v99"'), ("If-Match", district.get(address).headers["etag"])]
        answer = district.patch(address, json=body, headers=[("Content-Type", media_type), *tags])
        assert answer.status_code == 200, answer.text


def test_two_systems_of_one_body_are_refused(log_in: LogIn, drawn: Drawn) -> None:
    epsg = "http://www.opengis.net/def/crs/EPSG/0/"
    systems = [("Content-Crs", f"<{epsg}4490>"), ("Content-Crs", f"<{epsg}4547>")]
    headers = [("Content-Type", "application/merge-patch+json"), ("If-Match", "*"), *systems]
    tower = f"/ogc/collections/buildings/items/{drawn.places.buildings['tower']}"
    answer = log_in("district").patch(tower, json={"properties": {}}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Content-Crs")
