"""Queryables, sortables and schema of a layer: valid JSON Schema that says what its items are; and what its tiles carry."""

from typing import Any

import jsonschema
import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from gridmgmt.layers import LAYERS
from tests.api.conftest import LogIn
from tests.api.test_ogc_tiles import MERCATOR, address, drawn_in
from tests.drawn import Drawn
from tests.places import SOUTH
from tests.rented import release_all


def read(client: TestClient, address: str) -> dict[str, Any]:
    answer = client.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json"), answer.text
    return answer.json()


@pytest.mark.parametrize("document", ["queryables", "sortables", "schema"])
def test_document_of_a_hidden_layer_is_not_there(client: TestClient, log_in: LogIn, document: str) -> None:
    assert client.get(f"/ogc/collections/buildings/{document}").status_code == 404
    assert client.get(f"/ogc/collections/no-such-layer/{document}").status_code == 404
    assert log_in("auditor").get(f"/ogc/collections/grids/{document}").status_code == 404
    refused = client.get(f"/ogc/collections/communities/{document}?limit=1")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "limit")
    assert client.get(f"/ogc/collections/communities/{document}", headers={"Accept": "image/png"}).status_code == 406


def test_documents_are_json_schema_under_their_own_address(log_in: LogIn) -> None:
    for name in LAYERS:
        for document in ("queryables", "sortables", "schema"):
            address = f"http://testserver/ogc/collections/{name}/{document}"
            told = read(log_in("district"), address)
            Draft202012Validator.check_schema(told)
            assert (told["$schema"], told["$id"], told["type"], told["additionalProperties"]) == (
                "https://json-schema.org/draft/2020-12/schema",
                address,
                "object",
                False,
            )
            for one in told["properties"].values():
                assert ("type" in one) != one.get("format", "").startswith("geometry-")
                assert not one["title"].isascii()


def test_queryables_of_buildings_list_the_values_of_their_nature(log_in: LogIn) -> None:
    told = read(log_in("worker"), "/ogc/collections/buildings/queryables")["properties"]
    assert list(told) == ["geometry", "house_code", "name", "address", "nature", "rental", "floors_above", "built_year"]
    assert told["geometry"] == {"title": "Geometry 几何", "format": "geometry-any"}
    assert told["nature"]["enum"] == ["self_built", "collective", "factory_dormitory", "commodity", "apartment", "other"]
    assert (told["rental"]["type"], told["floors_above"]["type"]) == ("boolean", "integer")


def test_schema_names_the_part_that_each_property_plays(client: TestClient) -> None:
    told = read(client, "/ogc/collections/communities/schema")["properties"]
    roles = {one["x-ogc-role"]: name for name, one in told.items() if "x-ogc-role" in one}
    assert roles == {"id": "id", "primary-geometry": "geometry", "primary-interval-start": "valid_from"}
    assert [one["x-ogc-propertySeq"] for one in told.values()] == [1, 2, 3, 4, 5, 6, 7]
    assert told["geometry"]["format"] == "geometry-multipolygon"
    assert told["valid_from"] == {
        "title": "In force since 生效日期",
        "type": "string",
        "format": "date",
        "readOnly": True,
        "x-ogc-role": "primary-interval-start",
        "x-ogc-propertySeq": 6,
    }


def test_every_feature_fits_the_schema_of_its_layer(log_in: LogIn, drawn: Drawn) -> None:
    release_all(drawn.database, drawn.places, SOUTH)
    district = log_in("district")
    for name in LAYERS:
        told = read(district, f"/ogc/collections/{name}/schema")
        features = district.get(f"/ogc/collections/{name}/items").json()["features"]
        assert features
        for feature in features:
            properties = {key: value for key, value in feature["properties"].items() if value is not None}
            jsonschema.validate({"id": feature["id"], "geometry": feature["geometry"]} | properties, told)
            shape = told["properties"]["geometry"]["format"].removeprefix("geometry-")
            assert shape in {"any", feature["geometry"]["type"].lower()}


def test_document_that_the_client_has_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/ogc/collections/communities/queryables")
    assert first.headers["cache-control"] == "public, no-cache"
    again = client.get("/ogc/collections/communities/queryables", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_fields_of_buildings_are_told_as_tiles_have_them(log_in: LogIn) -> None:
    district = log_in("district")
    tileset = f"/ogc/collections/buildings/tiles/{MERCATOR}"
    fields = district.get(f"{tileset}?f=tilejson").json()["vector_layers"][0]["fields"]
    assert fields == {
        "id": "String, from level 14",
        "nature": "String, from level 14",
        "rental": "Boolean, from level 14; Number, below level 14",
        "count": "Number, below level 14",
    }
    told = district.get(tileset).json()["layers"][0]["propertiesSchema"]["properties"]
    assert told["id"] == {"type": "string", "title": "Id", "description": "from level 14"}
    assert told["rental"] == {
        "oneOf": [
            {"type": "boolean", "title": "Whether it is let", "description": "from level 14"},
            {"type": "integer", "title": "Number of these that are let", "description": "below level 14"},
        ]
    }
    page = district.get(f"{tileset}?f=html")
    assert (page.status_code, page.text.count("<code>rental</code>")) == (200, 2)
    near, far = (drawn_in(district, address("buildings", level, 450, 350))[0]["properties"] for level in (14, 9))
    assert {name: type(value) for name, value in near.items()} == {"id": str, "nature": str, "rental": bool}
    assert {name: type(value) for name, value in far.items()} == {"count": int, "rental": int}
