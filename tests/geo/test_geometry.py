import json
import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from geo.bbox import Box
from geo.geometry import MAX_AREA_VERTICES, GeometryError, as_multipolygon, check, parse_geojson
from tests.counting import calls_below

BAOAN = Box(113.6, 22.4, 114.1, 22.9)
SQUARE = [[113.8, 22.5], [113.9, 22.5], [113.9, 22.6], [113.8, 22.6], [113.8, 22.5]]
HOLE = [[113.84, 22.54], [113.84, 22.56], [113.86, 22.56], [113.86, 22.54], [113.84, 22.54]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def circle(vertices: int) -> dict[str, Any]:
    angles = np.linspace(0, 2 * math.pi, vertices - 1, endpoint=False)
    ring = np.column_stack([113.85 + 0.05 * np.cos(angles), 22.55 + 0.05 * np.sin(angles)]).tolist()
    return polygon([*ring, ring[0]])


REFUSED: dict[str, tuple[Any, str]] = {
    "no object": ([1, 2], "type"),
    "no type": ({"coordinates": [SQUARE]}, "type"),
    "a type that is a list": ({"type": ["Polygon"], "coordinates": [SQUARE]}, "type"),
    "a feature": ({"type": "Feature", "geometry": polygon(SQUARE)}, "type"),
    "a point where an area is wanted": ({"type": "Point", "coordinates": [113.8, 22.5]}, "type"),
    "a collection": ({"type": "GeometryCollection", "geometries": [polygon(SQUARE)]}, "type"),
    "no coordinates": ({"type": "Polygon"}, "type"),
    "coordinates that are an object": ({"type": "Polygon", "coordinates": {"0": SQUARE}}, "type"),
    "coordinates of a point": ({"type": "Polygon", "coordinates": [113.8, 22.5]}, "type"),
    "coordinates nested once too often": (polygon([SQUARE]), "type"),
    "coordinates of a polygon for a multipolygon": ({"type": "MultiPolygon", "coordinates": [SQUARE]}, "type"),
    "a position of one number": (polygon([[113.8], *SQUARE[1:]]), "type"),
    "a position that is text": (polygon(["ab", *SQUARE[1:]]), "type"),
    "a reference system of its own": (polygon(SQUARE) | {"crs": {"type": "name", "properties": {"name": "EPSG:4547"}}}, "crs"),
    "no ring": (polygon(), "empty"),
    "an empty ring": (polygon([]), "empty"),
    "no polygon": ({"type": "MultiPolygon", "coordinates": []}, "empty"),
    "an empty polygon": ({"type": "MultiPolygon", "coordinates": [[SQUARE], []]}, "empty"),
    "text for a number": (polygon([["113.8", 22.5], *SQUARE[1:]]), "number"),
    "true for a number": (polygon([[True, 22.5], *SQUARE[1:]]), "number"),
    "null for a number": (polygon([[None, 22.5], *SQUARE[1:]]), "number"),
    "not a number": (polygon([[math.nan, 22.5], *SQUARE[1:]]), "not-finite"),
    "infinity": (polygon([[113.8, -math.inf], *SQUARE[1:]]), "not-finite"),
    "an integer of a thousand digits": (polygon([[10**1000, 22.5], *SQUARE[1:]]), "range"),
    "metres": (polygon([[x * 4000, y * 110_000] for x, y in SQUARE]), "range"),
    "latitude first": (polygon([[y, x] for x, y in SQUARE]), "swapped"),
    "a height": (polygon([[x, y, 12.0] for x, y in SQUARE]), "three-dimensional"),
    "an open ring": (polygon(SQUARE[:-1]), "unclosed-ring"),
    "a ring of three points": (polygon([SQUARE[0], SQUARE[1], SQUARE[0]]), "too-few-points"),
    "a ring without extent": (polygon([SQUARE[0]] * 4), "too-few-points"),
    "a hole outside": (polygon(SQUARE, [[x + 0.2, y] for x, y in HOLE]), "hole-outside"),
    "overlapping parts": ({"type": "MultiPolygon", "coordinates": [[SQUARE], [HOLE]]}, "nested"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_good_area_is_refused_with_its_reason(case: str) -> None:
    document, reason = REFUSED[case]
    with pytest.raises(GeometryError) as refusal:
        parse_geojson(document)
    assert refusal.value.reason == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "syntax"),
        ("{", "syntax"),
        (b"\xff\xfe", "syntax"),
        ("[" * 100_000, "syntax"),
        ('{"type": "Polygon", "coordinates": ' + "[" * 900 + "]" * 900 + "}", "type"),
        ('{"type": "Polygon", "coordinates": [[[1e400, 22.5], [113.9, 22.5], [113.9, 22.6], [1e400, 22.5]]]}', "not-finite"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 22.5], [113.9, 22.5], [113.9, 22.6], [NaN, 22.5]]]}', "not-finite"),
        ('{"type": "Polygon", "coordinates": [[[' + "9" * 5000 + ", 22.5]]]}", "syntax"),
    ],
    ids=["nothing", "half", "not UTF-8", "depth bomb", "deep list", "1e400", "NaN", "5,000 digits"],
)
def test_text_that_holds_no_geometry_is_refused_with_its_reason(body: str | bytes, reason: str) -> None:
    with pytest.raises(GeometryError) as refusal:
        parse_geojson(body)
    assert refusal.value.reason == reason


