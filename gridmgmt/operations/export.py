"""A layer of the register as a file for a GIS or a spreadsheet. No layer holds anything of a person."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import shapely
from sqlalchemy import RowMapping, Select, func, or_, select
from sqlalchemy.orm import aliased

from geo.files import FileError, Row, write_features
from gridmgmt.errors import InvalidError
from gridmgmt.models import Area, Building, Grid
from gridmgmt.operations.backup import DEMO
from gridmgmt.operations.operator import OperatorError, Register
from gridmgmt.security import audit

Layer = Literal["subdistricts", "communities", "grids", "buildings"]
Advance = Callable[[int, int], object]
"""Told how many rows are written, of how many."""

CHUNK: Final = 5_000
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""
TOLD_EVERY: Final = 1_000


@dataclass(frozen=True)
class _Layer:
    statement: Select[*tuple[Any, ...]]
    """Properties, then `geom`."""
    fields: Mapping[str, type]
    kind: str


def export(register: Register, layer: Layer, path: Path, advance: Advance = lambda _done, _all: None) -> int:
    """Write what is in force today of a layer to a .geojson, .gpkg, .fgb or .csv file; the number of rows.

    Degrees, EPSG:4490, longitude first. A .csv has the longitude and latitude of a point in the shape (a building's entrance) and is
    UTF-8 with a mark, as spreadsheets like it. In demo mode every row says 演示数据. Raises OperatorError; audited.
    """
    chosen = _layers(layer)
    fields = dict(chosen.fields)
    if register.settings.access.demo_mode:
        fields["notice"] = str
    try:
        with TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            made = Path(folder) / path.name
            with register.database.transaction(register.operator) as session:
                total = session.execute(select(func.count()).select_from(chosen.statement.subquery())).scalar_one()
                with session.execute(chosen.statement.execution_options(yield_per=CHUNK, stream_results=True)) as result:
                    rows = _told((_row(one, fields) for one in result.mappings()), total, advance)
                    count = _write(made, rows, fields, chosen.kind, layer)
                audit.record(session, "export", layer, rows=count, detail={"file": path.name, "person": register.person})
            made.replace(path)  # after the trail has it
    except FileError as error:
        raise OperatorError(str(error)) from None
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror or error}") from None
    return count


def _layers(layer: str) -> _Layer:
    match layer:
        case "subdistricts" | "communities":
            return _areas("subdistrict" if layer == "subdistricts" else "community")
        case "grids":
            return _grids()
        case "buildings":
            return _buildings()
        case _:
            raise InvalidError("the layers are subdistricts, communities, grids and buildings", field="layer")


def _areas(level: str) -> _Layer:
    parent = aliased(Area)
    statement = (
        select(
            Area.code, Area.name, parent.code.label("parent"), Area.approximate, Area.valid_from, func.ST_AsBinary(Area.geom).label("geom")
        )
        .join(parent, parent.id == Area.parent_id)
        .where(Area.level == level, Area.deleted_at.is_(None), _in_force(Area))
        .order_by(Area.code)
    )
    return _Layer(statement, {"code": str, "name": str, "parent": str, "approximate": bool, "valid_from": date}, "MultiPolygon")


def _grids() -> _Layer:
    community = aliased(Area)
    statement = (
        select(
            Grid.code, Grid.scheme, Grid.kind, Grid.name, community.code.label("community"), Grid.valid_from,
            func.ST_AsBinary(Grid.geom).label("geom"),
        )
        .join(community, community.id == Grid.community_id)
        .where(Grid.deleted_at.is_(None), _in_force(Grid))
        .order_by(Grid.scheme, Grid.code)
    )  # fmt: skip
    fields = {"code": str, "scheme": str, "kind": str, "name": str, "community": str, "valid_from": date}
    return _Layer(statement, fields, "MultiPolygon")


def _buildings() -> _Layer:
    statement = (
        select(
            Building.house_code, Building.name, Building.address, Grid.code.label("grid"), Building.floors_above, Building.floors_below,
            Building.built_year, Building.nature, Building.rental, Building.retired_on, Building.datum,
            func.ST_X(Building.entrance).label("longitude"), func.ST_Y(Building.entrance).label("latitude"),
            func.ST_AsBinary(Building.geom).label("geom"),
        )
        .join(Grid, Grid.id == Building.grid_id)
        .where(Building.deleted_at.is_(None))
        .order_by(Building.house_code)
    )  # fmt: skip
    fields: dict[str, type] = dict.fromkeys(("house_code", "name", "address", "grid"), str)
    fields |= dict.fromkeys(("floors_above", "floors_below", "built_year"), int)
    fields |= {"nature": str, "rental": bool, "retired_on": date, "datum": str, "longitude": float, "latitude": float}
    return _Layer(statement, fields, "Unknown")


def _in_force(model: type[Area | Grid]) -> Any:
    today = func.reg.today()
    return (model.valid_from <= today) & or_(model.valid_to.is_(None), model.valid_to > today)


def _row(found: RowMapping, fields: Mapping[str, type]) -> Row:
    properties = {name: DEMO if name == "notice" else found[name] for name in fields}
    return properties, shapely.from_wkb(bytes(found["geom"]))


def _told(rows: Iterable[Row], total: int, advance: Advance) -> Iterator[Row]:
    advance(0, total)
    for number, row in enumerate(rows, 1):
        yield row
        if number % TOLD_EVERY == 0 or number == total:
            advance(number, total)


def _write(path: Path, rows: Iterable[Row], fields: Mapping[str, type], kind: str, layer: str) -> int:
    if path.suffix.lower() == ".csv":
        return _write_csv(path, rows, fields)
    return write_features(path, rows, fields=fields, kind=kind, layer=layer)


def _write_csv(path: Path, rows: Iterable[Row], fields: Mapping[str, type]) -> int:
    named = [*fields, *(name for name in ("longitude", "latitude") if name not in fields)]
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(named)
        for properties, shape in rows:
            place: dict[str, float] = (
                {} if shape is None or "longitude" in fields else dict(zip(("longitude", "latitude"), _point_in(shape), strict=True))
            )
            writer.writerow([_cell({**properties, **place}.get(name)) for name in named])
            count += 1
    return count


def _point_in(shape: shapely.Geometry) -> tuple[float, float]:
    point = shapely.point_on_surface(shape)
    return round(float(shapely.get_x(point)), 7), round(float(shapely.get_y(point)), 7)


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
