"""Files of whole layers, however many rows: GeoPackage, FlatGeobuf and GeoParquet, written batch by batch by way of Arrow.

Run as a program (`python -m geo.writing`) it reads lines and writes a file, in a process of its own, so that whoever serves neither
holds GDAL's memory nor waits for it. Its input: a JSON object that `Table.heading` made, the lines of `geo.lines.table_line`, and
`geo.tables.END`, without which the rows are taken to be cut short. Its arguments: the path, and the bytes that a file may have.
"""

import os
import resource
import signal
import sys
from array import array
from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
import pyarrow as pa

from geo.tables import END, TOO_LARGE, Table

CHUNK: Final = 2_000
GROUP: Final = 20_000
"""Rows of a row group in GeoParquet: small enough to be held, large enough to be read at once."""
GEOMETRY: Final = "geometry"
TYPES: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
VERSIONS: Final[Mapping[str, Mapping[str, str]]] = {"gpkg": {"VERSION": "1.3"}}
"""Options of a whole file. GDAL before 3.7 warns of each GeoPackage newer than this, and nothing here needs one."""
DRIVERS: Final[Mapping[str, str]] = {"gpkg": "GPKG", "fgb": "FlatGeobuf"}
SHAPES: Final[Mapping[str, str]] = {"any": "Unknown", "point": "Point", "multipolygon": "MultiPolygon"}


class TableError(Exception):
    """Rows that stopped before their end, or a file that could not be written."""


def write_table(path: Path, table: Table, lines: Iterable[bytes]) -> int:
    """Write lines of `geo.lines.table_line` to a new file; the number of rows. Some thousand rows are held at a time.

    Raises TableError when the file cannot be written, and whatever `lines` raises.
    """
    if table.form == "fgb":
        return _write_flatgeobuf(path, table, lines)
    batches = _Batches(table, lines)
    if table.form == "parquet":
        _write_parquet(path, table, batches)
    else:
        _write_with_gdal(path, table, batches)
    if batches.failure is not None:
        raise batches.failure
    return batches.count


class _Batches:
    """Record batches of lines. GDAL swallows what is raised while it reads, so that is kept."""

    def __init__(self, table: Table, lines: Iterable[bytes], take: Callable[[bytes], object] = lambda _: None) -> None:
        """`take` is given the WKB of each row that has one."""
        self.schema = pa.schema([*((name, TYPES[kind]) for name, kind in table.fields), (GEOMETRY, pa.binary())])
        self.count = 0
        self.failure: BaseException | None = None
        self._lines = iter(lines)
        self._take = take

    def __iter__(self) -> Iterator[Any]:
        try:
            while rows := [orjson.loads(line) for line in islice(self._lines, CHUNK)]:
                self.count += len(rows)
                yield self._batch(rows)
        except BaseException as error:
            self.failure = error
            raise

    def _batch(self, rows: Sequence[Sequence[Any]]) -> Any:
        *columns, shapes = zip(*rows, strict=True)
        kinds = [field.type for field in self.schema]
        arrays = [_array(column, kind) for column, kind in zip(columns, kinds[:-1], strict=True)]
        places = [None if shape is None else unhexlify(shape) for shape in shapes]
        for place in places:
            if place is not None:
                self._take(place)
        arrays.append(pa.array(places, pa.binary()))
        return pa.record_batch(arrays, schema=self.schema)


def _array(values: Sequence[Any], kind: Any) -> Any:
    return pa.array(values, pa.string()).cast(kind) if kind == pa.date32() else pa.array(values, kind)


def _write_flatgeobuf(path: Path, table: Table, lines: Iterable[bytes]) -> int:
    """Raises TableError for a row without a place: an index has none for it."""
    from geo.flatgeobuf import assemble, bounds  # noqa: PLC0415 -- the other forms do without numpy

    boxes = array("d")
    batches = _Batches(table, lines, lambda place: boxes.extend(bounds(place)))
    rows = iter(batches)
    with TemporaryDirectory(dir=path.parent) as folder:
        first = next(rows, None)
        if first is None:
            _write_with_gdal(path, table, batches, ())
            return 0
        head, unordered = Path(folder) / "head.fgb", Path(folder) / "rows.fgb"
        _write_with_gdal(head, table, batches, (first.slice(0, 1),))
        _write_with_gdal(unordered, table, batches, chain((first,), rows), SPATIAL_INDEX="NO")
        if batches.failure is not None:
            raise batches.failure
        if len(boxes) != 4 * batches.count:
            raise TableError("a FlatGeobuf takes no row without a place")
        assemble(path, head, unordered, boxes)
    return batches.count


def _write_with_gdal(path: Path, table: Table, batches: _Batches, chosen: Iterable[Any] | None = None, **options: str) -> None:
    from pyogrio import raw  # noqa: PLC0415 -- GeoParquet does without GDAL's memory
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError  # noqa: PLC0415

    reader = pa.RecordBatchReader.from_batches(batches.schema, batches if chosen is None else chosen)
    try:
        raw.write_arrow(
            reader,
            path,
            layer=table.name,
            driver=DRIVERS[table.form],
            geometry_name=GEOMETRY,
            geometry_type=SHAPES[table.shape],
            crs=table.crs,
            dataset_options=VERSIONS.get(table.form),
            layer_options=options,
        )
    except (DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError, RuntimeError) as error:
        raise (batches.failure or TableError(str(error).split("\n", maxsplit=1)[0])) from None


def _write_parquet(path: Path, table: Table, batches: _Batches) -> None:
    from pyarrow import parquet  # noqa: PLC0415 -- GDAL's formats do without

    column = {"encoding": "WKB", "geometry_types": [] if table.shape == "any" else [SHAPES[table.shape]], "crs": table.projjson}
    geo = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
    schema = batches.schema.with_metadata({"geo": orjson.dumps(geo)})
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        group: list[Any] = []
        for batch in batches:
            group.append(batch)
            if len(group) == GROUP // CHUNK:
                writer.write_table(pa.Table.from_batches(group).replace_schema_metadata(schema.metadata))
                group = []
        if group:
            writer.write_table(pa.Table.from_batches(group).replace_schema_metadata(schema.metadata))


def _until_end(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        if line == END:
            return
        yield line
    raise TableError("the rows were cut short")


class _Without:
    """Says of modules that they are not there. Arrow and pyogrio load them where they are, and nothing here needs their memory."""

    NAMES: Final = frozenset({"geopandas", "pandas", "pyproj", "shapely"})

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Nothing; raises ModuleNotFoundError for one of them."""
        if name in self.NAMES:
            raise ModuleNotFoundError(name=name)


def main() -> int:
    """Write what standard input holds to the path; 1 with a line on standard error when it fails, TOO_LARGE when the file is."""
    path, most = Path(sys.argv[1]), int(sys.argv[2])
    full: list[int] = []  # whatever the libraries make of it: the kernel says that it takes no more
    signal.signal(signal.SIGXFSZ, lambda number, _: full.append(number))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    sys.meta_path.insert(0, _Without())
    with os.fdopen(sys.stdin.fileno(), "rb", buffering=1 << 20, closefd=False) as lines:
        told = orjson.loads(lines.readline())
        table = Table(**told | {"fields": tuple((name, kind) for name, kind in told["fields"])})
        try:
            write_table(path, table, _until_end(lines))
        except (TableError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return TOO_LARGE if full else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
