"""Route, role, ownership: what every kind of visitor gets from every route. A route that is not listed here fails the test.

Requests stand in an order in which each finds what it needs; the rows they reach lie in the grid south-west, where `worker` works.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from shapely import Polygon
from shapely.geometry import mapping
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from api.routes import ROUTERS
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import NORTH, PASSWORD, SOUTH, SPARE_NUMBER, WEST, Places, point
from tests.rented import release_all

VISITORS = ("nobody", "worker", "worker-east", "community", "subdistrict", "subdistrict-east", "district", "admin", "auditor")
SPARE = uuid.UUID("01900009-0000-7000-8000-000000000001")
"""A building without units and a person without a residence, in south-west."""
MADE = uuid.UUID("01900009-0000-7000-8000-000000000002")
"""A building that is made as a feature."""


def statuses(text: str) -> dict[str, int]:
    """One status for each visitor, in their order."""
    return dict(zip(VISITORS, map(int, text.split()), strict=True))


#                    nobody worker east-w community subdistrict east-s district admin auditor
OPEN = statuses("       200    200    200       200         200    200      200   200     200")
SIGNED_IN = statuses("  401    200    200       200         200    200      200   200     200")
LISTS = statuses("      401    200    200       200         200    200      200   403     403")
OWNERS = statuses("     401    200    404       200         200    404      200   403     403")
LEAVES = statuses("     401    204    404       204         204    404      204   403     403")
ACCEPTS = statuses("    401    202    404       202         202    404      202   403     403")
ENTERS = statuses("     401    201    422       201         201    422      201   403     403")
ENTERS_PEOPLE = statuses("401  202    422       202         202    422      202   403     403")
OFFICE = statuses("     401    403    403       403         403    403      200   403     403")
OFFICE_MAKES = statuses("401   403    403       403         403    403      201   403     403")
OFFICE_DROPS = statuses("401   403    403       403         403    403      204   403     403")
OFFICES_DROP = statuses("401   403    403       403         204    404      204   403     403")
AUDITOR = statuses("    401    403    403       403         403    403      403   403     200")
OFFICE_SEES = statuses("404    404    404       404         404    404      200   404     404")
HIDDEN = statuses("     404    200    200       200         200    200      200   200     200")

FEATURE = statuses("     404    200    404       200         200    404      200   404     404")
FEATURE_MAKES = statuses("404   201    400       201         201    400      201   404     404")
FEATURE_DROPS = statuses("404   204    404       204         204    404      204   404     404")


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


def of(kind: str, name: str) -> Callable[[Places], object]:
    return lambda places: getattr(places, kind)[name]


def says(**body: Any) -> Callable[[Places], dict[str, Any]]:
    return lambda _: body


def spare(_: Places) -> object:
    return SPARE


def release(name: str) -> Callable[[Places], object]:
    return lambda places: places.releases[name]


def of_release(parameter: str, name: str) -> Callable[[Places], dict[str, Any]]:
    return lambda places: {parameter: str(places.releases[name])}


def square(west: float, south: float) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[point(west + x, south + y) for x, y in ((0, 0), (9, 0), (9, 9), (0, 9), (0, 0))]]}


def building(code: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    lon, lat = point(x, y)
    rest = {"name": "b", "address": "a", "floors_above": 2, "nature": "other", "rental": False}
    return {"house_code": code, "entrance": {"lon": lon, "lat": lat}, **rest, **more}


def feature(house_code: str = "4403990010010000097", **more: Any) -> dict[str, Any]:
    told = building(house_code, 450, 350)
    lon, lat = told.pop("entrance").values()
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": told, **more}


def halves() -> list[dict[str, Any]]:
    """North-east cut in two along the straight line in degrees from the middle of its south to the middle of its north."""
    (a, b), (d, c) = ((point(500, y), point(1000, y)) for y in (400, 800))
    low, high = (tuple((one + other) / 2 for one, other in zip(*ends, strict=True)) for ends in ((a, b), (d, c)))
    shapes = (Polygon([a, low, high, d]), Polygon([low, b, c, high]))
    return [
        {"code": f"{NORTH}0{number}", "name": "half", "community": NORTH, "geometry": dict(mapping(shape))}
        for number, shape in zip((11, 12), shapes, strict=True)
    ]


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
ONE = LAYER | {"fid": str(MADE)}
WHY = {"purpose": "correction", "reason": "asked at the counter"}
AREA = {"name": "n", "level": "community", "parent": WEST, "valid_from": "2024-01-01", "geometry": square(0, 0)}
GRID = {"name": "g", "community": SOUTH, "valid_from": "2024-01-01"}
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
    """The drawn district with something to strike out: an area, a building, a person."""
    district = log_in("district")
    area = district.post("/v1/areas", json={"code": "440399001009", **AREA})
    bare = district.post("/v1/buildings", json=building("4403990010010000099", 400, 350, id=str(SPARE)))
    person = district.post("/v1/persons", json={"id": str(SPARE), "name": "无名", **PERSON})
    assert [answer.status_code for answer in (area, bare, person)] == [201, 201, 202], (area.text, bare.text, person.text)
    drawn.places.areas["spare"] = area.json()["id"]
    drawn.places.releases.update(release_all(drawn.database, drawn.places, SOUTH))
    return drawn.places


@pytest.mark.parametrize("visitor", VISITORS)
def test_visitor_gets_from_every_route_what_is_listed(client: TestClient, log_in: LogIn, places: Places, visitor: str) -> None:
    asking = client if visitor == "nobody" else log_in(visitor)
    surprises: list[str] = []
    for case in CASES:
        path = case.route.format(id=case.id(places), **case.parameters)
        body = None if case.body is None else case.body(places)
        headers = {"If-Match": "*"} | ({"Content-Type": case.media_type} if body is not None else {})
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
