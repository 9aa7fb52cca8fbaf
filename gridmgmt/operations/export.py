"""A layer of the register as a file for a GIS or a spreadsheet. No layer holds anything of a person."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import shapely
from sqlalchemy import RowMapping, func, select

from geo.features import Look
from geo.files import FileError, Row, write_features
from gridmgmt.intake.spreadsheets import defuse
from gridmgmt.layers import LAYERS
from gridmgmt.layers.layer import Layer
from gridmgmt.layers.selection import Selection, rows_of
from gridmgmt.operations.operator import DEMO, OperatorError, Register
from gridmgmt.security import audit

Advance = Callable[[int, int], object]
"""Told how many rows are written, of how many."""

SUFFIXES: Final = (".geojson", ".gpkg", ".fgb", ".csv")
CHUNK: Final = 5_000
TOLD_EVERY: Final = 1_000
TYPES: Final[Mapping[tuple[str, str | None], type]] = {
    ("string", None): str,
    ("string", "date"): date,
    ("integer", None): int,
    ("number", None): float,
    ("boolean", None): bool,
}
MIXED: Final = frozenset({"buildings"})
"""Layers of polygons and points side by side."""


def export(register: Register, name: str, path: Path, advance: Advance = lambda _done, _all: None) -> int:
    """Write what is in force today of a layer to a .geojson, .gpkg, .fgb or .csv file; the number of rows.

    Degrees, EPSG:4490, longitude first. A .csv has longitude and latitude of a point in each shape and is UTF-8 with a mark, as
    spreadsheets like it. In demo mode every row says 演示数据. The rows are those that the operator sees. Raises OperatorError; audited.
    """
    layer = LAYERS.get(name)
    if layer is None:
        raise OperatorError(f"The layers are {', '.join(LAYERS)}")
    if path.suffix.lower() not in SUFFIXES:
        raise OperatorError(f"{path.name}: expected a name that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    fields = {one.name: TYPES[one.type, one.format] for one in layer.properties}
    if register.settings.access.demo_mode:
        fields["notice"] = str
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            made = Path(folder) / path.name
            count = _write_and_record(register, layer, made, fields, advance)
            made.replace(path)  # after the trail has it
    except FileError as error:
        raise OperatorError(str(error)) from None
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror or error}") from None
    return count


def _write_and_record(register: Register, layer: Layer, path: Path, fields: Mapping[str, type], advance: Advance) -> int:
    found = rows_of(Selection(layer.name, Look(())))
    columns = [found.c[one.name] for one in layer.properties]
    statement = select(*columns, func.ST_AsBinary(found.c.geom).label("geom")).order_by(columns[0], found.c.id)
    with register.database.transaction(register.operator) as session:
        total = session.execute(select(func.count()).select_from(found)).scalar_one()
        with session.execute(statement.execution_options(yield_per=CHUNK, stream_results=True)) as result:
            rows = _told((_row(one, fields) for one in result.mappings()), total, advance)
            if path.suffix.lower() == ".csv":
                count = _write_csv(path, rows, list(fields))
            else:
                kind = "Unknown" if layer.name in MIXED else "MultiPolygon"
                count = write_features(path, rows, fields=fields, kind=kind, layer=layer.name)
        audit.record(session, "export", layer.name, rows=count, detail={"file": path.name, "person": register.person})
    return count


def _row(found: RowMapping, fields: Mapping[str, type]) -> Row:
    return {name: DEMO if name == "notice" else found[name] for name in fields}, shapely.from_wkb(bytes(found["geom"]))


def _told(rows: Iterable[Row], total: int, advance: Advance) -> Iterator[Row]:
    advance(0, total)
    for number, row in enumerate(rows, 1):
        yield row
        if number % TOLD_EVERY == 0 or number == total:
            advance(number, total)


def _write_csv(path: Path, rows: Iterable[Row], names: list[str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "longitude", "latitude"])
        for properties, shape in rows:
            point = shapely.point_on_surface(shape)
            place = (round(float(shapely.get_x(point)), 7), round(float(shapely.get_y(point)), 7))
            cells = (properties[name] for name in names)
            writer.writerow([*(defuse(cell) if isinstance(cell, str) else cell for cell in cells), *place])
            count += 1
    return count
