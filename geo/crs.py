"""Reference systems: one to store, one to measure, one to draw, one to exchange.

All coordinates in this package are easting or longitude first, whatever the authority says: EPSG:4490 is officially latitude first
and EPSG:4547 northing first. Whoever speaks to the outside in the official order swaps at that edge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

STORAGE = 4490
"""CGCS2000 longitude, latitude in degrees (EPSG:4490): what tables hold."""

METRIC = 4547
"""CGCS2000 / 3-degree Gauss-Krüger, central meridian 114° E (EPSG:4547), metres: lengths and areas are computed here."""

WEB = 3857
"""Web Mercator (EPSG:3857): map tiles only, never lengths or areas."""

CRS84 = "OGC:CRS84"
"""WGS 84 longitude, latitude: what GeoJSON means. CGCS2000 and WGS 84 agree within a metre."""


STEP: Final = 2_000.0
LONGEST_STEP: Final = 10_000.0
MOST_STEPS: Final = 25_000
"""Metres along a side that is followed from one system into another, and how many steps are taken."""


@dataclass(frozen=True)
class Exchange:
    """A reference system that others may ask for, with the order of axes that its authority gives it."""

    uri: str
    srid: int
    swapped: bool
    """Whether latitude or northing comes first."""
    digits: int
    """Decimals of a coordinate that make a centimetre or less."""
    limits: tuple[float, float, float, float]
    """Least and greatest coordinates that mean something, longitude or easting first: the 3° belt around 114° E for EPSG:4547."""

    @property
    def degrees(self) -> bool:
        """Whether it holds the numbers of the storage system. EPSG:4326 and CRS84 are taken for CGCS2000, as gazetteers do."""
        return self.digits == 7


_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
_GLOBE = (-180.0, -90.0, 180.0, 90.0)
EXCHANGES: Final[Mapping[str, Exchange]] = {
    one.uri: one
    for one in (
        Exchange("http://www.opengis.net/def/crs/OGC/1.3/CRS84", STORAGE, swapped=False, digits=7, limits=_GLOBE),
        Exchange(f"{_EPSG}{STORAGE}", STORAGE, swapped=True, digits=7, limits=_GLOBE),
        Exchange(f"{_EPSG}4326", STORAGE, swapped=True, digits=7, limits=_GLOBE),
        Exchange(f"{_EPSG}{METRIC}", METRIC, swapped=True, digits=3, limits=(-2e6, -1e7, 3e6, 1e7)),
        Exchange(f"{_EPSG}{WEB}", WEB, swapped=False, digits=3, limits=(-20037508.35, -20048966.11, 20037508.35, 20048966.11)),
    )
}
"""By URI; the first is what is meant when nothing is said."""
LONLAT: Final = next(iter(EXCHANGES.values()))


@lru_cache(maxsize=64)
def transformer(source: int | str, target: int | str) -> Transformer:
    """The transformation from `source` to `target`, longitude or easting first on both sides.

    A reference system is an EPSG number, or whatever PROJ reads (a code, a URN, well-known text). Raises pyproj's CRSError when it
    reads neither.
    """
    return Transformer.from_crs(CRS.from_user_input(source), CRS.from_user_input(target), always_xy=True)


def to_metric(lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Easting and northing in metres (EPSG:4547) of degrees (EPSG:4490)."""
    easting, northing = transformer(STORAGE, METRIC).transform(np.asarray(lon, dtype=float), np.asarray(lat, dtype=float))
    return np.asarray(easting), np.asarray(northing)


def to_degrees(easting: ArrayLike, northing: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude (EPSG:4490) of metres (EPSG:4547)."""
    lon, lat = transformer(METRIC, STORAGE).transform(np.asarray(easting, dtype=float), np.asarray(northing, dtype=float))
    return np.asarray(lon), np.asarray(lat)


def reproject(geometries: Sequence[BaseGeometry | None] | NDArray[Any], source: int | str, target: int | str) -> NDArray[Any]:
    """The geometries (None stays None) with every vertex transformed; third dimensions are dropped.

    A vertex outside the target's domain becomes infinite. Edges stay straight between vertices in either system, so a long edge
    moves a little: measure what was cut in one system, never cut in two.
    """
    change = transformer(source, target)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(change.transform(points[:, 0], points[:, 1]))

    return shapely.transform(np.asarray(geometries, dtype=object), move)


def in_degrees(shape: BaseGeometry, source: int) -> BaseGeometry:
    """The shape in degrees (EPSG:4490), longitude first. Its sides, straight in `source` and bent in degrees, are followed in steps.

    A sixteenth of its size makes a step, or STEP: of two kilometres the middle lies 3 cm beside the straight line of degrees at 22
    degrees north, and that grows with the square. Raises ValueError for an outline that is too long to be followed so.
    """
    west, south, east, north = shape.bounds
    longest, length = max(east - west, north - south), float(shapely.length(shape))
    if length > MOST_STEPS * LONGEST_STEP:
        raise ValueError(f"its sides are longer than {MOST_STEPS * LONGEST_STEP / 1e3:,.0f} km in all; write it in degrees")
    fine = shapely.segmentize(shape, max(min(longest / 16, STEP), length / MOST_STEPS)) if longest else shape
    return reproject([fine], source, STORAGE)[0]


def area_m2(geometries: Sequence[BaseGeometry | None] | NDArray[Any]) -> NDArray[np.float64]:
    """Areas in m² (EPSG:4547) of geometries in degrees (EPSG:4490); points and lines have none."""
    return shapely.area(reproject(geometries, STORAGE, METRIC))
