"""Areas, grids, buildings and units: what is refused, what is corrected."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from geo.datum import Datum
from gridmgmt.intake.refusals import FileRefusedError, Report
from tests.gridmgmt.intake.conftest import Office

BUILDINGS = "房屋编码,楼栋名称,地址,经度,纬度,坐标系,层数,建成年份,房屋性质,是否出租"
UNITS = "单元编码,房屋编码,楼层,房号,建筑面积,用途"
CODE = "4403060180010100001"
Feature = tuple[dict[str, Any], BaseGeometry | None]


def features(folder: Path, *members: Feature) -> Path:
    """A GeoJSON file of properties and shapes."""
    written = [
        {"type": "Feature", "properties": facts, "geometry": None if shape is None else shapely.geometry.mapping(shape)}
        for facts, shape in members
    ]
    path = folder / "features.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": written}, ensure_ascii=False), encoding="utf-8")
    return path


def grid(code: str, west: float, south: float, east: float, north: float, **facts: object) -> Feature:
    return {"code": code, "name": f"网格{code[-3:]}", "scheme": "base", "valid_from": "2010-07-01", **facts}, shapely.box(
        west, south, east, north
    )


def reasons(report: Report) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in report.refused]


@pytest.mark.parametrize("kind", ["areas", "grids"])
def test_areas_and_grids_without_boundaries_are_refused_as_a_file(taken: Office, kind: Any) -> None:
    with pytest.raises(FileRefusedError, match="need their boundaries"):
        taken.take_rows(kind, "code,name,level,valid_from", "440306018003,x,community,2010-01-01")


def test_an_area_is_refused_when_its_code_its_parent_or_its_boundary_cannot_be(office: Office) -> None:
    box, bow = shapely.box(113.8, 22.5, 113.9, 22.6), shapely.Polygon([(113.8, 22.5), (113.9, 22.6), (113.9, 22.5), (113.8, 22.6)])
    path = features(
        office.folder,
        ({"code": "440306", "name": "宝安区"}, box),
        ({"code": "440306018", "name": "西乡街道", "level": "community"}, box),
        ({"code": "440306019", "name": "航城街道", "parent": "440309"}, box),
        ({"code": "440306019001", "name": "子"}, box),
        ({"code": "440306020", "name": "弯"}, bow),
        ({"code": "440306020001", "name": "弯子"}, box),
        ({"code": "44030602", "name": "短"}, box),
        ({"code": "440306021", "name": "无"}, None),
        ({"code": "440306", "name": "又"}, box),
        ({"code": "440306022", "name": "点"}, shapely.Point(113.8, 22.5)),
        ({"code": "440306023", "name": "跳级", "parent": "440306018001"}, box),
    )
    report = office.take("areas", path)
    assert reasons(report) == [
        (3, "the code of a community has 12 digits"),
        (4, "unknown parent, or one that was refused"),
        (5, "unknown parent, or one that was refused"),
        (6, "the boundary crosses or touches itself at 113.85, 22.55"),
        (7, "unknown parent, or one that was refused"),
        (8, "the code is not 6 digits of a district, 9 of a subdistrict or 12 of a community"),
        (9, "the geometry is missing"),
        (10, "the code stands in line 2 already"),
        (11, "a geometry of type Point is not taken here; send one of MultiPolygon, Polygon"),
        (12, "an area of this code has another kind of parent"),
    ]
    assert (report.rows, report.accepted) == (11, 1)
    assert office.ask("SELECT code, valid_from::text, approximate FROM reg.area") == [("440306", "1949-10-01", False)]


def test_a_code_is_not_taken_over_before_the_other_area_has_ended(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("""
            INSERT INTO reg.area (code, name, level, parent_id, valid_from, valid_to, geom)
            SELECT '440306099', '旧街道', 'subdistrict', id, '1990-01-01', '2004-01-01', geom FROM reg.area WHERE level = 'district'""")
    box = shapely.box(113.85, 22.56, 113.86, 22.57)
    path = features(
        taken.folder,
        ({"code": "440306099", "name": "新街道", "valid_from": "2003-12-31"}, box),
        ({"code": "440306099001", "name": "新社区"}, box),
        ({"code": "440306", "name": "错", "level": "community"}, shapely.LineString([(0, 0), (1, 1)])),
    )
    assert reasons(taken.take("areas", path)) == [
        (2, "the code named another area until a later day"),
        (3, "unknown parent, or one that was refused"),
        (4, "the code of a community has 12 digits"),
    ]
    path = features(taken.folder, ({"code": "440306099", "name": "新街道", "valid_from": "2004-01-01"}, box))
    assert taken.take("areas", path).accepted == 1


def test_an_area_is_corrected_and_what_was_believed_is_kept(taken: Office) -> None:
    box = shapely.box(113.84, 22.56, 113.89, 22.59)
    report = taken.take("areas", features(taken.folder, ({"code": "440306", "name": "宝安", "approximate": True}, box)))
    assert (report.accepted, report.unchanged, report.counts) == (1, 0, {"created": 0, "corrected": 1})
    assert taken.ask("SELECT name, version, approximate FROM reg.area WHERE code = '440306'") == [("宝安", 2, True)]
    assert taken.ask("SELECT name, version FROM reg.area_past") == [("宝安区", 1)]


def test_a_part_of_a_community_s_grids_leaves_a_gap(office: Office) -> None:
    office.take("areas", "areas.geojson")
    report = office.take("grids", features(office.folder, grid("440306018001001", 113.86, 22.57, 113.865, 22.58)))
    ((line, reason),) = reasons(report)
    assert line == 1
    assert reason.startswith("community 440306018001 has a gap of 569,")  # 0.005° x 0.01°: 514 m x 1,107 m
    assert report.accepted == 0


def test_grids_of_the_file_are_looked_at_beside_those_that_stand(taken: Office) -> None:
    """The standing neighbour in the same community, and one across the border of communities."""
    east = grid("440306018001002", 113.8651, 22.57, 113.8701, 22.58)
    report = taken.take("grids", features(taken.folder, east))
    told = [(line, reason.split(" by ")[0].split(" of ")[0]) for line, reason in reasons(report)]
    assert told == [
        (1, "community 440306018001 has a gap"),
        (2, "grid 440306018001002 leaves community 440306018001"),
        (2, "grids 440306018001002 and 440306018002001 overlap"),
    ]
    assert taken.ask("SELECT max(version) FROM reg.grid") == [(1,)]


def test_a_grid_is_refused_with_the_whole_file_when_its_code_cannot_be(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.building SET deleted_at = now() WHERE house_code = '4403060180020200005'")
        session.connection().exec_driver_sql("UPDATE reg.grid SET deleted_at = now() WHERE code = '440306018002002'")
    path = features(
        taken.folder,
        grid("440306018001001", 113.86, 22.57, 113.865, 22.58, name="新名"),
        grid("440306018009001", 113.86, 22.57, 113.865, 22.58),
        grid("440306018001901", 113.86, 22.57, 113.865, 22.58),
        grid("440306018002002", 113.875, 22.57, 113.88, 22.58),
        grid("440306018001001", 113.86, 22.57, 113.865, 22.58),
        grid("440306018001003", 113.86, 22.57, 113.865, 22.58, valid_from="2100-01-01"),
    )
    report = taken.take("grids", path)
    assert reasons(report) == [
        (3, "grid 440306018009001: unknown community 440306018009"),
        (4, "grid 440306018001901: a base code is the community's 12 digits and 001 to 899"),
        (5, "grid 440306018002002 was retired, and a retired code is never used again"),
        (6, "grid 440306018001001 stands in line 2 already"),
        (7, "grid 440306018001003 begins after today: buildings are placed at once"),
    ]
    assert taken.ask("SELECT name FROM reg.grid WHERE code = '440306018001001'") == [("固戍西",)]


def test_a_redraw_moves_the_border_and_the_buildings_follow(taken: Office) -> None:
    path = features(
        taken.folder,
        grid("440306018001001", 113.86, 22.57, 113.861, 22.58, name="固戍西"),
        grid("440306018001002", 113.861, 22.57, 113.87, 22.58, name="固戍东"),
    )
    report = taken.take("grids", path)
    assert (report.accepted, report.counts) == (2, {"created": 0, "corrected": 2, "buildings moved to another grid": 2})
    assert taken.ask("SELECT count(*) FROM reg.building b JOIN reg.grid g ON g.id = grid_id WHERE g.code = '440306018001002'") == [(3,)]


def test_grids_of_other_schemes_may_lie_over_base_grids(taken: Office) -> None:
    path = features(
        taken.folder,
        grid("440306018001901", 113.862, 22.572, 113.863, 22.573, scheme="dedicated"),
        grid("CG-1", 113.862, 22.572, 113.863, 22.573, scheme="city_management", community="440306018001"),
    )
    assert taken.take("grids", path).accepted == 2
    assert taken.ask("SELECT code, kind FROM reg.grid WHERE kind <> 'base' ORDER BY code") == [
        ("440306018001901", "dedicated"),
        ("CG-1", "line_department"),
    ]


def test_buildings_before_areas_are_refused_as_a_file(office: Office) -> None:
    with pytest.raises(FileRefusedError, match="import the areas and grids first"):
        office.take("buildings", "buildings.csv")


def test_a_place_without_a_datum_is_refused_unless_the_operator_says_it(taken: Office) -> None:
    row = f"{CODE[:-2]}77,楼,巷,113.871917601,22.568973610,,5,,公寓,是"
    assert reasons(taken.take_rows("buildings", BUILDINGS, row)) == [(2, "datum is missing: expected one of CGCS2000, GCJ-02, BD-09")]
    assert taken.take_rows("buildings", BUILDINGS, row, datum=Datum.GCJ02).accepted == 1
    rows = taken.ask("SELECT round(ST_X(entrance)::numeric, 7)::text, datum FROM reg.building WHERE house_code LIKE '%77'")
    assert rows == [("113.8670000", "GCJ-02")]


def test_a_correction_of_a_building_takes_its_units_along_and_an_empty_cell_says_nothing(taken: Office) -> None:
    report = taken.take_rows("buildings", BUILDINGS, f"{CODE},新名,,113.8777,22.5733,CGCS2000,7,,农民自建,是")
    assert (report.accepted, report.unchanged) == (1, 0)
    rows = taken.ask(
        "SELECT b.name, address, built_year, g.code, b.version FROM reg.building b JOIN reg.grid g ON g.id = grid_id WHERE house_code = %s",
        CODE,
    )
    assert rows == [("新名", "西乡街道固戍社区1巷1号", 1998, "440306018002002", 2)]
    rows = taken.ask("SELECT DISTINCT g.code FROM reg.unit u JOIN reg.grid g ON g.id = grid_id WHERE u.code LIKE %s", CODE + "%")
    assert rows == [("440306018002002",)]


def test_a_struck_building_does_not_come_back_by_a_file(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.building SET deleted_at = now() WHERE house_code = '4403060180020200005'")
    report = taken.take("buildings", "buildings.csv")
    assert (6, "house code belonged to a building that was struck off") in reasons(report)


def test_buildings_come_as_features_with_points_or_footprints(taken: Office) -> None:
    facts = {"name": "楼", "floors": 3, "nature": "commodity housing", "rental": True}
    path = features(
        taken.folder,
        ({"house_code": CODE[:-2] + "81", **facts}, shapely.Point(113.866, 22.575)),
        ({"house_code": CODE[:-2] + "82", **facts}, shapely.box(113.8659, 22.5749, 113.8661, 22.5751)),
        ({"house_code": CODE[:-2] + "83", **facts}, None),
        ({"house_code": CODE[:-2] + "84", **facts}, shapely.LineString([(113.866, 22.575), (113.867, 22.575)])),
    )
    report = taken.take("buildings", path)
    assert [line for line, _ in reasons(report)] == [4, 5]
    rows = taken.ask("SELECT right(house_code, 2), GeometryType(footprint), datum FROM reg.building WHERE house_code LIKE '%8_' ORDER BY 1")
    assert rows == [("81", None, "CGCS2000"), ("82", "MULTIPOLYGON", "CGCS2000")]
    assert taken.take("buildings", path).unchanged == 2


def test_a_retired_building_gets_no_more_units(taken: Office) -> None:
    with taken.database.transaction(taken.actor) as session:
        session.connection().exec_driver_sql("UPDATE reg.building SET retired_on = '2015-01-01' WHERE house_code = '4403060180020200005'")
    report = taken.take_rows("units", UNITS, "4403060180020200005001001,4403060180020200005,1,101,45.5,住宅")
    assert reasons(report) == [(2, "the building was retired on 2015-01-01")]


def test_a_unit_keeps_its_building(taken: Office) -> None:
    report = taken.take_rows("units", UNITS, f"{CODE}001001,4403060180010200002,1,101,45.5,住宅")
    assert reasons(report) == [(2, "unit code is of another building")]


def test_a_unit_is_corrected(taken: Office) -> None:
    report = taken.take_rows("units", UNITS, f"{CODE}001001,{CODE},1,101甲,45.5,住宅", f"{CODE}002001,{CODE},2,201,30.00,住宅")
    assert (report.accepted, report.unchanged) == (1, 1)
    assert taken.ask("SELECT room, version FROM reg.unit WHERE code = %s", CODE + "001001") == [("101甲", 2)]


def test_a_failure_in_the_middle_leaves_nothing(taken: Office) -> None:
    before, trail = taken.footprint(), taken.ask("SELECT count(*) FROM reg.audit")
    rows = [f"{CODE}{number:06d},{CODE},1,{number},20,住宅" for number in range(100_000, 160_000)]
    seen: list[int] = []

    def fail(phase: str, done: int, _total: int) -> None:
        if phase == "write":
            seen.append(done)
            raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError, match="power"):
        taken.take_rows("units", UNITS, *rows, progress=fail)
    assert seen == [50_000]
    assert taken.footprint() == before
    assert taken.ask("SELECT count(*) FROM reg.audit") == trail
