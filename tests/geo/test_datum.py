import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.datum import Datum, UnknownDatumError, from_cgcs2000, parse_datum, to_cgcs2000

# Published: CGCS2000, GCJ-02, BD-09 of five places in the district, to six decimals.
PLACES = {
    "Xin'an": ((113.8838, 22.5548), (113.888686, 22.551754), (113.895117, 22.558060)),
    "Fuyong": ((113.8170, 22.6700), (113.822051, 22.667077), (113.828606, 22.672735)),
    "Shajing": ((113.8100, 22.7280), (113.815073, 22.725104), (113.821653, 22.730777)),
    "Songgang": ((113.8420, 22.7720), (113.846991, 22.769058), (113.853482, 22.775001)),
    "Shiyan": ((113.9430, 22.6740), (113.947885, 22.671004), (113.954438, 22.676689)),
}
SHIFTED = [Datum.GCJ02, Datum.BD09]
HALF_OF_THE_LAST_DIGIT = 6e-7

longitudes = st.floats(113.6, 114.1)
latitudes = st.floats(22.4, 22.9)


@pytest.mark.parametrize("name", ["", "WGS72", "WGS72火星", "GCJ", "BD-90", "4547", "高德地图"])
def test_a_name_that_stands_for_no_datum_is_refused(name: str) -> None:
    with pytest.raises(UnknownDatumError, match="expected one of CGCS2000, GCJ-02, BD-09"):
        parse_datum(name)


@pytest.mark.parametrize(
    ("name", "datum"),
    [
        ("CGCS2000", Datum.CGCS2000),
        ("EPSG:4490", Datum.CGCS2000),
        ("WGS84", Datum.CGCS2000),
        ("WGS-84", Datum.CGCS2000),
        ("wgs 84", Datum.CGCS2000),
        ("GCJ-02", Datum.GCJ02),
        ("GCJ02", Datum.GCJ02),
        (" gcj_02 ", Datum.GCJ02),
        ("火星坐标", Datum.GCJ02),
        ("BD-09", Datum.BD09),
        ("BD09", Datum.BD09),
        ("百度", Datum.BD09),
        ("百度坐标系", Datum.BD09),
    ],
)
def test_a_datum_is_known_by_its_usual_names(name: str, datum: Datum) -> None:
    assert parse_datum(name) is datum


@pytest.mark.parametrize("place", PLACES)
def test_the_shift_gives_the_published_coordinates(place: str) -> None:
    plain, gcj02, bd09 = PLACES[place]
    assert np.allclose(from_cgcs2000(*plain, Datum.GCJ02), gcj02, rtol=0, atol=HALF_OF_THE_LAST_DIGIT)
    assert np.allclose(from_cgcs2000(*plain, Datum.BD09), bd09, rtol=0, atol=HALF_OF_THE_LAST_DIGIT)


@pytest.mark.parametrize("place", PLACES)
def test_the_published_coordinates_are_brought_back(place: str) -> None:
    plain, gcj02, bd09 = PLACES[place]
    assert np.allclose(to_cgcs2000(*gcj02, Datum.GCJ02), plain, rtol=0, atol=HALF_OF_THE_LAST_DIGIT)
    assert np.allclose(to_cgcs2000(*bd09, Datum.BD09), plain, rtol=0, atol=HALF_OF_THE_LAST_DIGIT)


@given(longitudes, latitudes, st.sampled_from(SHIFTED))
def test_undoing_a_shift_brings_every_place_of_the_district_back(lon: float, lat: float, datum: Datum) -> None:
    back = to_cgcs2000(*from_cgcs2000(lon, lat, datum), datum)
    assert np.allclose(back, (lon, lat), rtol=0, atol=1e-11)


@pytest.mark.parametrize("datum", SHIFTED)
def test_undoing_a_shift_holds_a_tenth_of_a_millimetre_in_all_of_the_country(datum: Datum) -> None:
    lon, lat = np.meshgrid(np.arange(74.05, 134, 0.37), np.arange(18.03, 53, 0.37))
    back_lon, back_lat = to_cgcs2000(*from_cgcs2000(lon, lat, datum), datum)
    assert np.abs(back_lon - lon).max() < 1e-9
    assert np.abs(back_lat - lat).max() < 1e-9


def test_plain_coordinates_stay_as_they_are_and_arrays_keep_their_shape() -> None:
    lon, lat = np.array([[113.9, 113.8]]), np.array([[22.6, 22.7]])
    assert np.array_equal(to_cgcs2000(lon, lat, Datum.CGCS2000), (lon, lat))
    assert to_cgcs2000(lon, lat, Datum.BD09)[0].shape == (1, 2)


def test_a_missing_coordinate_stays_missing_beside_its_neighbours() -> None:
    lon, _ = to_cgcs2000([np.nan, 113.888686], [22.5, 22.551754], Datum.GCJ02)
    assert np.isnan(lon[0])
    assert lon[1] == pytest.approx(113.8838, abs=HALF_OF_THE_LAST_DIGIT)


def test_places_abroad_are_not_shifted() -> None:
    assert np.array_equal(from_cgcs2000(139.7, 35.7, Datum.GCJ02), (139.7, 35.7))
