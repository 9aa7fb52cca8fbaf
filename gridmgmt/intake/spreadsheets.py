"""Excel files, in and out. A spreadsheet runs what begins like a formula, and rounds long numbers: neither may reach the register."""

import datetime as dt
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum, load_workbook
from xlsxwriter.exceptions import FileCreateError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MOST_UNPACKED = 2 * 1024**3
MOST_ENTRIES = 1_000
EXACT = 10**15
"""Excel keeps fifteen digits of a number and turns the rest into zeros."""
LONGEST_CELL = 32_767
MOST_ROWS = 1_048_575
ERROR = "#N/A"
"""Stands for whatever error a cell's formula came to."""
ERROR_CELL = re.compile(rb'<c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]{1,3})([0-9]{1,7})"')
SHEET = re.compile(rb'<(?:\w+:)?sheet\b[^>]*?\bid="([^"]*)"')
RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')
BLOCK = 1 << 20


class SpreadsheetError(ValueError):
    """A file that is no readable spreadsheet, in one line that shows nothing of its content."""


@dataclass(frozen=True)
class Sheet:
    """Rows of the first visible worksheet, from its first row on, cells as text; and how many more worksheets there are."""

    rows: list[list[str]]
    others: int


def read_sheet(path: Path) -> Sheet:
    """Read an .xlsx or .xls file. Raises SpreadsheetError, and OSError when there is no such file.

    Dates are ISO text. A number longer than fifteen digits comes out with an exponent, so that a code that Excel has rounded can be told.
    A formula's error in an .xlsx file is ERROR, not the empty text that the reader makes of it.
    """
    _require_small(path)
    try:
        with load_workbook(path) as book:
            names = [
                sheet.name
                for sheet in book.sheets_metadata
                if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
            ]
            filled = [name for name in names if book.get_sheet_by_name(name).start is not None]
            if not filled:
                raise SpreadsheetError("the spreadsheet is empty")
            rows = _text_rows(book, filled[0])
            for row, column in _error_cells(path, [sheet.name for sheet in book.sheets_metadata].index(filled[0])):
                if row < len(rows) and column < len(rows[row]):
                    rows[row][column] = ERROR
            return Sheet(rows, len(filled) - 1)
    except CalamineError as error:
        raise SpreadsheetError(f"not a readable spreadsheet ({type(error).__name__})") from None


def cell_text(value: object) -> str:
    """A typed value of a spreadsheet or a feature as the text that a CSV file would hold. None is the empty text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < EXACT else _with_exponent(value)
        case dt.datetime():
            return value.date().isoformat() if value.time() == dt.time(0) else value.isoformat(" ")
        case _:
            return str(value)


def defuse(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: an apostrophe before = + - @, tab and carriage return.

    For CSV as well as Excel files.
    """
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def write_sheets(path: Path, sheets: Mapping[str, Iterable[tuple[object, ...]]]) -> None:
    """Write rows of numbers and text to an .xlsx file, a worksheet for each name. Text stays text, never a formula or a link."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    try:
        with xlsxwriter.Workbook(path, options) as book:
            for name, rows in sheets.items():
                sheet = book.add_worksheet(name)
                for number, row in enumerate(rows):
                    if number > MOST_ROWS:
                        break
                    for column, value in enumerate(row):
                        if isinstance(value, (int, float)):
                            sheet.write_number(number, column, value)
                        else:
                            sheet.write_string(number, column, defuse(str(value))[:LONGEST_CELL])
    except FileCreateError as error:
        raise OSError(f"{path.name}: {error}") from None


def _text_rows(book: CalamineWorkbook, name: str) -> list[list[str]]:
    return [[cell_text(value) for value in row] for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)]


def _error_cells(path: Path, place: int) -> Iterator[tuple[int, int]]:
    """Row and column, from 0, of the cells that hold an error in the worksheet at that place of an .xlsx file."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        rest = b""
        with archive.open(_part(archive, place)) as sheet:
            while block := sheet.read(BLOCK):
                rest += block
                if b't="e"' in rest:
                    for cell in ERROR_CELL.finditer(rest):
                        yield int(cell[2]) - 1, _column(cell[1])
                rest = rest[rest.rfind(b"<") :]  # where a block ends within a cell


def _part(archive: zipfile.ZipFile, place: int) -> str:
    """Name of the worksheet at a place of the workbook within the archive. Raises SpreadsheetError."""
    try:
        identifier = SHEET.findall(archive.read("xl/workbook.xml"))[place]
        relations = (dict(ATTRIBUTE.findall(one)) for one in RELATION.findall(archive.read("xl/_rels/workbook.xml.rels")))
        target: bytes = next(one[b"Target"] for one in relations if one[b"Id"] == identifier)
    except (KeyError, IndexError, StopIteration):
        raise SpreadsheetError("not a readable spreadsheet (no list of its worksheets)") from None
    return target.decode().removeprefix("/") if target.startswith(b"/") else f"xl/{target.decode()}"


def _column(letters: bytes) -> int:
    """The place from 0 of a column called A to XFD."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - ord("A") + 1
    return place - 1


def _with_exponent(value: float) -> str:
    return f"{value:.14e}" if abs(value) >= EXACT else repr(value)


def _require_small(path: Path) -> None:
    """Refuse an archive that unpacks to more than a machine holds. An .xls file is none."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
        raise SpreadsheetError("the spreadsheet unpacks to more than 2 GiB; hand it over as CSV")
