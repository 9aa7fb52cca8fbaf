"""The figures of a release as an Excel workbook: guidance rents, the index, and how both are made.

The same release gives the same bytes. Cells without a number say why in a column of their own.
"""

import datetime as dt
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from gridmgmt.registers.terms import LEVELS, USES
from gridmgmt.reports.bulletin import content_of, district_day, mark_of, reason_of
from gridmgmt.reports.issue import Cell, Issue
from gridmgmt.reports.wording import MARKS, REASONS, Language, say

OPTIONS: Final = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
GUIDE: Final = ("code", "area", "level", "use", "period", "low", "middle", "high", "se", "observations", "note")
INDEX: Final = ("code", "area", "level", "use", "lets", "frequency", "period", "index", "low", "high", "se", "observations", "note")
WIDTHS: Final = {"area": 16, "code": 14, "note": 44, "use": 12, "period": 12}


def workbook(issue: Issue, language: Language) -> bytes:
    """The workbook: sheets of guidance rents in yuan per m² and month, of index numbers, and of the method note with the runs."""
    held = io.BytesIO()
    book = xlsxwriter.Workbook(held, OPTIONS)
    release = issue.release
    book.set_properties(
        {
            "title": say(language, "title"),
            "created": dt.datetime.combine(district_day(release["published_at"] or release["computed_at"]), dt.time(), dt.UTC),
        }
    )
    content = content_of(issue, language)
    told = (content["place"], content["title"], *content["subtitle"], content["notice"], content["demo"])
    heading = "  ".join(text for text in told if text)
    guides = [one for one in issue.cells if one.product == "guide"]
    numbers = [one for one in issue.cells if one.product == "index"]
    for name, cells, columns in (("guide_sheet", guides, GUIDE), ("index", numbers, INDEX)):
        sheet = book.add_worksheet(say(language, name))
        _fill(book, sheet, heading, [say(language, column) for column in columns], _rows(issue, language, cells, columns))
        for at, column in enumerate(columns):
            sheet.set_column(at, at, WIDTHS.get(column, 11))
    _note(book, book.add_worksheet(say(language, "method")), heading, content)
    for sheet in book.worksheets():
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
    book.close()
    return held.getvalue()


def _rows(issue: Issue, language: Language, cells: Sequence[Cell], columns: Sequence[str]) -> Iterable[list[object]]:
    places = {one.id: one for one in issue.places}
    for cell in cells:
        place = places[cell.area]
        mark = mark_of(cell)
        values: dict[str, object] = {
            "code": place.code,
            "area": place.name,
            "level": say(language, place.level, LEVELS),
            "use": say(language, cell.use, USES),
            "lets": say(language, cell.lets),
            "frequency": say(language, "month" if cell.frequency == "month" else "quarterly"),
            "period": cell.period.isoformat()[:7] if cell.frequency == "month" else f"{cell.period.year}Q{(cell.period.month + 2) // 3}",
            "low": cell.low,
            "middle": cell.value,
            "index": cell.value,
            "high": cell.high,
            "se": cell.se,
            "observations": cell.n_told,
            "note": say(language, reason_of(cell), REASONS) if cell.value is None else "" if mark is None else say(language, mark, MARKS),
        }
        yield [values[column] for column in columns]


def _fill(book: xlsxwriter.Workbook, sheet: Worksheet, heading: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    bold, head, two, four = (
        book.add_format(style)
        for style in (
            {"bold": True},
            {"bold": True, "bg_color": "#EAF0F6", "bottom": 1, "text_wrap": True},
            {"num_format": "0.00"},
            {"num_format": "0.0000"},
        )
    )
    sheet.write_string(0, 0, heading, bold)
    sheet.write_row(1, 0, columns, head)
    last = 1
    for last, row in enumerate(rows, start=2):
        for at, value in enumerate(row):
            if isinstance(value, Decimal):
                places = value.as_tuple().exponent
                sheet.write_number(last, at, float(value), four if places == -4 else two)
            elif isinstance(value, int):
                sheet.write_number(last, at, value)
            elif value is not None:
                sheet.write_string(last, at, str(value))
    sheet.freeze_panes(2, 2)
    sheet.autofilter(1, 0, last, len(columns) - 1)
    sheet.repeat_rows(1)


def _note(book: xlsxwriter.Workbook, sheet: Worksheet, heading: str, content: dict[str, Any]) -> None:
    """The method note, and below it the table of runs."""
    bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    sheet.write_string(0, 0, heading, bold)
    parts = content["sections"][-1]["parts"]
    paragraphs, runs = parts[:-1], parts[-1]
    for at, part in enumerate(paragraphs, start=2):
        sheet.merge_range(at, 0, at, len(runs["heads"]) - 1, part["text"], wrapped)
        sheet.set_row(at, 48)
    begin = len(paragraphs) + 3
    sheet.write_row(begin, 0, runs["heads"], bold)
    for at, row in enumerate(runs["rows"], start=begin + 1):
        sheet.write_row(at, 0, [cell["text"] for cell in row])
    sheet.set_column(0, len(runs["heads"]) - 1, 24)
