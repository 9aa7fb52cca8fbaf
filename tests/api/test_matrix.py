"""Route, role, ownership: what every kind of visitor gets from every route. A route that is not listed here fails the test.

Requests stand in an order in which each finds what it needs; the rows they reach lie in the grid south-west, where `worker` works.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from api.routes import ROUTERS
from tests.api.bodies import building, feature, halves, square
from tests.api.conftest import LogIn
from tests.api.uploads import TUS, append, begin, photo
from tests.api.visitors import (
    ACCEPTS,
    ADMIN,
    ADMIN_MAKES,
    AUDITOR,
    BEGINS,
    ENTERS,
    ENTERS_PEOPLE,
    FEATURE,
    FEATURE_DROPS,
    FEATURE_MAKES,
    HANDHELDS,
    HOLDER,
    HOLDERS,
    KEEPERS,
    KEYLESS,
    LEAVES,
    LISTS,
    MAKERS,
    OFFICE,
    OFFICE_DROPS,
    OFFICE_MAKES,
    OFFICE_SEES,
    OFFICES_DROP,
    OPEN,
    OWNERS,
    SIGNED_IN,
    TOLD,
    UNKNOWN,
    VISITORS,
)  # fmt: skip
from tests.drawn import Drawn
from tests.handhelds import enrolled
from tests.places import NORTH, PASSWORD, SOUTH, SPARE_NUMBER, WEST, Places
from tests.rented import release_all

SPARE = uuid.UUID("01900009-0000-7000-8000-000000000001")
"""A building without units and a person without a residence, in south-west."""
WHOLE_FILE, OPEN_FILE = (uuid.UUID(f"01900009-0000-7000-8000-00000000000{number}") for number in (3, 4))
"""Files of the worker's, linked to a building in south-west."""
MADE = uuid.UUID("01900009-0000-7000-8000-000000000002")
"""A building that is made as a feature."""


@dataclass(frozen=True)
class Case:
    """One request, and the status that each visitor gets."""

    method: str
    route: str
    expected: dict[str, int]
    id: Callable[[Places], object] = lambda _: ""
    body: Callable[[Places], dict[str, Any]] | None = None
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    media_type: str = "application/json"
    query: Callable[[Places], dict[str, Any]] = lambda _: {}
    headers: dict[str, str] = field(default_factory=dict[str, str])


def of(kind: str, name: str) -> Callable[[Places], object]:
    return lambda places: getattr(places, kind)[name]


def says(**body: Any) -> Callable[[Places], dict[str, Any]]:
    return lambda _: body


def spare(_: Places) -> object:
    return SPARE


def whole_file(_: Places) -> object:
    return WHOLE_FILE


def open_file(_: Places) -> object:
    return OPEN_FILE


def release(name: str) -> Callable[[Places], object]:
    return lambda places: places.releases[name]


def of_release(parameter: str, name: str) -> Callable[[Places], dict[str, Any]]:
    return lambda places: {parameter: str(places.releases[name])}


def noun(path: str, expected_list: dict[str, int], one: Callable[[Places], object], change: dict[str, Any]) -> list[Case]:
    """List, read, history and correction, which all nouns have alike."""
    return [
        Case("GET", f"/v1/{path}", expected_list),
        Case("GET", f"/v1/{path}/{{id}}", OWNERS, one),
        Case("GET", f"/v1/{path}/{{id}}/history", OWNERS, one),
        Case("PATCH", f"/v1/{path}/{{id}}", OWNERS, one, says(**change)),
    ]


PERSON = {"registration": "floating", "grid": f"{SOUTH}001"}
ITEMS = "/ogc/collections/{collection}/items"
LAYER = {"collection": "buildings"}
MERGE_PATCH = "application/merge-patch+json"
PIECES = "application/offset+octet-stream"
ONE = LAYER | {"fid": str(MADE)}
WHY = {"purpose": "correction", "reason": "asked at the counter"}
AREA = {"name": "n", "level": "community", "parent": WEST, "valid_from": "2024-01-01", "geometry": square(0, 0)}
LETTER = {"mutation_id": str(SPARE)}
PUSH = {"device_id": str(SPARE), "batch_id": str(SPARE), "sent_at_device": "2026-01-01T00:00:00Z", "mutations": []}
GRID = {"name": "g", "community": SOUTH, "valid_from": "2024-01-01"}
UNSIGNED, NOON = "A" * 86, "2026-01-01T12:00:00Z"
ENROLMENT = {
    "code": "0", "public_key": "A" * 43, "label": "l", "app_version": "1", "schema_version": 1, "signature": UNSIGNED,
}  # fmt: skip
STYLES = {"collection": "communities", "style": "border"}
TILES = {"collection": "communities", "tileMatrixSetId": "WebMercatorQuad", "tileMatrix": "12", "tileRow": "1783", "tileCol": "3345"}

