import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyogrio import raw
from shapely.geometry.base import BaseGeometry

from geo.crs import METRIC, STORAGE, reproject
from geo.files import FileError, read_features

SQUARE = [[113.8, 22.5], [113.9, 22.5], [113.9, 22.6], [113.8, 22.6], [113.8, 22.5]]
BOW_TIE = [SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]


def geojson(path: Path, *features: object, **members: object) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}), encoding="utf-8-sig")
    return path


def area(*rings: Any, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}}


def gdal(path: Path, geometries: list[BaseGeometry | None], columns: Mapping[str, Any], crs: str, **options: Any) -> Path:
    """A file as another program would have written it."""
    drivers = {".shp": "ESRI Shapefile", ".gpkg": "GPKG", ".fgb": "FlatGeobuf"}
    shapes = shapely.to_wkb(np.array(geometries, dtype=object))
    values = [np.array(column) for column in columns.values()]
    options = {"driver": drivers[path.suffix], "geometry_type": "Polygon", "crs": crs, **options}
    raw.write(path, shapes, values, list(columns), **options)
    return path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("grids.csv", b"code,name", "expected a .geojson, .gpkg, .fgb or .shp file"),
        ("grids", b"{}", "expected a .geojson"),
        ("grids.geojson", b"", "not JSON"),
        ("grids.geojson", b"<OGRVRTDataSource/>", "not JSON"),
        ("grids.geojson", b"[" * 100_000, "not JSON"),
        ("grids.geojson", '{"name": "新安"}'.encode("gb18030"), "is UTF-8"),
        ("grids.geojson", b"[]", "not a GeoJSON FeatureCollection"),
        ("grids.geojson", b'{"type": "Topology", "objects": {}}', "not a GeoJSON FeatureCollection"),
        ("grids.geojson", b'{"features": [], "crs": {"properties": {"name": "EPSG:0"}}}', "unknown coordinate reference system 'EPSG:0'"),
        ("grids.gpkg", b"", "not that of a .gpkg file"),
        ("grids.gpkg", b"<OGRVRTDataSource><OGRVRTLayer/></OGRVRTDataSource>", "not that of a .gpkg file"),
        ("grids.gpkg", b"SQLite format 3\x00" + bytes(500), "not that of a .gpkg file"),
        ("grids.fgb", b"fgb\x03fgb\x00" + bytes(20), "holds no layer"),
        ("grids.shp", b"\x00\x00\x27\x0a" + bytes(96), "damaged"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=message) as refusal:
        read_features(path)
    assert str(refusal.value).startswith(name)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".shp"])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    path = gdal(tmp_path / f"grids{suffix}", [shapely.Polygon(SQUARE)] * 100, {"code": ["1"] * 100}, "EPSG:4490")
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(FileError, match="grids"):
        read_features(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"grids\.gpkg: No such file"):
        read_features(tmp_path / "grids.gpkg")


def test_a_layer_without_a_reference_system_is_refused(tmp_path: Path) -> None:
    path = gdal(tmp_path / "grids.shp", [shapely.Polygon(SQUARE)], {"code": ["1"]}, "EPSG:4490")
    path.with_suffix(".prj").unlink()
    with pytest.raises(FileError, match="states no coordinate reference system"):
        read_features(path)


def test_a_package_of_several_layers_wants_a_name(tmp_path: Path) -> None:
    path = tmp_path / "handover.gpkg"
    for layer in ("areas", "grids"):
        gdal(path, [shapely.Polygon(SQUARE)], {"layer": [layer]}, "EPSG:4490", layer=layer, append=path.exists())
    with pytest.raises(FileError, match="holds 2 layers; name one of areas, grids"):
        read_features(path)
    with pytest.raises(FileError, match="has no layer 'roads'"):
        read_features(path, "roads")
    assert [feature.properties for feature in read_features(path, "grids").features] == [{"layer": "grids"}]


