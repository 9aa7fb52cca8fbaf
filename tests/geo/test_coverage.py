"""A hand-drawn community of 600 by 400 m, tiled by six grids of 200 m, handed over in degrees.

Metres become degrees by one factor each way, so that what is straight on the paper is straight in degrees: at 22.55° N a degree of
longitude is 102,860 m and one of latitude 110,738 m (series of the ellipsoid), good to a hundredth of a percent here.
"""

import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from geo.coverage import Gap, Invalid, Outside, Overlap, find_faults, find_gaps, find_invalid, find_outside, find_overlaps

RELATIVE = 1e-3


def place(x: float, y: float) -> tuple[float, float]:
    return 113.88 + x / 102_860, 22.55 + y / 110_738


def degrees(*corners: tuple[float, float]) -> BaseGeometry:
    return shapely.Polygon([place(x, y) for x, y in corners])


def rectangle(west: float, south: float, east: float, north: float) -> BaseGeometry:
    return degrees((west, south), (east, south), (east, north), (west, north))


COMMUNITY = rectangle(0, 0, 600, 400)


def tiling() -> dict[str, BaseGeometry]:
    """A1 A2 A3 below, A4 A5 A6 above."""
    return {
        f"A{1 + column + 3 * row}": rectangle(200 * column, 200 * row, 200 * column + 200, 200 * row + 200)
        for row in range(2)
        for column in range(3)
    }


def faults_of(grids: dict[str, BaseGeometry]) -> list[object]:
    return list(find_faults(grids, {"A": COMMUNITY}, lambda code: code[0]))


def test_an_overlap_names_both_grids_its_place_and_its_size() -> None:
    # A2 reaches 20 m into A3 over its whole height: 20 x 200 = 4,000 m².
    (fault,) = faults_of(tiling() | {"A2": rectangle(200, 0, 420, 200)})
    assert isinstance(fault, Overlap)
    assert fault.codes == ("A2", "A3")
    assert fault.area_m2 == pytest.approx(4_000, rel=RELATIVE)
    assert (fault.lon, fault.lat) == pytest.approx(place(410, 100), abs=1e-6)


def test_a_gap_names_its_community_place_and_size() -> None:
    # A5 ends 10 m short of A6: 10 x 200 = 2,000 m².
    (fault,) = faults_of(tiling() | {"A5": rectangle(200, 200, 390, 400)})
    assert isinstance(fault, Gap)
    assert fault.container == "A"
    assert fault.area_m2 == pytest.approx(2_000, rel=RELATIVE)
    assert (fault.lon, fault.lat) == pytest.approx(place(395, 300), abs=1e-6)


def test_two_separate_gaps_are_two_faults_the_larger_first() -> None:
    grids = tiling() | {"A1": rectangle(0, 50, 200, 200), "A6": rectangle(400, 200, 590, 400)}
    faults = find_gaps(grids, COMMUNITY, "A")
    assert [round(fault.area_m2, -1) for fault in faults] == [10_000, 2_000]


def test_a_grid_that_leaves_its_community_is_told_with_the_part_outside() -> None:
    # A6 goes on 30 m to the east: 30 x 200 = 6,000 m².
    (fault,) = faults_of(tiling() | {"A6": rectangle(400, 200, 630, 400)})
    assert isinstance(fault, Outside)
    assert (fault.code, fault.container) == ("A6", "A")
    assert fault.area_m2 == pytest.approx(6_000, rel=RELATIVE)
    assert (fault.lon, fault.lat) == pytest.approx(place(615, 300), abs=1e-6)


def test_a_self_crossing_grid_is_the_only_fault_and_makes_neither_gap_nor_overlap() -> None:
    bow_tie = degrees((200, 200), (400, 400), (400, 200), (200, 400))
    (fault,) = faults_of(tiling() | {"A5": bow_tie})
    assert isinstance(fault, Invalid)
    assert (fault.code, fault.reason) == ("A5", "self-intersection")
    assert (fault.lon, fault.lat) == pytest.approx(place(300, 300), abs=1e-6)


def test_a_real_gap_beside_a_self_crossing_grid_is_still_told() -> None:
    bow_tie = degrees((200, 200), (400, 400), (400, 200), (200, 400))
    faults = faults_of(tiling() | {"A5": bow_tie, "A1": rectangle(0, 50, 200, 200)})
    assert [type(fault) for fault in faults] == [Invalid, Gap]


