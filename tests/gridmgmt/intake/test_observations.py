"""Rents from tax assessments and surveys: taken from real files, the implausible kept and set aside."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import xlsxwriter

from gridmgmt.intake.refusals import Report
from tests.gridmgmt.intake.conftest import Office

HEADER = "观测编号,来源,单元编码,租金,租金单位,建筑面积,起始日期,终止日期,是否新租,出租人,关联方,转租"
ONE, FLAT, STORE = "4403060180010100001001001", "4403060180010100004003001", "4403060180020100003000001"
GOOD = f"S-1,问卷,{ONE},1200,元/月,40,2011-03-01,2012-03-01,是,刘房东演,否,否"


def reasons(report: Report) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in report.refused]


def counts(report: Report) -> dict[str, int]:
    return dict(report.counts or {})


def test_cells_that_cannot_be_read_are_refused_by_line(taken: Office) -> None:
    report = taken.take_rows(
        "observations",
        HEADER,
        GOOD.replace("S-1", "S 1"),
        GOOD.replace("问卷", "传闻"),
        GOOD.replace(ONE, "9" * 25),
        GOOD.replace("1200", "about 1200"),
        GOOD.replace("元/月", "元/天"),
        GOOD.replace("2011-03-01", "2011-02-30"),
        GOOD.replace(",是,", ",maybe,"),
        GOOD,
        GOOD.replace("1200", "1300"),
    )
    assert [line for line, _ in reasons(report)] == [2, 3, 4, 5, 6, 7, 8, 10]
    assert reasons(report)[2] == (4, "unknown unit")
    assert reasons(report)[-1] == (10, "the reference stands in line 9 already")
    assert (report.accepted, report.unchanged) == (1, 0)


def test_reference_of_another_unit_or_one_struck_out_is_refused(taken: Office) -> None:
    taken.take_rows("observations", HEADER, GOOD, GOOD.replace("S-1", "S-2"))
    taken.ask("UPDATE reg.rent_observation SET deleted_at = now() WHERE reference = 'S-2' RETURNING 1")
    report = taken.take_rows("observations", HEADER, GOOD.replace(ONE, STORE), GOOD.replace("S-1", "S-2"))
    assert reasons(report) == [(2, "the observation is known, and of another unit"), (3, "the observation was struck out")]


def test_what_cannot_be_right_is_kept_and_set_aside(taken: Office) -> None:
    report = taken.take_rows(
        "observations",
        HEADER,
        GOOD.replace("1200", "0"),
        GOOD.replace("S-1", "S-2").replace(",40,", ",0,"),
        GOOD.replace("S-1", "S-3").replace("2012-03-01", "2010-03-01"),
        GOOD.replace("S-1", "S-4").replace("1200", "19"),  # 0.475 yuan for a square metre
        GOOD.replace("S-1", "S-5").replace("否,否", "是,否"),
        GOOD.replace("S-1", "S-6").replace("否,否", "否,是"),
        GOOD.replace("S-1", "S-7"),
    )
    assert (report.accepted, report.refused, counts(report)["set aside"]) == (7, (), 6)
    assert report.warnings == (
        "line 2: kept and set aside: rent not positive",
        "line 3: kept and set aside: area missing",
        "line 4: kept and set aside: term inverted",
        "line 5: kept and set aside: implausible",
        "line 6: kept and set aside: related parties",
        "line 7: kept and set aside: sublet",
    )
    assert taken.ask("SELECT reference FROM reg.rent_observation WHERE reason IS NULL") == [("S-7",)]
    assert taken.ask("SELECT n FROM reg.rent_statistic") == [(1,)]


def test_rents_by_year_and_by_square_metre_become_fen_a_month(taken: Office) -> None:
    """14,400 yuan a year are 1,200 a month; 30 yuan for each of 40 m² are 1,200 too."""
    taken.take_rows(
        "observations",
        HEADER,
        GOOD.replace("1200,元/月", "14400,元/年"),
        GOOD.replace("S-1", "S-2").replace("1200,元/月", "30,元/平方米·月"),
    )
    assert taken.ask("SELECT rent_fen, log_rent FROM reg.rent_observation") == [(120_000, 3_401_197)] * 2  # ln 30 = 3.401197


def test_same_file_again_changes_nothing_and_a_later_one_corrects(taken: Office) -> None:
    first = taken.take_rows("observations", HEADER, GOOD)
    assert counts(first) == {"created": 1, "corrected": 0, "landlords": 0, "set aside": 0}
    again = taken.take_rows("observations", HEADER, GOOD)
    assert (again.accepted, again.unchanged) == (0, 1)
    assert taken.ask("SELECT version FROM reg.rent_observation") == [(1,)]
    short = "观测编号,来源,单元编码,租金,租金单位,起始日期,是否新租"
    later = taken.take_rows("observations", short, f"S-1,survey,{ONE},1300,month,2011-03-01,yes")
    assert counts(later)["corrected"] == 1
    ((rent, area, ends, landlord),) = taken.ask(
        "SELECT o.rent_fen, o.area_m2, o.ends, d.name FROM reg.rent_observation o JOIN reg.landlord d ON d.id = o.landlord_id"
    )
    assert (rent, area, ends, landlord) == (130_000, Decimal("40.00"), dt.date(2012, 3, 1), "刘房东演")


def test_rehearsal_leaves_nothing(taken: Office) -> None:
    assert taken.take_rows("observations", HEADER, GOOD, dry_run=True).accepted == 1
    assert taken.ask("SELECT 1 FROM reg.rent_observation") == []


def test_workbook_without_areas_takes_those_of_the_units(taken: Office, tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "tax.xlsx", {"default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    for number, row in enumerate(
        (
            ("观测编号", "来源", "单元编码", "租金", "租金单位", "起始日期", "是否新租", "出租人"),
            ("A/1", "税务评估", FLAT, 900, "元/月", dt.date(2011, 5, 1), "否", "新来的房东"),
            ("A/2", "税务评估", STORE, 2500.5, "元/月", dt.date(2011, 6, 1), "是", None),
        )
    ):
        sheet.write_row(number, 0, row)
    book.close()
    report = taken.take("observations", tmp_path / "tax.xlsx")
    assert (report.accepted, report.refused, counts(report)["landlords"]) == (2, (), 1)
    assert taken.ask(
        "SELECT o.reference, o.source, o.area_m2 = u.area_m2, o.new_let, o.ends, o.rent_fen FROM reg.rent_observation o"
        " JOIN reg.unit u ON u.id = o.unit_id ORDER BY 1"
    ) == [("A/1", "assessment", True, False, None, 90_000), ("A/2", "assessment", True, True, None, 250_050)]
