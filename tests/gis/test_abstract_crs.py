"""The abstract test suite of OGC API - Features Part 2: reference systems. Each test names its requirement."""

import httpx2
import numpy as np
import pytest
import shapely
from pyproj import Transformer

from tests.gis.walking import GEOJSON, JSON, collections, document, features, ids, items, landing, links, parameters

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SYSTEMS = (CRS84, f"{EPSG}4490", f"{EPSG}4326", f"{EPSG}4547", f"{EPSG}3857")
TOLERANCE = {f"{EPSG}4547": 0.02, f"{EPSG}3857": 0.02}
"""Metres; degrees are the same to the seventh decimal."""


def from_crs84(uri: str, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in the order of the authority. EPSG:4326 and CRS84 are taken for CGCS2000, which is theirs within a metre."""
    if uri == CRS84:
        return lon, lat
    code = 4490 if uri.endswith("4326") else int(uri.rpartition("/")[2])
    source = 4326 if code == 3857 else 4490
    return Transformer.from_crs(source, code).transform(lat, lon)  # pyright: ignore[reportReturnType]


def test_systems_are_listed_with_the_storage_system_among_them(asking: httpx2.Client) -> None:
    """/req/crs/crs-uri, fc-md-crs-list, fc-md-storageCrs, fc-md-storageCrs-valid-value."""
    for one in collections(asking):
        [address] = links(one, "self", JSON)
        assert one["crs"] == document(asking, address)["crs"] == list(SYSTEMS)
        assert one["storageCrs"] in one["crs"]
    assert (
        "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs"
        in document(asking, links(landing(asking), "conformance", JSON)[0])["conformsTo"]
    )


def test_parameters_are_defined(asking: httpx2.Client) -> None:
    """/req/crs/fc-bbox-crs-definition, /req/crs/fc-crs-definition."""
    for one in collections(asking):
        for path, names in (("items", ("crs", "bbox-crs")), ("items/{featureId}", ("crs",))):
            told = parameters(asking, one, path)
            for name in names:
                assert (told[name]["in"], told[name].get("required", False), told[name]["style"], told[name]["explode"]) == (
                    "query",
                    False,
                    "form",
                    False,
                )
                assert (told[name]["schema"]["type"], told[name]["schema"]["format"]) == ("string", "uri")


@pytest.mark.parametrize("uri", [f"{EPSG}4214", "http://www.opengis.net/def/crs/0/unsupported", "EPSG:4490", ""])
def test_other_systems_are_refused_by_name(asking: httpx2.Client, uri: str) -> None:
    """/req/crs/fc-bbox-crs-valid-value, bbox-crs-exception, fc-crs-valid-value, crs-exception."""
    for one in collections(asking)[:2]:
        for name in ("crs", "bbox-crs"):
            answer = asking.get(items(one), params={name: uri, "bbox": "5,49,6,50"})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, name)
        assert asking.get(f"{items(one)}/1", params={"crs": uri}).status_code == 400


@pytest.mark.parametrize("uri", SYSTEMS)
def test_answer_is_in_the_wanted_system_and_says_so(asking: httpx2.Client, uri: str) -> None:
    """/req/crs/fc-crs-action, fc-crs-default-value, ogc-crs-header, ogc-crs-header-value, geojson."""
    for one in collections(asking):
        plain = asking.get(items(one), params={"limit": 5})
        assert plain.headers["content-crs"] == f"<{CRS84}>"
        turned = asking.get(items(one), params={"limit": 5, "crs": uri})
        assert turned.headers["content-crs"] == f"<{uri}>"
        for before, after in zip(plain.json()["features"], turned.json()["features"], strict=True):
            lon, lat = shapely.get_coordinates(shapely.geometry.shape(before["geometry"])).T
            wanted = np.column_stack(from_crs84(uri, lon, lat))
            told = shapely.get_coordinates(shapely.geometry.shape(after["geometry"]))
            assert np.abs(told - wanted).max() < TOLERANCE.get(uri, 2e-7), (one["id"], uri)
            alone = asking.get(f"{items(one)}/{before['id']}", params={"crs": uri})
            assert alone.headers["content-crs"] == f"<{uri}>"
            assert alone.json()["geometry"] == after["geometry"]


@pytest.mark.parametrize("uri", SYSTEMS)
def test_box_in_any_system_finds_the_same(asking: httpx2.Client, uri: str) -> None:
    """/req/crs/fc-bbox-crs-action, fc-bbox-crs-default-value: the whole extent and a box around one feature."""
    for one in collections(asking):
        first, *_ = document(asking, items(one), GEOJSON, limit=1)["features"]
        center = shapely.geometry.shape(first["geometry"]).representative_point()
        boxes = [center.buffer(1e-5).bounds]
        if not uri.endswith("4547"):  # whose northings do not run along meridians, so that a large box is another place
            west, south, east, north = one["extent"]["spatial"]["bbox"][0]
            boxes.append((west - 1e-9, south - 1e-9, east + 1e-9, north + 1e-9))  # the way there and back costs the last digit
        for west, south, east, north in boxes:
            corners = np.column_stack(from_crs84(uri, np.array([west, east]), np.array([south, north])))
            text = ",".join(repr(float(number)) for number in corners.ravel())
            assert ids(asking, items(one), **{"bbox": text, "bbox-crs": uri}) == ids(
                asking, items(one), bbox=f"{west!r},{south!r},{east!r},{north!r}"
            )


def test_whole_extent_in_the_default_system_finds_everything(asking: httpx2.Client) -> None:
    """/req/crs/fc-bbox-crs-default-value."""
    for one in collections(asking):
        text = ",".join(str(number) for number in one["extent"]["spatial"]["bbox"][0])
        assert len(features(asking, items(one), bbox=text)) == len(ids(asking, items(one)))
