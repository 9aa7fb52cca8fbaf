"""Landing page, conformance, collections and OpenAPI: valid, linked through and through, and made for who asks."""

from collections.abc import Iterator
from typing import Any

import pytest
import shapely
from openapi_spec_validator import OpenAPIV30SpecValidator
from shapely.geometry import shape
from starlette.testclient import TestClient

from api.ogc.routes import ROUTES
from tests.api.conftest import LogIn

ROOT = "http://testserver/ogc"
RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
FILES = ("f=gpkg", "f=fgb", "f=parquet")
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"


def links_of(document: Any) -> Iterator[dict[str, str]]:
    """Every link, however deep."""
    match document:
        case {"href": str(), "rel": str()}:
            yield document
        case dict():
            for part in document.values():
                yield from links_of(part)
        case list():
            for part in document:
                yield from links_of(part)
        case _:
            pass


def rels(document: dict[str, Any]) -> set[str]:
    return {link["rel"] for link in document["links"]}


@pytest.mark.parametrize("path", ["", "conformance", "api", "collections", "collections/communities"])
def test_unknown_parameter_and_representation_are_refused(client: TestClient, path: str) -> None:
    refused = client.get(f"/ogc/{path}?limit=1")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "limit")
    assert client.get(f"/ogc/{path}?f=xml").status_code == 400
    assert client.get(f"/ogc/{path}", headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize("role", [None, "worker", "district", "admin", "auditor"])
def test_every_link_leads_to_what_it_says(client: TestClient, log_in: LogIn, role: str | None) -> None:
    asking = client if role is None else log_in(role)
    seen: set[str] = set()
    waiting: list[tuple[str, str | None]] = [(f"{ROOT}/", None)]
    while waiting:
        address, media_type = waiting.pop()
        if address in seen or address.endswith(FILES):  # whole files have tests of their own
            continue
        seen.add(address)
        answer = asking.get(address, headers={"Accept": media_type or "*/*"})
        assert answer.status_code == 200, (address, answer.text)
        if media_type is not None:
            assert answer.headers["content-type"].partition(";")[0] == media_type.partition(";")[0], address
        if answer.headers["content-type"].partition(";")[0].endswith("json"):
            waiting += [(link["href"], link.get("type")) for link in links_of(answer.json()) if "{" not in link["href"]]
    hidden = {"worker": 0, "district": 0, "admin": 1}.get(role or "", 2)
    assert sum(f"{ROOT}/collections/{name}" in seen for name in ("grids", "buildings")) == 2 - hidden


def test_landing_page_names_what_the_standards_want(client: TestClient) -> None:
    page = client.get("/ogc/").json()
    assert {"self", "service-desc", "conformance", "data"} <= rels(page)
    assert [link["type"] for link in page["links"] if link["rel"] == "service-desc"] == [OPENAPI]
    assert page["notice"] == "演示数据"


def test_collection_names_its_items_and_schemas(client: TestClient) -> None:
    page = client.get("/ogc/collections/communities").json()
    assert {"self", "items", *(f"{RELATIONS}/{name}" for name in ("queryables", "sortables", "schema"))} <= rels(page)
    assert page == {**page, "itemType": "feature", "storageCrs": "http://www.opengis.net/def/crs/EPSG/0/4490"}
    listed = client.get("/ogc/collections").json()
    assert [link["href"] for link in listed["collections"][1]["links"] if link["rel"] == "self"] == [f"{ROOT}/collections/communities"]


def test_extent_is_that_of_the_own_features(log_in: LogIn) -> None:
    boxes = {name: log_in(name).get("/ogc/collections/grids").json()["extent"]["spatial"]["bbox"][0] for name in ("worker", "district")}
    assert boxes["district"][2] - boxes["district"][0] > 3 * (boxes["worker"][2] - boxes["worker"][0]) > 0
    for name in ("worker", "subdistrict", "district"):
        told = log_in(name).get("/ogc/collections/buildings/items?limit=100&datetime=../..").json()["features"]
        box = log_in(name).get("/ogc/collections/buildings").json()["extent"]["spatial"]["bbox"][0]
        assert box == pytest.approx(shapely.total_bounds([shape(feature["geometry"]) for feature in told]), abs=1e-7), name


def test_document_that_the_client_has_is_not_sent_again(client: TestClient, log_in: LogIn) -> None:
    for path in ("", "conformance", "api", "collections", "collections/communities"):
        first = client.get(f"/ogc/{path}")
        again = client.get(f"/ogc/{path}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "public, no-cache"), path
        assert log_in("worker").get(f"/ogc/{path}").headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("role", [None, "worker", "district", "admin", "auditor"])
def test_api_is_valid_openapi_and_tells_of_the_own_layers_only(client: TestClient, log_in: LogIn, role: str | None) -> None:
    asking = client if role is None else log_in(role)
    answer = asking.get("/ogc/api")
    assert answer.headers["content-type"] == OPENAPI
    document = answer.json()
    assert document["openapi"] == "3.0.3"
    OpenAPIV30SpecValidator(document).validate()
    listed = {collection["id"] for collection in asking.get("/ogc/collections").json()["collections"]}
    assert {path.split("/")[2] for path in document["paths"] if path.startswith("/collections/")} == listed


def test_api_holds_every_address_and_every_parameter_of_it(log_in: LogIn) -> None:
    district = log_in("district")
    document = district.get("/ogc/api").json()
    told = {path.replace("/buildings", "/{collection}").replace("{featureId}", "{fid}") for path in document["paths"]}
    assert {route.path.removeprefix("/ogc") for route in ROUTES} <= told  # pyright: ignore[reportAttributeAccessIssue]
    items = document["paths"]["/collections/buildings/items"]["get"]["parameters"]
    names = {one.get("name") or one["$ref"].rpartition("/")[2] for one in items}
    assert {"house_code", "nature", "rental", "bbox", "bbox-crs", "crs", "datetime", "limit", "cursor", "sortby", "properties"} <= names
    values = {"bbox": "114,22,115,23", "datetime": "2024-01-01", "as_of": "2150-01-01T00:00:00Z", "limit": "1", "filter": "rental = true"}
    for one in items:
        parameter = document["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        if parameter["name"] == "cursor":
            continue
        schema = parameter["schema"]
        value = values.get(parameter["name"]) or str((schema.get("enum") or schema.get("items", {}).get("enum") or ["1"])[0])
        value = "true" if schema["type"] == "boolean" else value
        answer = district.get("/ogc/collections/buildings/items", params={parameter["name"]: value})
        assert answer.status_code == 200, (parameter["name"], answer.text)
