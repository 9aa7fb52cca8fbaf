import hashlib
from pathlib import Path

import pytest
import shapely
import xlsxwriter

from geo.tables import Table
from geo.writing import write_table
from gridmgmt.intake.reading import Chunk, open_table
from gridmgmt.intake.refusals import FileRefusedError, Refusal


def write(folder: Path, content: bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def rows_of(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    return [
        (line, row) for chunk in open_table(path).chunks for line, row in zip(chunk.lines, zip(*chunk.columns, strict=True), strict=True)
    ]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match=r"none\.csv: No such file"):
        open_table(tmp_path / "none.csv")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match=r"rows\.pdf: expected a \.csv"):
        open_table(write(tmp_path, b"%PDF", "rows.pdf"))


@pytest.mark.parametrize("content", [b"", b"\n1,2\n", b"\xef\xbb\xbf"])
def test_an_empty_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileRefusedError, match="first line is empty"):
        open_table(write(tmp_path, content))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="neither UTF-8 nor GB18030"):
        open_table(write(tmp_path, b"a,b\n\xff\xff\xff,1\n"))


def test_a_quotation_mark_left_open_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, b'a,b\n1,2\n3,"' + b"x,y\n" * 50_000)
    with pytest.raises(FileRefusedError, match="line 3 cannot be read: a quotation mark may be left open"):
        rows_of(path)


def test_a_spreadsheet_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="not a readable spreadsheet"):
        open_table(write(tmp_path, b"PK\x03\x04 nothing", "rows.xlsx"))


def test_rows_of_another_width_are_refused_one_by_one(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, b"a,b\n1\n1,2,3\n1,2,,\n1,2\n"))
    (chunk,) = table.chunks
    assert chunk == Chunk(
        [4, 5],
        [("1", "1"), ("2", "2")],
        refused=[
            Refusal(2, "", "the row has 1 cells where the header has 2"),
            Refusal(3, "", "the row has 3 cells where the header has 2"),
        ],
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_is_read_in_every_encoding_and_with_every_delimiter(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    lines = [delimiter.join(("姓名", "地址")), delimiter.join(("张一演", "𠮷巷3号")), ""]
    path = write(tmp_path, end.join(lines).encode(encoding))
    assert open_table(path).header == ("姓名", "地址")
    assert rows_of(path) == [(2, ("张一演", "𠮷巷3号"))]


def test_a_character_cut_by_the_end_of_a_block_does_not_change_the_encoding(tmp_path: Path) -> None:
    content = ("名 \n" + ("x" * 63 + "\n") * (2**14 - 1) + "x" * 57 + "\n字\n").encode()
    assert content[2**20 - 1 : 2**20 + 2] == "字".encode()  # its first byte is the last of the block
    assert rows_of(write(tmp_path, content))[-1][1] == ("字",)


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    path = write(tmp_path, b'a,b\n1,"two\nlines"\n\n,\n3,4\n')
    assert rows_of(path) == [(2, ("1", "two\nlines")), (6, ("3", "4"))]


def test_a_header_may_take_several_lines(tmp_path: Path) -> None:
    path = write(tmp_path, b'a,"b\n(m2)"\r\n1,2\n3,4\n')
    assert open_table(path).header == ("a", "b\n(m2)")
    assert rows_of(path) == [(3, ("1", "2")), (4, ("3", "4"))]


def test_a_quotation_mark_left_open_in_the_header_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, b'a,"b\n' + b"x,y\n" * 50_000)
    with pytest.raises(FileRefusedError, match="the header cannot be read: a quotation mark may be left open"):
        open_table(path)


def test_a_file_is_known_by_its_hash_and_its_length(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, b"a\n1\n2"))
    assert (table.sha256, table.expected) == (hashlib.sha256(b"a\n1\n2").hexdigest(), 2)


def test_more_rows_than_a_chunk_come_in_several(tmp_path: Path) -> None:
    path = write(tmp_path, b"a\n" + b"1\n" * 25_000)
    assert [len(chunk.lines) for chunk in open_table(path).chunks] == [10_000, 10_000, 5_000]


def test_a_spreadsheet_is_read_as_text_and_other_sheets_are_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("empty")
        sheet = book.add_worksheet("rows")
        sheet.write_row(0, 0, ["code", "floors", "share", "yes"])
        sheet.write_row(2, 0, [4403060170010100001.0, 14, 0.5, True])
        book.add_worksheet("more").write(0, 0, "x")
    table = open_table(path)
    assert table.header == ("code", "floors", "share", "yes")
    assert rows_of(path) == [(3, ("4.40306017001010e+18", "14", "0.5", "true"))]
    assert table.warnings == ("the spreadsheet has 1 more worksheets, which were not read",)


def test_features_are_numbered_from_line_two(tmp_path: Path) -> None:
    path = tmp_path / "places.gpkg"
    told = Table("places", "gpkg", (("code", "string"), ("floors", "integer")), "point", "EPSG:4490", {})
    point = shapely.to_wkb(shapely.Point(113.9, 22.5), hex=True)
    write_table(path, told, [f'["1", 3, "{point}"]\n'.encode(), b"[null, null, null]\n"])
    table = open_table(path)
    (chunk,) = table.chunks
    assert (table.header, table.has_shapes) == (("code", "floors"), True)
    assert (list(chunk.lines), [list(column) for column in chunk.columns]) == ([2, 3], [["1", ""], ["3", ""]])
    assert list(chunk.shapes) == [shapely.Point(113.9, 22.5), None]