CASES: tuple[Case, ...] = (
    Case("POST", "/v1/auth/token", OPEN, body=says(username="worker", password=PASSWORD)),
    Case("GET", "/v1/accounts/me", SIGNED_IN),
    Case("GET", "/v1/audit", AUDITOR),
    Case("GET", "/", OPEN),
    Case("GET", "/healthz", OPEN),
    Case("GET", "/readyz", OPEN),
    Case("GET", "/metrics", dict.fromkeys(VISITORS, 404)),  # to the machine itself only
    Case("GET", "/openapi.json", OPEN),
    Case("GET", "/problems", OPEN),
    Case("GET", "/problems/{slug}", OPEN, parameters={"slug": "conflict"}),
    Case("GET", "/ogc/", OPEN),
    Case("GET", "/ogc/conformance", OPEN),
    Case("GET", "/ogc/api", OPEN),
    Case("GET", "/ogc/collections", OPEN),
    Case("GET", "/ogc/collections/{collection}", OPEN, parameters={"collection": "communities"}),
    Case("GET", "/ogc/collections/{collection}/queryables", OPEN, parameters={"collection": "communities"}),
    Case("GET", "/ogc/collections/{collection}/sortables", OPEN, parameters={"collection": "communities"}),
    Case("GET", "/ogc/collections/{collection}/schema", OPEN, parameters={"collection": "communities"}),
    Case("GET", "/ogc/collections/{collection}/items", OPEN, parameters={"collection": "communities"}),
    Case("GET", "/ogc/collections/{collection}/items/{fid}", OPEN, parameters={"collection": "communities", "fid": "4"}),
    Case("GET", "/ogc/tileMatrixSets", OPEN),
    Case("GET", "/ogc/tileMatrixSets/{tileMatrixSetId}", OPEN, parameters=TILES),
    Case("GET", "/ogc/styles", OPEN),
    Case("GET", "/ogc/styles/{style}", OPEN, parameters={"style": "ground"}),
    Case("GET", "/ogc/collections/{collection}/styles", OPEN, parameters=STYLES),
    Case("GET", "/ogc/collections/{collection}/styles/{style}", OPEN, parameters=STYLES),
    Case("GET", "/ogc/collections/{collection}/tiles", OPEN, parameters=TILES),
    Case("GET", "/ogc/collections/{collection}/tiles/{tileMatrixSetId}", OPEN, parameters=TILES),
    Case("GET", "/ogc/collections/{collection}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}", OPEN, parameters=TILES),
    # areas
    Case("GET", "/v1/areas", SIGNED_IN),
    Case("GET", "/v1/areas/{id}", SIGNED_IN, of("areas", SOUTH)),
    Case("GET", "/v1/areas/{id}/history", SIGNED_IN, of("areas", SOUTH)),
    Case("GET", "/v1/areas/{id}/lineage", SIGNED_IN, of("areas", SOUTH)),
    Case("POST", "/v1/areas", OFFICE_MAKES, body=says(code="440399001008", **AREA)),
    Case("PATCH", "/v1/areas/{id}", OFFICE, of("areas", SOUTH), says(name="n")),
    Case("POST", "/v1/areas/{id}/end", OFFICE, of("areas", "spare"), says(on="2025-01-01")),
    Case("DELETE", "/v1/areas/{id}", OFFICE_DROPS, of("areas", "spare")),
    # grids
    Case("GET", "/v1/grids", LISTS),
    Case("GET", "/v1/grids/{id}", OWNERS, of("grids", "south-west")),
    Case("GET", "/v1/grids/{id}/history", OWNERS, of("grids", "south-west")),
    Case("GET", "/v1/grids/{id}/lineage", OFFICE, of("grids", "south-west")),
    Case("POST", "/v1/grids", OFFICE_MAKES, body=says(code=f"{SOUTH}901", scheme="dedicated", geometry=square(0, 0), **GRID)),
    Case("PATCH", "/v1/grids/{id}", OFFICE, of("grids", "south-west"), says(name="g")),
    Case("POST", "/v1/grids/redraw", OFFICE_MAKES, body=says(kind="split", retire=[f"{NORTH}002"], on="2024-01-01", create=halves())),
    Case("POST", "/v1/grids/{id}/end", OFFICE, of("grids", "east-outer"), says(on="2025-01-01")),
    Case("DELETE", "/v1/grids/{id}", OFFICE_DROPS, of("grids", "east-outer")),
    # persons
    *noun("persons", LISTS, of("people", "li"), {"registration": "registered"}),
    Case("POST", "/v1/persons", ENTERS_PEOPLE, body=says(name="孙", identity_number=SPARE_NUMBER, **PERSON)),
    Case("POST", "/v1/persons/lookup", LISTS, body=says(identity_number=SPARE_NUMBER, **WHY)),
    Case("POST", "/v1/persons/{id}/reveal", OWNERS, of("people", "li"), says(fields=["phone"], **WHY)),
    Case("POST", "/v1/persons/{id}/move", ACCEPTS, spare, says(unit="4403990010010000001000101", on="2025-01-01")),
    Case("DELETE", "/v1/persons/{id}", LEAVES, spare),
    Case("POST", "/v1/compare", LISTS, body=says(identity_number=SPARE_NUMBER, purpose="spot_check", reason="asked at the door")),
    # handhelds: what they do themselves takes their signatures or tokens, which no visitor has
    Case("POST", "/v1/devices/enrolments", ADMIN_MAKES, body=says(username="worker")),
    Case("POST", "/v1/devices/enrol", dict.fromkeys(VISITORS, 401), body=says(**ENROLMENT), headers={"Idempotency-Key": "one"}),
    Case("POST", "/v1/devices/token", dict.fromkeys(VISITORS, 401), body=says(device_id=str(SPARE), refresh_token="x", signature=UNSIGNED)),
    Case("POST", "/v1/sync/wipe-ack", dict.fromkeys(VISITORS, 401), body=says(device_id=str(SPARE), at=NOON, signature=UNSIGNED)),
    Case("GET", "/v1/devices", HOLDERS),
    Case("GET", "/v1/devices/{id}", HOLDER, of("devices", "worker")),
    Case("GET", "/v1/devices/{id}/incidents", KEEPERS, of("devices", "worker")),
    Case("POST", "/v1/devices/{id}/drain", ADMIN, of("devices", "worker")),
    Case("POST", "/v1/devices/{id}/activate", ADMIN, of("devices", "worker")),
    Case("POST", "/v1/devices/{id}/reauthorise", ADMIN, of("devices", "worker")),
    Case("POST", "/v1/devices/{id}/revoke", ADMIN, of("devices", "worker")),
    Case("GET", "/v1/sync/bootstrap", HANDHELDS),
    Case("GET", "/v1/sync/codes", HANDHELDS),
    # residences
    *noun("residences", LISTS, of("residences", "li-before"), {"basis": "own"}),
    Case(
        "POST", "/v1/residences", ENTERS,
        body=lambda p: {"person_id": str(p.people["li"]), "unit_id": str(p.units["tower-101"]), "main": False, "valid_from": "2024-01-01"},
    ),
    Case("POST", "/v1/residences/{id}/verify", OWNERS, of("residences", "li-before")),
    Case("POST", "/v1/residences/{id}/end", OWNERS, of("residences", "li-before"), says(on="2023-01-01")),
    Case("DELETE", "/v1/residences/{id}", LEAVES, of("residences", "li-before")),
    # leases
    *noun("leases", LISTS, of("leases", "village-sublet"), {"deposit_fen": 1}),
    Case(
        "POST", "/v1/leases", ENTERS,
        body=lambda p: {"unit_id": str(p.units["tower-101"]), "rent": {"amount": 1}, "valid_from": "2024-01-01", "valid_to": "2025-01-01"},
    ),
    Case("POST", "/v1/leases/{id}/file", OWNERS, of("leases", "village-sublet"), says(on="2024-01-20")),
    Case("POST", "/v1/leases/{id}/end", OWNERS, of("leases", "village-sublet"), says(on="2024-06-01")),
    Case("DELETE", "/v1/leases/{id}", LEAVES, of("leases", "village-sublet")),
    # inspections
    Case("GET", "/v1/inspections", LISTS),
    Case("GET", "/v1/inspections/{id}", OWNERS, of("inspections", "patrol-of-village")),
    Case(
        "POST", "/v1/inspections", ENTERS,
        body=lambda p: {"building_id": str(p.buildings["tower"]), "kind": "safety", "outcome": "ok", "visited_at": "2024-01-01T08:00:00Z"},
    ),
    Case("DELETE", "/v1/inspections/{id}", OFFICES_DROP, of("inspections", "patrol-of-village")),
    # duty reports, before their manager is struck out
    Case("GET", "/v1/duty-reports", LISTS),
    Case("GET", "/v1/duty-reports/{id}", OWNERS, of("duty_reports", "zhang-moves-in")),
    Case(
        "POST", "/v1/duty-reports", ENTERS,
        body=lambda p: {"manager_id": str(p.managers["zhang-for-village"]), "kind": "notice", "happened_on": "2024-01-01"},
    ),
    Case("DELETE", "/v1/duty-reports/{id}", OFFICES_DROP, of("duty_reports", "zhang-moves-in")),
    # managers
    *noun("managers", LISTS, of("managers", "zhang-for-village"), {"archive_number": "A"}),
    Case(
        "POST", "/v1/managers", ENTERS,
        body=lambda p: says(kind="owner", valid_from="2024-01-01")(p)
        | {"person_id": str(p.people["li"]), "building_id": str(p.buildings["tower"])},
    ),
    Case("POST", "/v1/managers/{id}/end", OWNERS, of("managers", "zhang-for-village"), says(on="2025-01-01", state="resigned")),
    Case("DELETE", "/v1/managers/{id}", LEAVES, of("managers", "zhang-for-village")),
    # rents
    Case("GET", "/v1/rents/methods", OPEN),
    Case("GET", "/v1/rents/estimates", OFFICE, query=says(area=SOUTH, use="residential", **{"from": "2024-01-01", "to": "2024-03-31"})),
    Case("GET", "/v1/rents/guide", OPEN),
    Case("GET", "/v1/rents/index", OPEN),
    Case("POST", "/v1/rents/check", LISTS, body=says(area=SOUTH, use="residential", rent_fen=400_000, area_m2=100)),
    Case("GET", "/v1/rents/releases", OPEN),
    Case("GET", "/v1/rents/releases/{id}", OPEN, release("published")),
    Case("GET", "/v1/rents/releases/{id}/bulletin", OPEN, release("published"), query=says(f="xlsx")),
    Case("GET", "/v1/rents/releases/{id}/revisions", OFFICE_SEES, release("published"), query=of_release("since", "draft")),
    Case("POST", "/v1/rents/releases/{id}/review", OFFICE, release("draft"), says()),
    Case("POST", "/v1/rents/releases/{id}/approve", OFFICE, release("reviewed"), says()),
    Case("POST", "/v1/rents/releases/{id}/publish", OFFICE, release("approved"), says()),
    Case("POST", "/v1/rents/releases/{id}/reject", OFFICE, release("spare"), says()),
    # files, which the worker made
    Case("OPTIONS", "/v1/files", TOLD),
    Case("POST", "/v1/files", BEGINS, headers=TUS | {"Upload-Length": "500"}),
    Case("GET", "/v1/files/{id}", OWNERS, whole_file),
    Case("GET", "/v1/files/{id}/info", OWNERS, whole_file),
    Case("PATCH", "/v1/files/{id}", MAKERS, open_file, headers=TUS | {"Upload-Offset": "0", "Content-Type": PIECES}),
    Case("DELETE", "/v1/files/{id}", MAKERS, open_file, headers=TUS),
    # what handhelds read: no token of a person's opens it
    Case("POST", "/v1/sync/pull", HANDHELDS, body=says(scopes=[])),
    Case("GET", "/v1/sync/snapshot/{scope}", HANDHELDS, parameters={"scope": "1"}),
    Case("POST", "/v1/sync/verify", HANDHELDS, body=says(scopes=[])),
    Case("GET", "/v1/sync/events", HANDHELDS),
    # handhelds: what they send themselves, tests/api/test_push.py has
    Case("POST", "/v1/sync/push", HANDHELDS, body=says(**PUSH)),
    Case("GET", "/v1/sync/conflicts", LISTS),
    Case("GET", "/v1/sync/conflicts/{conflict_id}", UNKNOWN, parameters={"conflict_id": str(SPARE)}),
    Case("POST", "/v1/sync/conflicts/{conflict_id}/resolve", KEYLESS, body=says(take="theirs"), parameters={"conflict_id": str(SPARE)}),
    Case("GET", "/v1/sync/letters", LISTS),
    Case("GET", "/v1/sync/letters/{mutation_id}", UNKNOWN, parameters=LETTER),
    Case("POST", "/v1/sync/letters/{mutation_id}/close", UNKNOWN, body=says(note="n"), parameters=LETTER),
    Case("GET", "/v1/sync/policies", LISTS),
    Case("POST", "/v1/sync/policies", OFFICE_MAKES, body=says(kind="unit", field="use", policy="client_wins")),
    # units, after those who lived there
    *noun("units", LISTS, of("units", "tower-102"), {"room": "r"}),
    Case(
        "POST", "/v1/units", ENTERS,
        body=lambda p: says(code="4403990010010000001000109", floor=1, room="109", area_m2=9, use="other")(p)
        | {"building_id": str(p.buildings["tower"])},
    ),
    Case("POST", "/v1/units/{id}/end", OWNERS, of("units", "tower-102"), says(on="2025-01-01")),
    Case("DELETE", "/v1/units/{id}", LEAVES, of("units", "tower-102")),
    # buildings
    *noun("buildings", LISTS, of("buildings", "village"), {"name": "b"}),
    Case("POST", "/v1/buildings", ENTERS, body=says(**building("4403990010010000098", 450, 350))),
    Case("POST", "/v1/buildings/{id}/end", OWNERS, spare, says(on="2025-01-01")),
    Case("DELETE", "/v1/buildings/{id}", LEAVES, spare),
    # buildings as features
    Case("POST", ITEMS, FEATURE_MAKES, body=says(**feature(id=str(MADE))), parameters=LAYER),
    Case("PATCH", f"{ITEMS}/{{fid}}", FEATURE, body=says(properties={"name": "f"}), parameters=ONE, media_type=MERGE_PATCH),
    Case("PUT", f"{ITEMS}/{{fid}}", FEATURE, body=says(**feature(house_code="4403990010010000096")), parameters=ONE),
    Case("DELETE", f"{ITEMS}/{{fid}}", FEATURE_DROPS, parameters=ONE),
)  # fmt: skip


