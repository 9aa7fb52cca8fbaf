import numpy as np
import pytest
import shapely
from sqlalchemy import Connection, text

from geo.crs import METRIC, STORAGE, WEB, area_m2, reproject, to_degrees, to_metric

# The central meridian is 114° E with a false easting of 500 km: west of it lies less.
WEST_OF_MERIDIAN = (113.9, 22.6)


def test_metres_are_easting_then_northing() -> None:
    easting, northing = to_metric(*WEST_OF_MERIDIAN)
    # A tenth of a degree of longitude at 22.6° N: 0.1 x 111,320 m x cos 22.6° = 10,277 m west of the meridian.
    assert easting == pytest.approx(500_000 - 10_284, abs=15)
    # From the equator: 22.6 degrees of latitude of about 110,630 m each.
    assert northing == pytest.approx(2_500_300, abs=400)


def test_degrees_come_back_from_metres() -> None:
    assert np.allclose(to_degrees(*to_metric(*WEST_OF_MERIDIAN)), WEST_OF_MERIDIAN, rtol=0, atol=1e-11)


def test_an_area_is_measured_in_square_metres() -> None:
    lon, lat = to_degrees([490_000, 490_200, 490_200, 490_000], [2_500_000, 2_500_000, 2_500_100, 2_500_100])
    rectangle = shapely.Polygon(list(zip(lon.tolist(), lat.tolist(), strict=True)))
    assert area_m2([rectangle, None, shapely.Point(113.9, 22.6)]) == pytest.approx([20_000, np.nan, 0], nan_ok=True, abs=1e-3)


def test_missing_geometries_stay_missing_and_heights_are_dropped() -> None:
    moved = reproject([None, shapely.Point(490_000, 2_500_000, 12)], METRIC, STORAGE)
    assert moved[0] is None
    assert not moved[1].has_z
    assert moved[1].x == pytest.approx(113.9028, abs=1e-3)


@pytest.mark.parametrize("target", [METRIC, WEB])
def test_python_and_postgis_put_a_place_within_a_millimetre(postgis_connection: Connection, target: int) -> None:
    query = text("SELECT ST_X(p), ST_Y(p) FROM ST_Transform(ST_Point(113.9, 22.6, 4490), CAST(:target AS int)) AS p")
    x, y = postgis_connection.execute(query, {"target": target}).one()
    (moved,) = reproject([shapely.Point(*WEST_OF_MERIDIAN)], STORAGE, target)
    assert (moved.x, moved.y) == pytest.approx((x, y), abs=1e-3)
