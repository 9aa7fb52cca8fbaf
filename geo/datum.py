"""Chinese map datums: GCJ-02 (火星坐标) and BD-09 (百度坐标) to CGCS2000 and back.

Consumer maps and many handhelds deliver shifted coordinates: in Shenzhen about 600 m off in GCJ-02 and 1.2 km in BD-09. The forward
formulas are the ones every map library publishes for GCJ-02 (Krasovsky 1940 ellipsoid) and BD-09 (a spiral on top of GCJ-02). They
have no closed inverse; the usual one-step inverse errs by up to four metres, so the inverse here iterates to the fixed point.
"""

import re
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Coordinates = tuple[NDArray[np.float64], NDArray[np.float64]]

AXIS: Final = 6378245.0
ECCENTRICITY: Final = 0.00669342162296594323
X_PI: Final = np.pi * 3000.0 / 180.0
ITERATIONS: Final = 6
"""Leaves less than 1e-6 m anywhere in China; BD-09 needs two steps more than GCJ-02 for that."""


class Datum(StrEnum):
    """What a delivered longitude and latitude refer to."""

    CGCS2000 = "CGCS2000"
    """WGS 84 agrees with it within a metre and counts as the same."""
    GCJ02 = "GCJ-02"
    BD09 = "BD-09"


class UnknownDatumError(ValueError):
    """A datum's name that stands for none of `Datum`."""


ALIASES: Final = {
    "CGCS2000": Datum.CGCS2000,
    "EPSG4490": Datum.CGCS2000,
    "4490": Datum.CGCS2000,
    "国家2000": Datum.CGCS2000,
    "2000国家大地坐标系": Datum.CGCS2000,
    "WGS84": Datum.CGCS2000,
    "EPSG4326": Datum.CGCS2000,
    "4326": Datum.CGCS2000,
    "GCJ02": Datum.GCJ02,
    "火星坐标": Datum.GCJ02,
    "火星坐标系": Datum.GCJ02,
    "BD09": Datum.BD09,
    "BD09LL": Datum.BD09,
    "百度": Datum.BD09,
    "百度坐标": Datum.BD09,
    "百度坐标系": Datum.BD09,
}


def parse_datum(name: str) -> Datum:
    """The datum called `name`, whatever its case, spaces, hyphens, colons or underscores. Raises UnknownDatumError."""
    datum = ALIASES.get(re.sub(r"[\s\-_:－：]", "", name).upper())
    if datum is None:
        raise UnknownDatumError(f"unknown datum {name[:40]!r}: expected one of {', '.join(Datum)}")
    return datum


def to_cgcs2000(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Coordinates:
    """Longitudes and latitudes in degrees of CGCS2000, from degrees of `datum`; exact to 1e-11°. NaN stays NaN."""
    match datum:
        case Datum.CGCS2000:
            return np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
        case Datum.GCJ02 | Datum.BD09:
            return _undo(lon, lat, datum)


def from_cgcs2000(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Coordinates:
    """Longitudes and latitudes in degrees of `datum`, from degrees of CGCS2000. NaN stays NaN."""
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    match datum:
        case Datum.CGCS2000:
            return x, y
        case Datum.GCJ02:
            return _to_gcj02(x, y)
        case Datum.BD09:
            return _gcj02_to_bd09(*_to_gcj02(x, y))


def _undo(lon: ArrayLike, lat: ArrayLike, datum: Datum) -> Coordinates:
    """Walk back by what the forward formula overshoots; the shift changes so slowly that each step gains two to four digits."""
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    guess_x, guess_y = x, y
    for _ in range(ITERATIONS):
        shifted_x, shifted_y = from_cgcs2000(guess_x, guess_y, datum)
        guess_x, guess_y = guess_x - (shifted_x - x), guess_y - (shifted_y - y)
    return guess_x, guess_y


def _to_gcj02(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Coordinates:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    waves_x = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves_x
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves_x
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    radians = np.radians(lat)
    magic = 1.0 - ECCENTRICITY * np.sin(radians) ** 2
    degrees_east = east * 180.0 / (AXIS / np.sqrt(magic) * np.cos(radians) * np.pi)
    degrees_north = north * 180.0 / (AXIS * (1.0 - ECCENTRICITY) / (magic * np.sqrt(magic)) * np.pi)
    # Outside this box, which the formula's publishers drew around China, coordinates are not shifted.
    inside = (lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271)
    return np.where(inside, lon + degrees_east, lon), np.where(inside, lat + degrees_north, lat)


def _gcj02_to_bd09(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Coordinates:
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * X_PI)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * X_PI)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006
