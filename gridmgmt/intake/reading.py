"""Files as they come: CSV in UTF-8 or GB18030, Excel, GeoJSON, GeoPackage; out come a header and rows of text with their lines."""

import codecs
import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Final

from shapely.geometry.base import BaseGeometry

from geo.files import FileError, FileFeature, read_features
from geo.geometry import GeometryError
from gridmgmt.intake.refusals import FileRefusedError, Refusal
from gridmgmt.intake.spreadsheets import SpreadsheetError, cell_text, read_sheet

CHUNK: Final = 10_000
BLOCK: Final = 1 << 20
LONGEST_HEADER: Final = 20_000
DELIMITERS: Final = (",", ";", "\t")
FEATURES: Final = frozenset({".geojson", ".json", ".gpkg", ".fgb", ".shp"})
SHEETS: Final = frozenset({".xlsx", ".xls"})
TEXTS: Final = frozenset({".csv", ".txt", ".tsv"})
MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

BREAK: Final = re.compile(r"\r\n|\r|\n")

Shape = BaseGeometry | GeometryError | None
Numbered = tuple[Sequence[int], list[list[str]]]
"""Rows, and the line of the file that each begins on."""


@dataclass(frozen=True)
class Chunk:
    """Some rows, column by column, all of one length; `refused` are rows that do not fit the header and are not among them."""

    lines: Sequence[int]
    columns: Sequence[Sequence[str]]
    shapes: Sequence[Shape] = ()
    refused: Sequence[Refusal] = ()


@dataclass(frozen=True)
class Table:
    """A file's header and rows. `expected` is about how many rows there are, `sha256` that of the file."""

    header: tuple[str, ...]
    chunks: Iterable[Chunk]
    expected: int
    sha256: str
    has_shapes: bool = False
    warnings: tuple[str, ...] = ()


