import datetime as dt
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import load_workbook

from gridmgmt.intake.refusals import Refusal, Report, render_report, write_report
from gridmgmt.intake.spreadsheets import SpreadsheetError, cell_text, defuse, read_sheet, write_sheets

REPORT = Report(
    "units",
    rows=4,
    accepted=1,
    unchanged=1,
    refused=(Refusal(1, "", "whole"), Refusal(3, "=用途", "=1+1")),
    warnings=("@here",),
    counts={"created": 1, "corrected": 0},
)


def formulas_in(path: Path) -> list[str]:
    """Names of the parts of the file that hold a formula."""
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if name.startswith("xl/worksheets/") and b"<f>" in archive.read(name)]


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("=+-@\t\r"), max_size=30))
def test_no_cell_of_a_written_file_is_a_formula(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sheet") / "out.xlsx"
    write_sheets(path, {"rows": [("x", text)]})
    assert formulas_in(path) == []
    with load_workbook(path) as book:
        ((_, read),) = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    assert not str(read).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_what_begins_like_a_formula_gets_an_apostrophe(start: str) -> None:
    assert defuse(start + "1") == f"'{start}1"
    assert defuse("1" + start) == "1" + start


def test_an_archive_of_too_many_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(1_001):
            archive.writestr(f"{number}.xml", "")
    with pytest.raises(SpreadsheetError, match="unpacks to more"):
        read_sheet(path)


def test_an_empty_spreadsheet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.xlsx"
    write_sheets(path, {"rows": []})
    with pytest.raises(SpreadsheetError, match="empty"):
        read_sheet(path)


def test_the_error_of_a_formula_is_no_empty_cell(tmp_path: Path) -> None:
    """The reader makes nothing of it; in the second of these worksheets it stands in AB3, and in the others elsewhere."""
    error: Any = "#DIV/0!"
    with xlsxwriter.Workbook(tmp_path / "errors.xlsx") as book:
        hidden, seen, other = (book.add_worksheet(name) for name in ("a", "b", "c"))
        hidden.hide()
        seen.activate()
        seen.write_row(0, 0, range(30))
        for sheet, row, column in ((hidden, 1, 1), (seen, 2, 27), (other, 0, 0)):
            sheet.write_formula(row, column, "=1/0", None, error)
    rows = read_sheet(tmp_path / "errors.xlsx").rows
    assert [(row, column) for row, cells in enumerate(rows) for column, cell in enumerate(cells) if cell == "#N/A"] == [(2, 27)]


def test_typed_values_are_the_text_of_a_csv_file() -> None:
    midnight, noon = dt.datetime(2010, 1, 5, tzinfo=dt.UTC), dt.datetime(2010, 1, 5, 12, tzinfo=dt.UTC)
    assert [cell_text(value) for value in (None, "a", True, 14.0, 0.5, 7, dt.date(2010, 1, 5), midnight)] == [
        *("", "a", "true", "14", "0.5", "7", "2010-01-05", "2010-01-05"),
    ]
    assert cell_text(noon).startswith("2010-01-05 12")
    assert cell_text(440306017001001.0) == "440306017001001"
    assert cell_text(float("nan")) == "nan"


def test_a_report_in_json_has_the_promised_keys(tmp_path: Path) -> None:
    write_report(REPORT, tmp_path / "report.json")
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {name: told[name] for name in ("rows", "accepted", "unchanged", "refused")} == {
        "rows": 4,
        "accepted": 1,
        "unchanged": 1,
        "refused": [{"line": 1, "column": "", "reason": "whole"}, {"line": 3, "column": "=用途", "reason": "=1+1"}],
    }
    assert "演示数据" not in (tmp_path / "report.json").read_text(encoding="utf-8")


def test_a_report_in_excel_holds_no_formula(tmp_path: Path) -> None:
    write_report(REPORT, tmp_path / "report.XLSX")
    assert formulas_in(tmp_path / "report.XLSX") == []
    with load_workbook(tmp_path / "report.XLSX") as book:
        rows = book.get_sheet_by_name("refused").to_python()
    assert rows == [["line", "column", "reason"], [1.0, "", "whole"], [3.0, "'=用途", "'=1+1"]]


def test_a_report_as_text_names_lines_and_shortens_long_lists() -> None:
    assert render_report(REPORT).splitlines() == [
        "units: 4 rows: 1 accepted, 1 unchanged, 2 refused",
        "created: 1",
        "file: whole",
        "line 3, =用途: =1+1",
        "warning: @here",
    ]
    many = Report("units", 1_000, 0, 0, tuple(Refusal(line, "a", "b") for line in range(2, 502)), dry_run=True)
    assert render_report(many).splitlines()[-1] == "and 300 more"
    assert "dry run: nothing was written" in render_report(many)


@pytest.mark.parametrize("name", ["report.json", "report.xlsx"])
def test_in_demo_mode_a_report_says_so(tmp_path: Path, name: str) -> None:
    marked = Report("units", 0, 0, 0, (), demo=True)
    assert render_report(marked).startswith("演示数据\n")
    write_report(marked, tmp_path / name)
    if name.endswith("json"):
        assert "演示数据" in (tmp_path / name).read_text(encoding="utf-8")
    else:
        assert read_sheet(tmp_path / name).rows[0][0] == "演示数据"
