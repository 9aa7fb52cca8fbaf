"""What the documents tell of writing: who may, with which bodies, and that Allow says the same."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.editing import BUILDINGS, GRIDS
from tests.drawn import Drawn

METHODS = {"POST", "PUT", "PATCH", "DELETE"}


def written(document: Any) -> set[tuple[str, str]]:
    return {(path, method) for path, item in document["paths"].items() for method in item if method.upper() in METHODS}


@pytest.mark.parametrize(
    ("role", "layers"), [(None, ()), ("auditor", ()), ("worker", ("buildings",)), ("district", ("buildings", "grids"))]
)
def test_api_tells_of_writing_to_whom_may_write(client: TestClient, log_in: LogIn, role: str | None, layers: tuple[str, ...]) -> None:
    document = (client if role is None else log_in(role)).get("/ogc/api").json()
    OpenAPIV30SpecValidator(document).validate()
    wanted = {(f"/collections/{name}/items", "post") for name in layers}
    wanted |= {(f"/collections/{name}/items/{{featureId}}", method) for name in layers for method in ("put", "patch", "delete")}
    assert written(document) == wanted


@pytest.mark.parametrize("role", ["worker", "district"])
def test_allow_and_api_say_the_same(log_in: LogIn, drawn: Drawn, role: str) -> None:
    asking = log_in(role)
    paths = asking.get("/ogc/api").json()["paths"]
    for items, one in ((BUILDINGS, drawn.places.buildings["tower"]), (GRIDS, drawn.places.grids["south-west"])):
        for address, path in ((items, items), (f"{items}/{one}", f"{items}/{{featureId}}")):
            allowed = asking.options(address).headers["allow"].split(", ")
            assert METHODS & set(allowed) == {method.upper() for method in paths[path.removeprefix("/ogc")]} & METHODS


def test_schema_says_what_may_be_written(log_in: LogIn) -> None:
    worker = log_in("worker")
    schema = worker.get("/ogc/collections/buildings/schema").json()
    assert schema["required"] == ["geometry", "address", "floors_above", "house_code", "name", "nature", "rental"]
    assert {name for name, one in schema["properties"].items() if one.get("readOnly")} == {"id"}
    grids = worker.get("/ogc/collections/grids/schema").json()
    assert grids["required"] == ["geometry", "code", "community", "name", "valid_from"]
    assert {name for name, one in grids["properties"].items() if one.get("readOnly")} == {"id"}
    communities = worker.get("/ogc/collections/communities/schema").json()
    assert "required" not in communities
    assert all(one.get("readOnly") for name, one in communities["properties"].items() if name != "geometry")
