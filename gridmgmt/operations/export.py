"""A layer of the register as a file for a GIS or a spreadsheet. No layer holds anything of a person."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, cast

from pyproj import CRS
from sqlalchemy import func, select

from geo.crs import LONLAT, STORAGE
from geo.features import Look
from geo.tables import Form, Table
from gridmgmt.layers import LAYERS, bulk
from gridmgmt.layers.bulk import fields_of, heading_of, statement_of
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.selection import Selection, rows_of
from gridmgmt.operations.operator import DEMO, OperatorError, Register
from gridmgmt.security import audit

Advance = Callable[[int, int], object]
"""Told how many rows are written, of how many."""

TEXTS: Final[Mapping[str, bulk.Form]] = {".geojson": "feature", ".geojsonl": "feature", ".geojsons": "sequence", ".csv": "csv"}
"""Forms of lines by the ending of a file of text: a .geojsons has a record separator before each feature (RFC 8142), a .geojsonl none."""
SUFFIXES: Final = (*TEXTS, ".gpkg", ".fgb", ".parquet")
MARK: Final = b"\xef\xbb\xbf"
"""Spreadsheets take CSV for UTF-8 when it begins so."""
CHUNK: Final = 5_000
TOLD_EVERY: Final = 1_000


def export(register: Register, name: str, path: Path, advance: Advance = lambda _done, _all: None) -> int:
    """Write what is in force today of a layer to a file of the kind that its name ends in, one of SUFFIXES; the number of rows.

    Degrees, longitude first (EPSG:4490). In demo mode every row says 演示数据. The rows are those that the operator sees, ordered by id,
    some thousand held at a time; the file appears when it is whole. Raises OperatorError; audited.
    """
    layer = LAYERS.get(name)
    if layer is None:
        raise OperatorError(f"The layers are {', '.join(LAYERS)}")
    if path.suffix.lower() not in SUFFIXES:
        raise OperatorError(f"{path.name}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            made = Path(folder) / path.name
            count = _write_and_record(register, layer, made, advance)
            made.replace(path)  # after the trail has it
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror or error}") from None
    return count


def _write_and_record(register: Register, layer: Layer, path: Path, advance: Advance) -> int:
    suffix, notice = path.suffix.lower(), DEMO if register.settings.access.demo_mode else None
    selection = Selection(layer.name, Look(tuple(one.name for one in layer.properties), LONLAT))
    statement = statement_of(selection, TEXTS.get(suffix, "table"), notice).execution_options(yield_per=CHUNK, stream_results=True)
    with register.database.transaction(register.operator) as session:
        total = session.execute(select(func.count()).select_from(rows_of(selection))).scalar_one()
        with session.execute(statement, {"limit": None}) as result:
            lines = _told((line.encode() for line in result.scalars()), total, advance)
            if suffix in TEXTS:
                count = _write_text(path, lines, MARK + heading_of(selection, notice) if suffix == ".csv" else b"")
            else:
                count = _write_table(path, layer, fields_of(selection, notice), lines)
        audit.record(session, "export", layer.name, rows=count, detail={"file": path.name, "person": register.person})
    return count


def _told(lines: Iterable[bytes], total: int, advance: Advance) -> Iterator[bytes]:
    advance(0, total)
    for number, line in enumerate(lines, 1):
        yield line
        if number % TOLD_EVERY == 0 or number == total:
            advance(number, total)


def _write_text(path: Path, lines: Iterable[bytes], heading: bytes) -> int:
    count, collection = 0, path.suffix.lower() == ".geojson"
    with path.open("wb") as file:
        file.write(b'{"type":"FeatureCollection","features":[\n' if collection else heading)
        for count, line in enumerate(lines, 1):
            file.write(b"," + line if collection and count > 1 else line)
        file.write(b"]}\n" if collection else b"")
    return count


def _write_table(path: Path, layer: Layer, fields: tuple[tuple[str, str], ...], lines: Iterable[bytes]) -> int:
    from geo.writing import TableError, write_table  # noqa: PLC0415 -- no other command needs Arrow

    crs = f"EPSG:{STORAGE}"
    form = cast("Form", path.suffix.lower()[1:])
    try:
        return write_table(path, Table(layer.name, form, fields, layer.shape, crs, CRS(crs).to_json_dict()), lines)
    except TableError as error:
        raise OperatorError(f"{path.name}: {error}") from None