def test_integers_that_would_be_rounded_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "buildings.gpkg"
    codes, empty = np.array([4403060170010100001, 0]), [np.array([False, True])]
    gdal(path, [shapely.Polygon(SQUARE)] * 2, {"code": codes}, "EPSG:4490", field_mask=empty)
    with pytest.raises(FileError, match="code holds integers too long"):
        read_features(path)


def test_geojson_arrives_as_it_was_written(tmp_path: Path) -> None:
    first = area(SQUARE, code="440306017001001", house=4403060170010100001, valid_from="2005-01-01", floors=None, tags=["x"])
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    path = geojson(tmp_path / "grids.geojson", first, area(BOW_TIE), {"type": "Feature", "properties": None, "geometry": None}, crs=named)
    file = read_features(path)
    assert file.crs == "EPSG:4490"
    assert [feature.number for feature in file.features] == [1, 2, 3]
    assert file.features[0].properties == first["properties"]
    assert file.features[0].geometry == shapely.Polygon(SQUARE)
    assert file.features[1].geometry == shapely.Polygon(BOW_TIE)
    assert (file.features[2].properties, file.features[2].geometry, file.features[2].fault) == ({}, None, None)


def test_a_bad_geometry_is_the_fault_of_its_own_feature_only(tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "grids.json", area(SQUARE), area(SQUARE[:-1], code="7"), "x", area([[float("nan"), 22.5], *SQUARE[1:]]), area(SQUARE)
    )
    file = read_features(path)
    assert file.crs == "OGC:CRS84"
    faults = {feature.number: feature.fault.reason for feature in file.features if feature.fault is not None}
    assert faults == {2: "unclosed-ring", 3: "type", 4: "not-finite"}
    assert file.features[1].properties == {"code": "7"}
    assert file.features[4].geometry is not None


def test_heights_in_a_file_are_dropped(tmp_path: Path) -> None:
    high = shapely.Polygon([(x, y, 30.0) for x, y in SQUARE])
    path = geojson(tmp_path / "grids.geojson", area([[x, y, 30] for x, y in SQUARE]))
    package = gdal(tmp_path / "grids.gpkg", [high], {"code": ["1"]}, "EPSG:4490", geometry_type="Polygon Z")
    for file in (read_features(path), read_features(package)):
        assert file.features[0].geometry == shapely.Polygon(SQUARE)


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".shp"])
def test_metres_become_degrees_longitude_first(tmp_path: Path, suffix: str) -> None:
    (metric,) = reproject([shapely.Polygon(SQUARE)], STORAGE, METRIC)
    file = read_features(gdal(tmp_path / f"grids{suffix}", [metric], {"code": ["甲"]}, "EPSG:4547"))
    assert file.crs == "EPSG:4547"
    (feature,) = file.features
    assert feature.properties == {"code": "甲"}
    assert shapely.equals_exact(feature.geometry, shapely.Polygon(SQUARE), tolerance=1e-9, normalize=True)


def test_a_bow_tie_and_an_empty_place_come_through_a_package(tmp_path: Path) -> None:
    shapes: list[BaseGeometry | None] = [shapely.Polygon(BOW_TIE), None, shapely.Polygon()]
    file = read_features(gdal(tmp_path / "grids.gpkg", shapes, {"code": ["1", "2", "3"]}, "EPSG:4490"))
    assert [feature.geometry for feature in file.features] == [shapely.Polygon(BOW_TIE), None, shapely.Polygon()]
    assert [feature.fault for feature in file.features] == [None, None, None]


@pytest.mark.parametrize("encoding", ["GB18030", "UTF-8"])
def test_a_shapefile_that_hides_its_encoding_is_read_all_the_same(tmp_path: Path, encoding: str) -> None:
    path = gdal(tmp_path / "grids.shp", [shapely.Polygon(SQUARE)], {"名称": ["新安街道"]}, "EPSG:4490", encoding=encoding)
    path.with_suffix(".cpg").unlink()
    assert read_features(path).features[0].properties == {"名称": "新安街道"}
