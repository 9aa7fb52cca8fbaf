"""What a client takes, and what it gets."""

import pytest
from starlette.testclient import TestClient

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
