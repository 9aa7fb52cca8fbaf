"""Maps and charts: classes, gaps, and names that look like markup."""

import datetime as dt
import re

import pytest
import shapely

from gridmgmt.reports.drawings import NONE, SHADES, Border, Line, Patch, Point, line_chart, shade_map


def square(west: float, value: float | None) -> Patch:
    return Patch(shapely.box(west, 0, west + 1000, 1000), value)


def drawn(*values: float | None) -> str:
    patches = [square(1000.0 * at, value) for at, value in enumerate(values)]
    return shade_map(patches, [Border(shapely.box(0, 0, 1000 * len(values), 1000), "A<B>&")], none="none", width=400, tallest=200)


def fills(svg: str) -> list[str]:
    return re.findall(r'<path d="M[^"]*" fill-rule="evenodd" fill="(#\w+)"', svg)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="a map needs patches"):
        drawn()
    with pytest.raises(ValueError, match="a chart needs numbers"):
        line_chart([Line("a", [Point(dt.date(2024, 1, 1), None)], "#000000")], band=None, width=100, height=100)


def test_five_values_have_the_five_shades_from_light_to_dark() -> None:
    assert fills(drawn(50, 10, 40, 20, 30)) == [SHADES[4], SHADES[0], SHADES[3], SHADES[1], SHADES[2]]


def test_area_without_a_number_is_grey_and_in_the_legend() -> None:
    svg = drawn(10, None, 20)
    assert fills(svg) == [SHADES[0], NONE, SHADES[4]]
    assert ">none</text>" in svg
    assert ">none</text>" not in drawn(10, 20)


def test_legend_has_the_limits_of_the_classes() -> None:
    assert re.findall(r">([^<]* – [^<]*|≥ [^<]*)</text>", drawn(10, 20)) == ["≥ 20.00", "10.00 – 20.00"]


def test_same_values_make_one_class() -> None:
    assert set(fills(drawn(10, 10, 10))) == {SHADES[0]}


def test_scale_bar_is_of_the_ground_and_not_of_the_projection() -> None:
    # at 60° north the projection draws everything twice as large: 2000 m of it are 1000 m of ground
    north = 8_399_737.89
    patches = [Patch(shapely.box(0, north - 1000, 2000, north + 1000), 1.0)]
    svg = shade_map(patches, [], none="none", width=292, tallest=200)
    # 200 points high for 2000 m of the projection, so 0.2 points for a metre of ground: 200 m are 40 points, 500 m would be 100
    assert re.search(r"v3h40\.0v-3", svg)
    assert ">200 m</text>" in svg


def test_names_are_not_markup() -> None:
    assert "A&lt;B&gt;&amp;" in drawn(1.0)


def test_missing_period_breaks_the_line_and_its_band() -> None:
    values = (100.0, 101.0, None, 103.0)
    points = [Point(dt.date(2024, 1 + at, 1), value, value and value - 1, value and value + 1) for at, value in enumerate(values)]
    svg = line_chart([Line("all", points, "#123456")], band="95 %", width=300, height=120)
    assert len(re.findall(r"<polygon", svg)) == 2
    assert len(re.findall(r'<path d="M[^"]*" fill="none" stroke="#123456"', svg)) == 2
    assert svg.count("<circle") == 1  # what stands alone would not be seen


def test_narrow_map_stands_in_the_middle_and_its_names_are_whole_and_apart() -> None:
    # 40 points wide and 200 tall in a room of 308: two areas of one middle, whose names are wider than they are
    areas = [Border(shapely.box(0, 0, 200, 1000), "深圳市宝安国际机场" * 4), Border(shapely.box(0, 10, 200, 990), "航城街道")]
    svg = shade_map([Patch(shapely.box(0, 0, 200, 1000), 1.0)], areas, none="none", width=400, tallest=200)
    assert re.search(r'<path d="M174\.0 .*?L134\.0 ', svg)
    (x, y), (other_x, other_y) = {(float(a), float(b)) for a, b in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*font-size="8"', svg)}
    assert min(x, other_x) >= 8 * 9 * 4 / 2
    assert abs(y - other_y) >= 8


def test_last_date_of_a_chart_is_whole() -> None:
    points = [Point(dt.date(2024, month, 1), 100.0 + month) for month in (1, 4, 7)]
    svg = line_chart([Line("all", points, "#123456")], band=None, width=300, height=120)
    (x,) = re.findall(r'<text x="([\d.]+)"[^>]*>2024-07</text>', svg)
    assert float(x) + 3.5 * 7 * 0.55 <= 300