def open_table(path: Path, layer: str | None = None) -> Table:
    """Open a .csv, .xlsx, .xls, .geojson, .json, .gpkg, .fgb or .shp file; `layer` names one of several in a GeoPackage.

    Rows are read when asked for. Blank rows are passed over. Raises FileRefusedError, later too, when the file turns out damaged.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in FEATURES:
            return _features_table(path, layer)
        if suffix in SHEETS:
            return _sheet_table(path)
        if suffix in TEXTS:
            return _text_table(path)
    except FileError as error:
        raise FileRefusedError(str(error)) from None
    except SpreadsheetError as error:
        raise FileRefusedError(f"{path.name}: {error}") from None
    except OSError as error:
        raise FileRefusedError(f"{path.name}: {error.strerror or 'cannot be read'}") from None
    raise FileRefusedError(f"{path.name}: expected a .csv, .xlsx, .xls, .geojson or .gpkg file")


def _text_table(path: Path) -> Table:
    encoding, lines, digest = _look_through(path)
    with path.open(encoding=encoding, newline="") as file:
        first = file.readline(LONGEST_HEADER)
    if not first.strip():
        raise FileRefusedError(f"{path.name}: the first line is empty, and the header stands there")
    delimiter = max(DELIMITERS, key=first.count)
    with path.open(encoding=encoding, newline="") as file:
        try:
            header = next(csv.reader(iter(lambda: file.readline(LONGEST_HEADER), ""), delimiter=delimiter))
        except csv.Error:
            raise FileRefusedError(f"{path.name}: the header cannot be read: a quotation mark may be left open") from None
    return Table(tuple(header), _in_chunks(_text_rows(path, encoding, delimiter), len(header)), lines - 1, digest)


def _look_through(path: Path) -> tuple[str, int, str]:
    """The encoding that all of the file is in, how many lines it has, and its hash. Text in GB18030 is never UTF-8 by chance for long."""
    digest = hashlib.sha256()
    lines, last = 0, b"\n"
    with path.open("rb") as file:
        start = file.read(4)
        marked = next((encoding for mark, encoding in MARKS if start.startswith(mark)), None)
        decoders = {name: codecs.getincrementaldecoder(name)() for name in ([marked] if marked else ["utf-8", "gb18030"])}
        file.seek(0)
        while block := file.read(BLOCK):
            digest.update(block)
            lines += block.count(b"\n")
            last = block[-1:]
            _try(decoders, block, final=False)
    _try(decoders, b"", final=True)
    if not decoders:
        raise FileRefusedError(f"{path.name}: the text is neither UTF-8 nor GB18030")
    return next(iter(decoders)), lines + (last != b"\n"), digest.hexdigest()


def _try(decoders: dict[str, codecs.IncrementalDecoder], block: bytes, *, final: bool) -> None:
    """Drop the decoders that cannot read the block."""
    for name, decoder in list(decoders.items()):
        try:
            decoder.decode(block, final)
        except UnicodeDecodeError:
            del decoders[name]


def _text_rows(path: Path, encoding: str, delimiter: str) -> Iterator[Numbered]:
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        next(reader)  # a header may take several lines too
        begins = reader.line_num + 1
        while True:
            rows: list[list[str]] = []
            try:
                rows.extend(islice(reader, CHUNK))
            except csv.Error:
                broken = begins + sum(map(_height, rows))
                raise FileRefusedError(f"{path.name}: line {broken} cannot be read: a quotation mark may be left open") from None
            if not rows:
                return
            ends = reader.line_num + 1
            yield (range(begins, ends) if ends - begins == len(rows) else list(accumulate(map(_height, rows[:-1]), initial=begins))), rows
            begins = ends


def _height(row: list[str]) -> int:
    """How many lines a row takes: a quoted cell may hold line breaks."""
    return 1 + sum(len(BREAK.findall(cell)) for cell in row)


def _sheet_table(path: Path) -> Table:
    sheet = read_sheet(path)
    header, *rows = sheet.rows
    while header and not header[-1].strip():
        header.pop()
    warnings = (f"the spreadsheet has {sheet.others} more worksheets, which were not read",) if sheet.others else ()
    return Table(tuple(header), _in_chunks(_batches(rows), len(header)), len(rows), _hash(path), warnings=warnings)


def _batches(rows: list[list[str]]) -> Iterator[Numbered]:
    for start in range(0, len(rows), CHUNK):
        some = rows[start : start + CHUNK]
        yield range(start + 2, start + 2 + len(some)), some


def _features_table(path: Path, layer: str | None) -> Table:
    features = read_features(path, layer).features
    if not features:
        raise FileRefusedError(f"{path.name}: holds no features")
    header = tuple(dict.fromkeys(name for feature in features for name in feature.properties))
    return Table(header, _feature_chunks(features, header), len(features), _hash(path), has_shapes=True)


def _feature_chunks(features: Sequence[FileFeature], header: Sequence[str]) -> Iterator[Chunk]:
    for start in range(0, len(features), CHUNK):
        some = features[start : start + CHUNK]
        columns = [[_property_text(feature.properties.get(name)) for feature in some] for name in header]
        yield Chunk([feature.number + 1 for feature in some], columns, [feature.fault or feature.geometry for feature in some])


def _property_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else cell_text(value)


def _in_chunks(batches: Iterable[Numbered], width: int) -> Iterator[Chunk]:
    """The rows of the header's width; one that is too long or too short is refused, a blank one is none."""
    for lines, rows in batches:
        if set(map(len, rows)) == {width} and all(map(any, rows)):
            yield Chunk(lines, list(zip(*rows, strict=True)))
            continue
        kept: list[tuple[int, list[str]]] = []
        refused: list[Refusal] = []
        for line, row in zip(lines, rows, strict=True):
            while len(row) > width and not row[-1]:
                row.pop()  # empty cells beyond the header are a spreadsheet's habit, and a fault of nobody
            if any(row) and len(row) != width:
                refused.append(Refusal(line, "", f"the row has {len(row)} cells where the header has {width}"))
            elif any(row):
                kept.append((line, row))
        columns = list(zip(*(row for _, row in kept), strict=True)) or [()] * width
        yield Chunk([line for line, _ in kept], columns, refused=refused)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