def test_a_grid_with_a_coordinate_that_is_no_number_is_invalid_and_stops_nothing() -> None:
    east, north = place(200, 200)
    with np.errstate(invalid="ignore"):
        broken = shapely.from_wkt(f"POLYGON ((113.88 22.55, {east} 22.55, {east} {north}, 113.88 nan, 113.88 22.55))")
        faults = find_faults(tiling() | {"A1": broken}, {"A": COMMUNITY}, lambda code: code[0])
    assert [(type(fault), fault.lon) for fault in faults[:1]] == [(Invalid, None)]
    assert isinstance(faults[0], Invalid)
    assert faults[0].reason == "not-finite"


def test_what_is_empty_or_no_area_is_invalid() -> None:
    invalid = find_invalid({"B1": shapely.Polygon(), "B2": shapely.LineString([(113.8, 22.5), (113.9, 22.5)])})
    assert [(fault.code, fault.reason) for fault in invalid] == [("B1", "empty"), ("B2", "type")]


def test_a_grid_of_an_unknown_community_is_the_caller_s_mistake() -> None:
    with pytest.raises(KeyError, match="B"):
        find_faults({"B1": COMMUNITY}, {"A": COMMUNITY}, lambda code: code[0])


def test_neighbours_that_touch_and_a_whole_tiling_have_no_fault() -> None:
    assert faults_of(tiling()) == []


def test_slivers_at_a_t_junction_are_rounding_and_larger_ones_are_faults() -> None:
    # A vertex of the right neighbour lies on the left one's edge, off by a hair of 0.05 mm or by 1 cm; half of hair x 200 m is shared.
    left = rectangle(0, 0, 200, 200)
    hair, centimetre = (degrees((200, 0), (400, 0), (400, 200), (200, 200), (200 - off, 100)) for off in (0.00005, 0.01))
    assert find_overlaps({"left": left, "right": hair}) == []
    (fault,) = find_overlaps({"left": left, "right": centimetre})
    assert fault.area_m2 == pytest.approx(1.0, abs=0.01)
    assert find_overlaps({"left": left, "right": centimetre}, tolerance_m2=1.5) == []
    assert find_outside({"right": hair}, rectangle(200, 0, 400, 200), "A") == []


def test_a_long_slanting_edge_with_a_vertex_on_one_side_only_is_no_fault() -> None:
    # Straight in degrees for both neighbours, 5 km long; in metres the two would part by decimetres.
    south, north = shapely.box(113.80, 22.60, 113.85, 22.61), shapely.box(113.80, 22.61, 113.85, 22.62)
    split = shapely.segmentize(north, 0.01)
    assert find_overlaps({"south": south, "north": split}) == []
    assert find_gaps({"south": south, "north": split}, shapely.box(113.80, 22.60, 113.85, 22.62), "A") == []


def test_a_district_drawn_twice_over_itself_stops_after_a_thousand_overlaps() -> None:
    assert len(find_overlaps(dict.fromkeys(map(str, range(2_500)), COMMUNITY))) == 1_000


def test_a_whole_district_of_squares_has_no_faults() -> None:
    # 50 x 50 grids in 10 x 14 communities, each side of a grid with twenty vertices.
    columns, rows = np.meshgrid(np.arange(50), np.arange(50))
    west, south = 113.7 + 0.004 * columns.ravel(), 22.5 + 0.004 * rows.ravel()
    grids = shapely.segmentize(shapely.box(west, south, west + 0.004, south + 0.004), 0.0002)
    communities = [f"{column // 5}-{row // 4}" for column, row in zip(columns.ravel(), rows.ravel(), strict=True)]
    members: dict[str, list[BaseGeometry]] = {}
    for community, grid in zip(communities, grids, strict=True):
        members.setdefault(community, []).append(grid)
    containers = {community: shapely.union_all(shapes) for community, shapes in members.items()}
    polygons = {f"{community}/{i}": grid for i, (community, grid) in enumerate(zip(communities, grids, strict=True))}
    assert find_faults(polygons, containers, lambda code: code.split("/")[0]) == []
