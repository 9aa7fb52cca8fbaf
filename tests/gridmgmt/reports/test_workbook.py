"""The workbook, as a spreadsheet program reads it."""

import io

from python_calamine import CalamineWorkbook

from gridmgmt.reports.workbook import workbook
from tests.gridmgmt.reports.issued import DISTRICT, issue, number


def rows(made: bytes, sheet: int) -> list[list[object]]:
    return [list(row) for row in CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_index(sheet).to_python()]


def test_sheets_say_what_they_are_and_that_the_data_are_of_a_demo() -> None:
    made = workbook(issue(), "zh")
    assert CalamineWorkbook.from_filelike(io.BytesIO(made)).sheet_names == ["指导租金", "指数", "方法说明"]
    for sheet in range(3):
        heading = str(rows(made, sheet)[0][0])
        assert "演示数据" in heading
        assert "2024年第1季度" in heading


def test_figures_are_numbers_and_what_is_hidden_has_a_reason() -> None:
    table = rows(workbook(issue(), "en"), 0)
    assert table[1] == [
        "Code",
        "Area",
        "Level",
        "Use",
        "Period",
        "Low",
        "Middle",
        "High",
        "Standard error (log)",
        "Observations, about",
        "Note",
    ]
    by_code = {row[0]: row for row in table[2:]}
    assert by_code["440399"][5:] == [37.8, 42.0, 46.2, 0.01, 40.0, ""]
    assert by_code["440399001002"][5:] == ["", "", "", "", "", "not shown, to protect those concerned"]
    assert by_code["440399001003"][5:10] == [40.05, 44.5, 48.95, "", ""]


def test_index_has_every_period() -> None:
    table = rows(workbook(issue(), "en"), 1)
    assert [row[6:8] for row in table[2:] if row[0] == "440399"] == [
        ["2023Q1", 100.0],
        ["2023Q2", 102.5],
        ["2023Q3", ""],
        ["2023Q4", 104.0],
        ["2024Q1", 105.04],
    ]


def test_same_release_gives_the_same_bytes() -> None:
    assert workbook(issue(), "en") == workbook(issue(), "en")


def test_name_that_looks_like_a_formula_stays_a_name() -> None:
    one = issue(cells=[number("guide", DISTRICT, "42.00")])
    places = [type(place)(place.id, place.code, "=1+1", place.level, place.parent, place.shape) for place in one.places]
    made = workbook(type(one)(one.release, one.runs, one.cells, places, one.demo), "en")
    assert rows(made, 0)[2][1] == "=1+1"
