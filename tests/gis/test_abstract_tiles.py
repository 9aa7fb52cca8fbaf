"""The abstract test suite of OGC API - Tiles Part 1 and its tilesets' metadata. Each test names its requirement."""

from typing import Any

import httpx2
import mapbox_vector_tile
import morecantile
import pytest

from tests.gis.walking import JSON, api, collections, document, landing, links

REL = "http://www.opengis.net/def/rel/ogc/1.0"
MVT = "application/vnd.mapbox-vector-tile"
SETS = ("WebMercatorQuad", "WorldCRS84Quad")
CLASSES = ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "oas30")


def tilesets(client: httpx2.Client) -> list[dict[str, Any]]:
    """Every tileset of every collection, as its own page tells it."""
    found: list[dict[str, Any]] = []
    for one in collections(client):
        [address] = links(one, f"{REL}/tilesets-vector", JSON)
        assert address == f"{links(one, 'self', JSON)[0]}/tiles"
        for listed in document(client, address)["tilesets"]:
            whole = document(client, links(listed, "self", JSON)[0])
            assert {"dataType", "crs", "tileMatrixSetURI", "links"} <= listed.keys()
            assert {name: whole[name] for name in ("title", "dataType", "crs", "tileMatrixSetURI")}.items() <= listed.items()
            found.append(whole)
    return found


def template(tileset: dict[str, Any]) -> str:
    """Where its tiles are."""
    [item] = [link for link in tileset["links"] if link["rel"] == "item"]
    assert (item["type"], item["templated"]) == (MVT, True)
    return item["href"]


def test_classes_are_declared(asking: httpx2.Client) -> None:
    """/req/core/conformance-success."""
    declared = document(asking, links(landing(asking), "conformance", JSON)[0])["conformsTo"]
    assert {f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}" for name in CLASSES} <= set(declared)


def test_api_has_the_tiles_with_their_parameters_and_names(asking: httpx2.Client) -> None:
    """/req/core/tc-op, tc-tilematrix-definition, tc-tilerow-definition, tc-tilecol-definition, /req/oas30/completeness, operation-id."""
    told = api(asking)["paths"]
    for one in collections(asking):
        here = f"/collections/{one['id']}/tiles"
        suffixes = {here: "getTileSetsList", f"{here}/{{tileMatrixSetId}}": "getTileSet"}
        path = f"{here}/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}"
        for at, suffix in (suffixes | {path: "getTile"}).items():
            assert told[at]["get"]["operationId"].endswith(f".collection.vector.{suffix}")
        names = {given.get("name") for given in told[path]["get"]["parameters"] if given.get("in") == "path" and given["required"]}
        assert names == {"tileMatrixSetId", "tileMatrix", "tileRow", "tileCol"}


def test_every_collection_has_a_tileset_for_each_registered_set(asking: httpx2.Client) -> None:
    """/req/geodata-tilesets/desc-links, operation, /req/tilesets-list/tileset-links, tileset-path, /req/tileset/description."""
    found = tilesets(asking)
    assert len(found) == len(SETS) * len(collections(asking))
    for one in found:
        [scheme] = links(one, f"{REL}/tiling-scheme", JSON)
        definition = document(asking, scheme)
        name = one["tileMatrixSetURI"].rpartition("/")[2]
        assert one["tileMatrixSetURI"] == f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{name}" == definition["uri"]
        assert one["crs"] == definition["crs"]
        assert (name in SETS, one["dataType"]) == (True, "vector")
        levels = [limit["tileMatrix"] for limit in one["tileMatrixSetLimits"]]
        assert set(levels) <= {matrix["id"] for matrix in definition["tileMatrices"]}


def test_tiles_lie_within_the_limits_and_none_beyond(asking: httpx2.Client) -> None:
    """/req/core/tc-success, /req/core/tc-error, /req/mvt/content."""
    for one in tilesets(asking):
        at = template(one)
        name = one["tileMatrixSetURI"].rpartition("/")[2]
        drawn = 0
        for limit in one["tileMatrixSetLimits"][:16:5]:
            level = int(limit["tileMatrix"])
            for row in (limit["minTileRow"], limit["maxTileRow"]):
                answer = asking.get(at.format(tileMatrix=level, tileRow=row, tileCol=limit["minTileCol"]))
                assert (answer.status_code, answer.headers["content-type"]) == (200, MVT)
                for layer in mapbox_vector_tile.decode(answer.content).values():
                    drawn += len(layer["features"])
                    assert all(feature["geometry"]["coordinates"] for feature in layer["features"])
            matrix = morecantile.tms.get(name).matrix(level)
            for row, column in ((matrix.matrixHeight, 0), (0, matrix.matrixWidth), (2**31 - 1, 2**31 - 1)):
                assert asking.get(at.format(tileMatrix=level, tileRow=row, tileCol=column)).status_code in {400, 404}
        assert drawn or not one["tileMatrixSetLimits"]
        last = one["tileMatrixSetLimits"][-1]
        assert asking.get(at.format(tileMatrix=last["tileMatrix"], tileRow=last["maxTileRow"] + 9, tileCol=0)).status_code == 404
        assert asking.get(at.format(tileMatrix=99, tileRow=0, tileCol=0)).status_code == 404


@pytest.mark.parametrize("accept", [MVT, "*/*", "application/json, */*;q=0.1"])
def test_tiles_are_vector_tiles_whoever_asks(asking: httpx2.Client, accept: str) -> None:
    """/req/mvt/definition."""
    first = tilesets(asking)[0]
    limit = first["tileMatrixSetLimits"][12]
    at = template(first).format(tileMatrix=limit["tileMatrix"], tileRow=limit["minTileRow"], tileCol=limit["minTileCol"])
    answer = asking.get(at.partition("?")[0], headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, MVT)