@pytest.fixture
def places(log_in: LogIn, drawn: Drawn) -> Places:
    """The drawn district with something to strike out: an area, a building, a person; and with files."""
    district = log_in("district")
    area = district.post("/v1/areas", json={"code": "440399001009", **AREA})
    bare = district.post("/v1/buildings", json=building("4403990010010000099", 400, 350, id=str(SPARE)))
    person = district.post("/v1/persons", json={"id": str(SPARE), "name": "无名", **PERSON})
    assert [answer.status_code for answer in (area, bare, person)] == [201, 201, 202], (area.text, bare.text, person.text)
    worker, tower = log_in("worker"), drawn.places.buildings["tower"]
    assert append(worker, begin(worker, 500, id=WHOLE_FILE, kind="building", entity=tower), 0, photo(500)).status_code == 204
    begin(worker, 500, id=OPEN_FILE, kind="building", entity=tower)
    drawn.places.areas["spare"] = area.json()["id"]
    drawn.places.devices["worker"] = enrolled(drawn).id
    drawn.places.releases.update(release_all(drawn.database, drawn.places, SOUTH))
    return drawn.places


@pytest.mark.parametrize("visitor", VISITORS)
def test_visitor_gets_from_every_route_what_is_listed(client: TestClient, log_in: LogIn, places: Places, visitor: str) -> None:
    asking = client if visitor == "nobody" else log_in(visitor)
    surprises: list[str] = []
    for case in CASES:
        path = case.route.format(id=case.id(places), **case.parameters)
        body = None if case.body is None else case.body(places)
        headers = {"If-Match": "*"} | ({"Content-Type": case.media_type} if body is not None else {}) | case.headers
        answer = asking.request(case.method, path, headers=headers, json=body, params=case.query(places))
        if answer.status_code != case.expected[visitor]:
            surprises.append(f"{case.method} {case.route}: {answer.status_code}, not {case.expected[visitor]}: {answer.text[:200]}")
    assert surprises == []


def test_every_route_is_listed_and_every_listed_route_is_there(app: FastAPI) -> None:
    listed = {(case.method, case.route) for case in CASES}
    assert {(method, route.path) for route in routes(app) for method in route.methods or () if method != "HEAD"} == listed


def routes(app: FastAPI) -> Iterator[Route]:
    """Every route of the application: those of the routers, and its own. Anything else would have to be looked into first."""
    own = [route for route in app.routes if isinstance(route, Route)]
    assert [route.path for route in app.routes if isinstance(route, Mount)] == ["/static"]  # files for everybody, no route
    assert len(app.routes) == len(own) + len(ROUTERS) + 1
    for route in (*own, *(route for router in ROUTERS for route in router.routes)):
        assert isinstance(route, Route), f"{route} is not looked into"
        yield route
