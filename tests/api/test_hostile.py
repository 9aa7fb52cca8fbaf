"""What strangers, broken clients and attackers send. Each gets a 4xx that says why; nothing of it reaches a 500 or the log.

The sweeps take routes, parameters and bodies from the application's own OpenAPI document, so that a new route is attacked unasked.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.test_matrix import CASES, places
from tests.drawn import Drawn
from tests.places import Places

__all__ = ["places"]

DEEP = "[" * 200 + "]" * 200
VALUES = (
    "%00", "%ff", "%ed%a0%80", "' OR 1=1 --", "-1", "0", "1_0", "+5", "٣", "1e999", "NaN", "99999999999999999999999999",
    "9223372036854775808", "2147483648", "0001-01-01", "9999-12-31T23:59:59Z", "2024-02-30", "x" * 5000, "../../etc/passwd", "{}",
    "%E2%80%AE", "00000000-0000-0000-0000-000000000000", "1,2,3,NaN", "1e400,0,0,0", "-180,-90,180,90", "%5C",
)  # fmt: skip
"""Values of parameters, as they stand in an address."""

JSON_VALUES: tuple[Any, ...] = (
    None, True, -1, 2**31, 2**63, 10**400, 1e308, "", "a\0b", "\ud800", "1_0", "x" * 300_000, [[]], {"a": {"b": {}}},
    "0001-01-01", "2024-02-30", "' OR 1=1 --", {"type": "Point", "coordinates": ["a", "b"]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1e308, 0], [1, 1], [0, 0]]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, {"type": ["Polygon"], "coordinates": {}},
)  # fmt: skip
"""Values of members."""

BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "two values": b"{}{}",
    "a comment": b"{/**/}",
    "NaN": b'{"x": NaN}',
    "Infinity": b'{"x": -Infinity}',
    "a member twice": b'{"x": 1, "x": 2}',
    "not UTF-8": b'{"x": "\xff"}',
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "too deep": f'{{"x": {DEEP}}}'.encode(),
    "much too deep": b"[" * 100_000 + b"]" * 100_000,
    "a number of 5,000 digits": b'{"x": ' + b"9" * 5000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "text": b'"x"',
    "control characters": b'{"x": "\x01"}',
}
"""Bodies that are no object of any route."""


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def reachable(path: str, drawn: Drawn) -> str:
    """The path with ids of rows that are there."""
    places = drawn.places
    kind = path.split("/")[2] if path.startswith("/v1/") else ""
    rows: dict[str, Any] = {
        "areas": places.areas, "grids": places.grids, "buildings": places.buildings, "units": places.units, "persons": places.people,
        "residences": places.residences, "leases": places.leases, "managers": places.managers,
    }  # fmt: skip
    identifier = next(iter(rows[kind].values())) if kind in rows else 1
    return path.replace("{id}", str(identifier)).replace("{collection}", "buildings").replace("{fid}", "1")


def test_hostile_parameter_is_refused_or_harmless_on_every_route(app: FastAPI, log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    failures: list[str] = []
    shared = {"limit", "cursor", "f"}  # read by one function for all lists: attacked once
    for method, path, operation in operations(app):
        names = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
        wanted = names if "{collection}/items" in path or path == "/v1/buildings" else names - shared
        for name in (*wanted, "no_such_parameter"):
            for value in VALUES if method == "GET" else ():
                answer = district.get(f"{reachable(path, drawn)}?{name}={value}")
                if answer.status_code >= 500 or (name == "no_such_parameter" and answer.status_code not in {400, 422, 403}):
                    failures.append(f"{path}?{name}={value[:40]}: {answer.status_code}")
    assert failures == []


def test_hostile_id_is_refused_on_every_route(app: FastAPI, log_in: LogIn) -> None:
    district = log_in("district")
    failures: list[str] = []
    for method, path, _ in operations(app):
        if "{" not in path:
            continue
        for value in (*VALUES[1:], "%2e%2e%2f", "a%2fb", "%01", "%0d%0aX:1", "a;b", "@", "{00000000-0000-0000-0000-000000000000}"):
            address = path.replace("{id}", value).replace("{collection}", value).replace("{fid}", value)
            answer = district.request(method, address, headers={"If-Match": "*"}, json={} if method in {"POST", "PATCH"} else None)
            if not 400 <= answer.status_code < 500:
                failures.append(f"{method} {address[:80]}: {answer.status_code}")
    assert failures == []


def test_body_that_is_no_object_is_refused_on_every_route(app: FastAPI, log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    failures: list[str] = []
    for method, path, operation in operations(app):
        for name, body in BODIES.items() if "requestBody" in operation else ():
            headers = {"If-Match": "*", "Content-Type": "application/json"}
            answer = district.request(method, reachable(path, drawn), content=body, headers=headers)
            if answer.status_code not in {400, 403, 422} or answer.headers["content-type"] != "application/problem+json":
                failures.append(f"{method} {path} with {name}: {answer.status_code}")
    assert failures == []


def test_hostile_member_of_an_otherwise_good_body_is_refused_or_harmless(log_in: LogIn, places: Places) -> None:
    """Each member in turn, and one that the route does not list: `extra` is refused however harmless its value."""
    district = log_in("district")
    failures: list[str] = []
    for case in CASES:
        good = case.body(places) if case.body is not None else {}
        path = case.route.format(id=case.id(places), **case.parameters)
        for member, value in itertools.product((*good, "extra"), JSON_VALUES) if good else ():
            headers = {"If-Match": "*", "Content-Type": "application/json"}
            answer = district.request(case.method, path, content=json.dumps({**good, member: value}).encode(), headers=headers)
            if answer.status_code >= 500 or (member == "extra" and answer.status_code != 422):
                failures.append(f"{case.method} {path} {member}={str(value)[:40]!r}: {answer.status_code}")
    assert failures == []


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
)
def test_body_that_is_not_json_by_its_own_word_is_not_read(client: TestClient, media_type: str) -> None:
    answer = client.post(
        "/v1/auth/token", content=b'{"username": "worker", "password": "places-password"}', headers={"Content-Type": media_type}
    )
    assert answer.status_code == 415
    assert answer.json()["type"] == "/problems/unsupported-media-type"


def test_body_of_20_megabytes_is_refused(client: TestClient) -> None:
    answer = client.post(
        "/v1/auth/token", content=b'{"username": "' + b"x" * 20_000_000 + b'"}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"


def test_address_that_two_programs_could_read_differently_is_refused(client: TestClient) -> None:
    for address in (
        "/v1%2faccounts/me",
        "/v1/accounts%5cme",
        "/v1//accounts/me",
        "/v1/accounts/me%00",
        "/v1/accounts/%ff",
        "/v1/accounts/%zz",
    ):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-request"), address


def test_parameter_given_twice_is_refused(log_in: LogIn) -> None:
    answer = log_in("district").get("/v1/buildings?limit=1&limit=2")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "limit", "reason": "the parameter is given twice"}]


def test_problem_never_repeats_what_was_sent(log_in: LogIn) -> None:
    district = log_in("district")
    secret = "CANARY000001198503120016"
    for answer in (
        district.post("/v1/persons", json={"number": secret, "name": secret}),
        district.get(f"/v1/buildings?area={secret}"),
        district.get(f"/ogc/collections/buildings/items?bbox={secret}"),
        district.post("/v1/auth/token", json={"username": [secret], "password": secret}),
    ):
        assert 400 <= answer.status_code < 500
        assert secret not in answer.text.replace(answer.json()["instance"], "")
