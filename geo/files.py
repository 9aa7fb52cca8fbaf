"""Files of features, to be read: GeoJSON, GeoPackage, FlatGeobuf and Shapefile. geo/writing.py writes files.

Geometries are degrees, longitude first (EPSG:4490), whatever the file holds. GeoJSON is read without GDAL, which guesses types from
values (dates, numbers beside empty ones): codes arrive as they were written, and a bad geometry is refused alone.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio import raw
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.geometry.base import BaseGeometry

from geo.crs import CRS84, STORAGE, reproject
from geo.geometry import GeometryError, build, is_list, is_object

SIGNATURES: Final = {
    ".gpkg": re.compile(rb"SQLite format 3\x00.{52}(GPKG|GP10|GP11)", re.DOTALL),
    ".fgb": re.compile(rb"fgb\x03fgb"),
    ".shp": re.compile(rb"\x00\x00\x27\x0a"),
}
"""How files begin. GDAL goes by content, so a file of another kind under these names could make it open what it points to."""

GEOJSON: Final = frozenset({".geojson", ".json"})
SAME: Final = {("EPSG", "4490"), ("EPSG", "4326"), ("OGC", "CRS84")}
"""Degrees that are taken as they stand: WGS 84 and CGCS2000 agree within a metre."""

MAX_VERTICES: Final = 1_000_000
EXACT: Final = 2**53


class FileError(ValueError):
    """A file that cannot be read as a whole, in one line for its owner."""


@dataclass(frozen=True)
class FileFeature:
    """A feature: its place in the file from 1, its properties, its geometry, or the fault that kept the geometry from being read."""

    number: int
    properties: Mapping[str, Any]
    geometry: BaseGeometry | None
    fault: GeometryError | None = None


@dataclass(frozen=True)
class FeatureFile:
    """What a file holds. `crs` is the reference system that it states, `OGC:CRS84` for GeoJSON that states none."""

    crs: str
    features: list[FileFeature]


def read_features(path: Path, layer: str | None = None) -> FeatureFile:
    """The features of a .geojson, .json, .gpkg, .fgb or .shp file in their order, in degrees (EPSG:4490), heights dropped.

    Geometries are not checked: a polygon may cross itself. Dates are ISO text. A GeoPackage with several layers needs `layer`.
    Raises FileError for what is unreadable, damaged, or without a known reference system.
    """
    suffix = path.suffix.lower()
    if suffix not in {*SIGNATURES, *GEOJSON}:
        raise FileError(f"{path.name}: expected a .geojson, .gpkg, .fgb or .shp file")
    try:
        if suffix not in SIGNATURES:
            return _read_geojson(path)
        _require_whole(path, suffix)
        return _read_with_gdal(path, layer)
    except OSError as error:
        raise FileError(f"{path.name}: {error.strerror or error}") from None
    except (DataSourceError, DataLayerError, UnicodeDecodeError) as error:
        raise FileError(f"{path.name}: damaged or not readable ({_first_line(error, path.parent)})") from None


def _require_whole(path: Path, suffix: str) -> None:
    """Of a Shapefile that was cut short, GDAL gives the lost geometries as empty; its header tells how long it was, in 16-bit words."""
    with path.open("rb") as file:
        head = file.read(100)
    if not SIGNATURES[suffix].match(head):
        raise FileError(f"{path.name}: the content is not that of a {suffix} file")
    if suffix == ".shp" and 2 * int.from_bytes(head[24:28]) > path.stat().st_size:
        raise FileError(f"{path.name}: was cut short")


def _first_line(error: Exception, folder: Path) -> str:
    """GDAL's words without the folders of this machine."""
    return str(error).replace(f"{folder}/", "").split("\n")[0]


def _read_geojson(path: Path) -> FeatureFile:
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise FileError(f"{path.name}: GeoJSON is UTF-8, and this file is not") from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path.name}: not JSON ({error})") from None
    features = document.get("features") if is_object(document) else None
    if not is_object(document) or not is_list(features):
        raise FileError(f"{path.name}: not a GeoJSON FeatureCollection")
    crs = _stated_crs(path, _crs_member(document) or CRS84)
    return FeatureFile(_crs_name(crs), _to_degrees(list(starmap(_read_feature, enumerate(features, 1))), crs))


def _crs_member(document: Mapping[str, Any]) -> str | None:
    """The name in the `crs` member that GeoJSON had before RFC 7946 and that every desktop still writes."""
    stated = document.get("crs")
    properties = stated.get("properties") if is_object(stated) else None
    name = properties.get("name") if is_object(properties) else None
    return name if isinstance(name, str) else None