def test_a_crossing_is_refused_with_its_place() -> None:
    # The diagonals of the square meet in its middle.
    bow_tie = polygon([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]])
    with pytest.raises(GeometryError, match=r"crosses or touches itself at 113\.85, 22\.55") as refusal:
        parse_geojson(bow_tie)
    assert refusal.value.reason == "self-intersection"
    assert (refusal.value.lon, refusal.value.lat) == pytest.approx((113.85, 22.55))


def test_a_coordinate_that_is_none_is_refused_with_the_place_of_its_neighbour() -> None:
    after, before = [SQUARE[0], SQUARE[1], [math.nan, 22.6], *SQUARE[3:]], [[math.nan, 22.5], *SQUARE[1:-1], [math.nan, 22.5]]
    for ring, neighbour in ((after, SQUARE[1]), (before, SQUARE[1])):
        with pytest.raises(GeometryError, match="not a finite number; its neighbour lies at ") as refusal:
            parse_geojson(polygon(ring))
        assert [refusal.value.lon, refusal.value.lat] == neighbour
    with pytest.raises(GeometryError) as refusal:
        parse_geojson({"type": "Point", "coordinates": [math.nan, 22.5]}, kinds={"Point"})
    assert refusal.value.lon is None


def test_an_area_that_leaves_its_district_is_refused_with_a_place_outside() -> None:
    with pytest.raises(GeometryError) as refusal:
        parse_geojson(polygon([[x + 0.25, y] for x, y in SQUARE]), within=BAOAN)
    assert (refusal.value.reason, refusal.value.lon, refusal.value.lat) == ("outside", pytest.approx(114.15), 22.5)


def test_swapped_axes_are_told_even_where_both_are_possible_latitudes() -> None:
    near_the_equator = Box(30.0, 0.0, 35.0, 5.0)
    ring = [[1.0, 31.0], [2.0, 31.0], [2.0, 32.0], [1.0, 31.0]]
    with pytest.raises(GeometryError, match="longitude comes first") as refusal:
        parse_geojson(polygon(ring), within=near_the_equator)
    assert refusal.value.reason == "swapped"


