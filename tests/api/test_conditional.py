"""If-Match and If-None-Match, read as RFC 9110 says."""

import pytest
from starlette.testclient import TestClient

from api.conditional import has_current, read_if_match
from api.problems import RequestError
from tests.api.conftest import LogIn
from tests.drawn import Drawn


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('"v3"', frozenset({3})),
        (' "v3" ', frozenset({3})),
        ('"v3", "v5"', frozenset({3, 5})),
        ("*", None),
        ('W/"v3"', frozenset()),  # a weak tag never matches here
        ('W/"v3", "v4"', frozenset({4})),
        ('"something-else"', frozenset()),
        ('"v0"', frozenset()),
        ('"v3-1"', frozenset()),
        ('"v99999999999"', frozenset()),
    ],
)
def test_if_match_names_versions(header: str, expected: frozenset[int] | None) -> None:
    assert read_if_match(header) == expected


@pytest.mark.parametrize("header", ["", "v3", '"v3', "3", '"v3" "v4"', '"v3",', "*, *", '"v3"\x00', "w/" + '"v3"', '"v1",' * 500 + '"v1"'])
def test_if_match_that_cannot_be_read_is_malformed(header: str) -> None:
    with pytest.raises(RequestError) as refusal:
        read_if_match(header)
    assert refusal.value.slug == "malformed-request"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False), ('"v3"', True), ('W/"v3"', True), ('"v2", "v3"', True), ("*", True), ('"v2"', False), ("v3", False), ("", False),
    ],
)  # fmt: skip
def test_if_none_match_compares_weakly(header: str | None, expected: bool) -> None:
    assert has_current(header, '"v3"') is expected


def test_reader_with_the_present_version_gets_nothing_new(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    path = f"/v1/units/{drawn.places.units['tower-101']}"
    first = worker.get(path)
    again = worker.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert worker.get(path, headers={"If-None-Match": '"v999"'}).status_code == 200


def test_writer_states_what_was_read(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    path = f"/v1/units/{drawn.places.units['tower-101']}"
    assert worker.patch(path, json={"room": "1"}).status_code == 428
    assert worker.patch(path, json={"room": "1"}, headers={"If-Match": "v1"}).status_code == 400
    stale = worker.patch(path, json={"room": "1"}, headers={"If-Match": '"v7"'})
    assert (stale.status_code, stale.json()["type"], stale.json()["version"]) == (412, "/problems/stale-version", 1)
    assert worker.patch(path, json={"room": "1"}, headers={"If-Match": 'W/"v1"'}).status_code == 412
    assert worker.patch(path, json={"room": "1"}, headers={"If-Match": '"v1"'}).status_code == 200


def test_anonymous_reader_is_not_told_304(client: TestClient, drawn: Drawn) -> None:
    path = f"/v1/units/{drawn.places.units['tower-101']}"
    assert client.get(path, headers={"If-None-Match": "*"}).status_code == 401