def _read_feature(number: int, feature: Any) -> FileFeature:
    if not is_object(feature) or feature.get("type") != "Feature":
        return FileFeature(number, {}, None, GeometryError("type", "not a GeoJSON Feature"))
    properties = feature.get("properties")
    kept: Mapping[str, Any] = properties if is_object(properties) else {}
    if feature.get("geometry") is None:
        return FileFeature(number, kept, None)
    try:
        return FileFeature(number, kept, build(feature["geometry"], max_vertices=MAX_VERTICES, drop_z=True))
    except GeometryError as fault:
        return FileFeature(number, kept, None, fault)


def _read_with_gdal(path: Path, layer: str | None) -> FeatureFile:
    layers = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
    if not layers:
        raise FileError(f"{path.name}: holds no layer")
    if layer is None and len(layers) > 1:
        raise FileError(f"{path.name}: holds {len(layers)} layers; name one of {', '.join(layers)}")
    if layer is not None and layer not in layers:
        raise FileError(f"{path.name}: has no layer {layer!r}; its layers are {', '.join(layers)}")
    meta, _, shapes, values = _read_table(path, layer)
    if shapes is None:
        raise FileError(f"{path.name}: the layer has no geometries")
    if pyogrio.read_info(path, layer=layer)["features"] > len(shapes):  # a FlatGeobuf that was cut short; GDAL only stops reading
        raise FileError(f"{path.name}: was cut short")
    if meta["crs"] is None:
        raise FileError(f"{path.name}: states no coordinate reference system")
    crs = _stated_crs(path, meta["crs"])
    names = [str(name) for name in meta["fields"]]
    kinds = zip(names, values, meta["ogr_types"], meta["ogr_subtypes"], strict=True)
    columns = [_python_values(path, name, column, kind, subtype) for name, column, kind, subtype in kinds]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(shapes))
    geometries = shapely.from_wkb(shapes, on_invalid="ignore")
    missing = shapely.is_missing(shapes)
    features = [
        FileFeature(number, dict(zip(names, row, strict=True)), geometry, None if bare or geometry is not None else _unreadable())
        for number, (row, geometry, bare) in enumerate(zip(rows, geometries, missing, strict=True), 1)
    ]
    return FeatureFile(_crs_name(crs), _to_degrees(features, crs))


def _unreadable() -> GeometryError:
    return GeometryError("invalid", "the geometry is malformed: a ring that does not close, or too few points")


def _read_table(path: Path, layer: str | None) -> tuple[dict[str, Any], Any, Any, list[NDArray[Any]]]:
    """GDAL's arrays. A Shapefile that does not state its encoding comes from an old Chinese desktop unless it is UTF-8."""
    options: dict[str, Any] = {"layer": layer, "force_2d": True, "datetime_as_string": True}
    unstated = path.suffix.lower() == ".shp" and not any(path.with_suffix(end).exists() for end in (".cpg", ".CPG"))
    if not unstated or pyogrio.read_info(path)["encoding"] != "ISO-8859-1":
        return raw.read(path, **options)
    try:
        return raw.read(path, encoding="UTF-8", **options)
    except UnicodeDecodeError:
        return raw.read(path, encoding="GB18030", **options)


def _python_values(path: Path, name: str, column: NDArray[Any], kind: str, subtype: str) -> list[Any]:
    """A column as Python values, None where empty; GDAL hands over integers beside empty ones as floats."""
    if column.dtype.kind != "f":
        return column.tolist()
    empty = np.isnan(column)
    whole = kind in {"OFTInteger", "OFTInteger64"}
    if whole and (np.abs(column[~empty]) >= EXACT).any():
        raise FileError(f"{path.name}: {name} holds integers too long to be read exactly beside empty ones; store them as text")
    python = bool if subtype == "OFSTBoolean" else int if whole else float
    return [None if nothing else python(value) for value, nothing in zip(column.tolist(), empty.tolist(), strict=True)]


def _stated_crs(path: Path, stated: str) -> CRS:
    try:
        return CRS.from_user_input(stated)
    except CRSError:
        raise FileError(f"{path.name}: unknown coordinate reference system {stated[:80]!r}") from None


def _crs_name(crs: CRS) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.name


def _to_degrees(features: list[FileFeature], crs: CRS) -> list[FileFeature]:
    if crs.to_authority() in SAME:
        return features
    moved = reproject([feature.geometry for feature in features], crs.to_wkt(), STORAGE)
    return [
        FileFeature(feature.number, feature.properties, geometry, feature.fault) for feature, geometry in zip(features, moved, strict=True)
    ]