def test_the_number_of_vertices_is_limited_to_the_one() -> None:
    assert shapely.get_num_coordinates(parse_geojson(circle(2_000))) == 2_000
    many = circle(2_001)
    with pytest.raises(GeometryError, match="more than 2,000 vertices; the first beyond lies at ") as refusal:
        parse_geojson(many)
    assert [refusal.value.lon, refusal.value.lat] == many["coordinates"][0][2_000]
    holes = {"type": "MultiPolygon", "coordinates": [[SQUARE] * 2_000, [HOLE]]}
    with pytest.raises(GeometryError, match="the first beyond lies at ") as refusal:
        parse_geojson(holes)
    assert [refusal.value.lon, refusal.value.lat] == HOLE[0]
    with pytest.raises(GeometryError, match=r"more than 2,000 vertices$"):
        parse_geojson({"type": "MultiPolygon", "coordinates": [[[]] * 2_001]})
    assert shapely.get_num_coordinates(parse_geojson(circle(10_000), max_vertices=MAX_AREA_VERTICES)) == 10_000


@pytest.mark.parametrize(
    "coordinates",
    [[[[113.8, 22.5]] * 1_000_000], [[]] * 1_000_000, [[[113.8, 22.5]]] * 1_000_000],
    ids=["one ring", "empty rings", "rings of one point"],
)
def test_a_million_vertices_are_refused_after_a_look_at_few(coordinates: Any) -> None:
    with calls_below(20_000), pytest.raises(GeometryError) as refusal:  # 2,000 vertices were looked at
        parse_geojson({"type": "Polygon", "coordinates": coordinates})
    assert refusal.value.reason == "too-many-vertices"


def test_rings_are_wound_as_rfc_7946_wants() -> None:
    clockwise = polygon(SQUARE[::-1], HOLE[::-1])
    area = parse_geojson(json.dumps(clockwise), within=BAOAN)
    assert isinstance(area, shapely.Polygon)
    assert area.exterior.is_ccw
    assert not area.interiors[0].is_ccw
    assert area.area == pytest.approx(0.01 - 0.0004)


def test_every_plain_kind_is_read_where_it_is_wanted() -> None:
    line = [[113.8, 22.5], [113.9, 22.6]]
    documents = {
        "Point": [113.8, 22.5],
        "MultiPoint": line,
        "LineString": line,
        "MultiLineString": [line, line[::-1]],
        "Polygon": [SQUARE, HOLE],
        "MultiPolygon": [[SQUARE, HOLE], [[[x + 0.2, y] for x, y in SQUARE]]],
    }
    for kind, coordinates in documents.items():
        document = {"type": kind, "coordinates": coordinates}
        geometry = parse_geojson(document, kinds=set(documents))
        assert shapely.equals(geometry, shapely.from_geojson(json.dumps(document)))
    with pytest.raises(GeometryError, match="at least two points"):
        parse_geojson({"type": "LineString", "coordinates": [[113.8, 22.5]]}, kinds={"LineString"})


def test_a_geometry_from_elsewhere_is_checked_alike() -> None:
    for geometry, reason in [
        (shapely.Point(113.8, 22.5), "type"),
        (shapely.Polygon(), "empty"),
        (shapely.MultiPolygon(), "empty"),
        (shapely.Polygon([(*point, 5.0) for point in SQUARE]), "three-dimensional"),
        (shapely.Polygon([(np.inf, 22.5), (113.9, 22.5), (113.9, 22.6)]), "not-finite"),
    ]:
        with pytest.raises(GeometryError) as refusal:
            check(geometry)
        assert refusal.value.reason == reason


def test_a_polygon_becomes_the_multipolygon_of_its_own_and_a_line_none() -> None:
    square = shapely.Polygon(SQUARE)
    assert as_multipolygon(square) == shapely.MultiPolygon([square])
    assert as_multipolygon(shapely.MultiPolygon([square])) == shapely.MultiPolygon([square])
    with pytest.raises(GeometryError, match="no area"):
        as_multipolygon(shapely.LineString([(0, 0), (1, 1)]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["type", "coordinates", "x"]), inner, max_size=3),
    max_leaves=30,
)


@given(st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection"]), json_values)
def test_nothing_but_a_geometry_or_its_refusal_comes_out(kind: str, coordinates: Any) -> None:
    try:
        geometry = parse_geojson({"type": kind, "coordinates": coordinates}, kinds={"Point", "LineString", "Polygon", "MultiPolygon"})
    except GeometryError:
        return
    assert shapely.is_valid(geometry)
