import pytest
import shapely

from geo.coverage import find_faults
from gridmgmt.demo.geography import CENTRES, Geography, draw, read_names
from gridmgmt.demo.scales import SCALES


@pytest.fixture(scope="module")
def ground() -> Geography:
    return draw(SCALES["demo"])


def test_the_areas_are_those_of_the_statistics_bureau(ground: Geography) -> None:
    assert len(ground.communities) == 141
    assert len(ground.subdistricts) == 11  # ten, and the airport
    assert len(ground.grids) == 300
    names = {area.code: area.name for area in (*ground.subdistricts, *ground.communities)}
    assert names["440306017"] == "新安街道"
    assert names["440306017001"] == "宝民社区"
    assert names["440306400"] == "深圳市宝安国际机场"


def test_shares_of_residents_make_a_whole() -> None:
    assert sum(centre.share for centre in CENTRES.values()) == pytest.approx(1.0)


def test_every_subdistrict_holds_its_centre(ground: Geography) -> None:
    for area in ground.subdistricts:
        assert area.geom.contains(shapely.Point(CENTRES[area.code].lon, CENTRES[area.code].lat)), area.name


def test_neighbours_share_every_vertex_of_their_edges(ground: Geography) -> None:
    for layer in (ground.grids, ground.communities, ground.subdistricts):
        assert shapely.coverage_is_valid([one.geom for one in layer])


def test_grids_tile_communities_and_communities_tile_subdistricts(ground: Geography) -> None:
    grids = {grid.code: grid.geom for grid in ground.grids}
    communities = {area.code: area.geom for area in ground.communities}
    subdistricts = {area.code: area.geom for area in ground.subdistricts}
    assert find_faults(grids, communities, lambda code: code[:12]) == []
    assert find_faults(communities, subdistricts, lambda code: code[:9]) == []


def test_the_small_scale_has_the_first_communities_of_two_subdistricts() -> None:
    names = read_names(SCALES["tests"])
    assert [name.code for name in names] == [
        "440306022001", "440306022002", "440306022003", "440306023001", "440306023002", "440306023003",
    ]  # fmt: skip
