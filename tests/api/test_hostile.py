"""What strangers, broken clients and attackers send. Each gets a 4xx that says why; nothing of it reaches a 500 or the log.

The sweeps take routes, parameters and bodies from the application's own OpenAPI document, so that a new route is attacked unasked.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.bare import Answer, Visitor
from tests.api.conftest import LogIn
from tests.api.test_matrix import CASES, Case, places
from tests.api.visitors import HANDHELDS
from tests.drawn import Drawn
from tests.handhelds import enrolled
from tests.places import Places

__all__ = ["places"]

DEEP = "[" * 200 + "]" * 200
VALUES = (
    "' OR 1=1 --", "-1", "0", "1_0", "+5", "٣", "1e999", "NaN", "99999999999999999999999999", "9223372036854775808", "2147483648",
    "0001-01-01", "9999-12-31T23:59:59Z", "2024-02-30", "x" * 5000, "../../etc/passwd", "{}", "%E2%80%AE", "%0d%0aX:1",
    "00000000-0000-0000-0000-000000000000", "1,2,3,NaN", "1e400,0,0,0", "-180,-90,180,90",
)  # fmt: skip
"""Values of parameters, as they stand in an address."""
UNREADABLE = ("%00", "%ff", "%ed%a0%80", "%zz", "%1b")
"""Values that are refused whatever they are for."""
PATHS = ("%2e%2e%2f", "a%2fb", "%01", "%5C", "a;b", "@", "{00000000-0000-0000-0000-000000000000}")
"""More values of ids."""


def nested(levels: int) -> str:
    """A collection in a collection in a collection."""
    return '{"type": "GeometryCollection", "geometries": [' * levels + "]}" * levels


JSON_VALUES: tuple[str, ...] = (
    "null", "true", "-1", str(2**31), str(2**63), "1" + "0" * 400, "1e308", "1e400", '""', r'"a\u0000b"', r'"\ud800"', '"1_0"',
    f'"{"x" * 100_000}"', "[[]]", '{"a": {"b": {}}}', '"0001-01-01"', '"2024-02-30"', '"\' OR 1=1 --"', nested(10), nested(200),
    '{"type": "Point", "coordinates": ["a", "b"]}',
    '{"type": "Polygon", "coordinates": []}',
    '{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}',
    '{"type": "Polygon", "coordinates": [[[0, 0], [1e308, 0], [1, 1], [0, 0]]]}',
    '{"type": "Polygon", "coordinates": [[[0, 0], [1e400, 0], [1, 1], [0, 0]]]}',
    '{"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}',
    '{"type": ["Polygon"], "coordinates": {}}',
)  # fmt: skip
"""Values of members, as they stand in a body."""

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


Run = Callable[[Callable[[], Awaitable[list[str]]]], list[str]]
Sending = Callable[[Iterable[str], str], Awaitable[Answer]]
"""Sends a value in all of these places at once."""


@pytest.fixture
def run(client: TestClient) -> Run:
    """Runs a sweep in the event loop of the application."""
    assert client.portal is not None
    return client.portal.call


def operations(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def takes_json(operation: dict[str, Any]) -> bool:
    """Whether the route takes a body of JSON; pieces of files are bytes."""
    return any(media_type.endswith("json") for media_type in operation.get("requestBody", {}).get("content", {}))


def reachable(path: str, drawn: Drawn) -> str:
    """The path with ids of rows that are there."""
    places = drawn.places
    kind = path.split("/")[2] if path.startswith("/v1/") else ""
    rows: dict[str, Any] = {
        "areas": places.areas, "grids": places.grids, "buildings": places.buildings, "units": places.units, "persons": places.people,
        "residences": places.residences, "leases": places.leases, "managers": places.managers,
        "inspections": places.inspections, "duty-reports": places.duty_reports,
    }  # fmt: skip
    identifier = next(iter(rows[kind].values())) if kind in rows else 1
    path = path.replace("{id}", str(identifier)).replace("{collection}", "buildings").replace("{fid}", "1")
    return path.replace("{slug}", "conflict")


async def attack(send: Sending, names: Sequence[str], values: Iterable[str]) -> list[str]:
    """Every value in every place, and which of them got a 5xx.

    All places get a value at once; those that the answer does not refuse by name get it again, each alone among good ones.
    """
    failures: list[str] = []
    for value in values:
        together = await send(names, value)
        refused = {error["field"].split(".")[0] for error in together.json()["errors"]} if 400 <= together.status < 500 else set()
        asked = [(names, together), *[([name], await send([name], value)) for name in names if name not in refused]]
        failures += [f"{'+'.join(places)}={value[:40]}: {answer.status}" for places, answer in asked if answer.status >= 500]
    return failures


def test_hostile_parameter_is_refused_or_harmless_on_every_route(app: FastAPI, run: Run, drawn: Drawn) -> None:
    auditor, district = Visitor(app, drawn, "auditor"), Visitor(app, drawn, "district")

    async def sweep() -> list[str]:
        failures: list[str] = []
        for method, path, operation in operations(app):
            visitor, address = auditor if path == "/v1/audit" else district, reachable(path, drawn)
            unknown = await visitor.ask(method, f"{address}?no_such_parameter=1")
            failures += [f"{path}: took an unknown parameter"] if unknown.status not in {400, 422} else []
            names = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]

            async def send(places: Iterable[str], value: str, visitor: Visitor = visitor, address: str = address) -> Answer:
                return await visitor.ask("GET", f"{address}?{'&'.join(f'{place}={value}' for place in places)}")

            if method == "GET" and names:
                failures += [f"{path}: {failure}" for failure in await attack(send, names, VALUES)]
        return failures

    assert run(sweep) == []


def test_address_that_cannot_be_read_is_refused_before_its_parameters_are(client: TestClient) -> None:
    for value in UNREADABLE:
        answer = client.get(f"/ogc/collections?f={value}")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-request"), value


def test_hostile_id_is_refused_on_every_route(app: FastAPI, run: Run, drawn: Drawn) -> None:
    district = Visitor(app, drawn, "district")

    async def sweep() -> list[str]:
        failures: list[str] = []
        for method, path, operation in operations(app):
            for value in (*VALUES, *UNREADABLE, *PATHS) if "{" in path else ():
                address = re.sub(r"\{[a-z]+\}", value, path)
                answer = await district.ask(method, address, b"{}" if "requestBody" in operation else None)
                if not 400 <= answer.status < 500:
                    failures.append(f"{method} {address[:80]}: {answer.status}")
        return failures

    assert run(sweep) == []


def test_body_that_is_no_object_is_refused_on_every_route(app: FastAPI, run: Run, drawn: Drawn) -> None:
    district = Visitor(app, drawn, "district")

    async def sweep() -> list[str]:
        failures: list[str] = []
        for method, path, operation in operations(app):
            for name, body in BODIES.items() if takes_json(operation) else ():
                answer = await district.ask(method, reachable(path, drawn), body)
                if answer.status not in {400, 403, 422} or answer.media_type != "application/problem+json":
                    failures.append(f"{method} {path} with {name}: {answer.status}")
        return failures

    assert run(sweep) == []


def test_hostile_member_of_an_otherwise_good_body_is_refused_or_harmless(app: FastAPI, run: Run, drawn: Drawn, places: Places) -> None:
    """Each member in turn, and one that the route does not list: `extra` is refused however harmless its value."""
    district, admin, handheld = (Visitor(app, drawn, asking) for asking in ("district", "admin", enrolled(drawn)))

    def may(case: Case) -> Visitor:
        return handheld if case.expected == HANDHELDS else admin if case.expected["admin"] < 300 <= case.expected["district"] else district

    async def sweep() -> list[str]:
        failures: list[str] = []
        for case in CASES:
            good = {name: json.dumps(value) for name, value in case.body(places).items()} if case.body is not None else {}
            path, visitor = case.route.format(id=case.id(places), **case.parameters), may(case)

            async def send(
                members: Iterable[str],
                value: str,
                *,
                visitor: Visitor = visitor,
                method: str = case.method,
                path: str = path,
                good: dict[str, str] = good,
            ) -> Answer:
                body = ", ".join(f'"{name}": {text}' for name, text in (good | dict.fromkeys(members, value)).items())
                return await visitor.ask(method, path, f"{{{body}}}".encode())

            if good:
                failures += [f"{case.method} {path}: {failure}" for failure in await attack(send, [*good, "extra"], JSON_VALUES)]
                extra = await send(["extra"], "1")
                # a push is refused as a whole by 400: what is wrong with one of its items is that item's answer
                own = path.startswith("/ogc/")  # GeoJSON lets a feature have members of its sender's own (RFC 7946, 6.1)
                if not own and (extra.status not in {400, 422} or extra.json()["errors"][0]["field"] != "extra"):
                    failures.append(f"{case.method} {path}: took an unknown member")
        return failures

    assert run(sweep) == []


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
