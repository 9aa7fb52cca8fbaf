"""`gridmgmt import` and `export`: files in and out. Both act as local-operator and are audited."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from geo.datum import Datum
from gridmgmt.cli.console import AsJson, progress, report
from gridmgmt.intake.importing import Kind, import_file
from gridmgmt.intake.refusals import FileRefusedError, Refusal, Report, render_report, write_report
from gridmgmt.operations.export import export as export_layer
from gridmgmt.operations.operator import OperatorError, open_register
from gridmgmt.operations.statistics import refresh_statistics
from gridmgmt.security.sealing import Sealer
from gridmgmt.settings import load_settings

Layer = Literal["subdistricts", "communities", "residents", "managers-coverage", "lease-density", "grids", "buildings"]
PHASES = {"read": "reading", "check": "checking", "write": "writing"}
SOME_REFUSED = 3
MANY = 1_000
"""Rows after which the planner's statistics are taken anew."""


def import_(
    kind: Kind,
    file: Path,
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative=(), help="Do everything and write nothing.")] = False,
    report_file: Annotated[Path | None, Parameter(name="--report", help="Write every refused row to FILE.json or FILE.xlsx.")] = None,
    datum: Annotated[
        Literal["CGCS2000", "GCJ-02", "BD-09"] | None, Parameter(help="What coordinates refer to where the file does not say.")
    ] = None,
    layer: Annotated[str | None, Parameter(help="Layer of a GeoPackage that holds several.")] = None,
    json: AsJson = False,
) -> int:
    """Take a file into the register. Leaves with 0 when every row was taken, with 3 when some were refused, with 1 on an error.

    Good rows are written, bad ones are not, and the same file again changes nothing. Grids are taken all or none.

    Parameters
    ----------
    kind: What the rows are. A hand-over is imported in this order.
    file: CSV (UTF-8 or GB18030), Excel, GeoJSON or GeoPackage, with Chinese or English headers.
    """
    settings = load_settings()
    demo = settings.access.demo_mode
    if report_file is not None:
        _check_report(report_file)
    with open_register(settings) as register, progress(f"Importing {kind}") as advance:
        try:
            done = import_file(
                register.database,
                register.operator,
                Sealer.of(register.keys),
                kind,
                file,
                demo=demo,
                dry_run=dry_run,
                datum=None if datum is None else Datum(datum),
                layer=layer,
                progress=lambda phase, rows, total: advance(rows, total, PHASES[phase]),
            )
        except FileRefusedError as error:
            whole = Refusal(1, error.field or "", error.detail)
            _write_report(Report(kind, 0, 0, 0, (whole,), dry_run=dry_run, demo=demo), report_file)
            raise
        if done.accepted >= MANY and not dry_run:
            refresh_statistics(register.database.address)
    _write_report(done, report_file)
    report(done.as_json(), render_report(done).splitlines(), as_json=json)
    return 0 if done.complete else SOME_REFUSED


def _check_report(path: Path) -> None:
    """Refuse a report that could not be written, before anything else is."""
    if path.suffix.lower() not in {".json", ".xlsx"}:
        raise OperatorError(f"A report ends in .json or .xlsx, and {path.name} does not")
    if not path.absolute().parent.is_dir():
        raise OperatorError(f"There is no folder {path.absolute().parent}")


def _write_report(done: Report, path: Path | None) -> None:
    if path is None:
        return
    try:
        write_report(done, path)
    except OSError as error:
        taken = f"{done.accepted:,} rows were taken" if done.accepted and not done.dry_run else "Nothing was written"
        raise OperatorError(f"{taken}, but the report {path} cannot be written: {error.strerror or error}") from None


def export(layer: Layer, file: Path, /, *, json: AsJson = False) -> None:
    """Write what is in force today of a layer to a file, in degrees (EPSG:4490, longitude first).

    Parameters
    ----------
    layer: What to write.
    file: A name that ends in .geojson, .geojsonl, .geojsons, .csv, .gpkg, .fgb or .parquet.
    """
    with open_register(load_settings()) as register, progress(f"Writing {layer}") as advance:
        count = export_layer(register, layer, file, advance)
    report({"layer": layer, "file": str(file), "rows": count}, [f"{file}: {count:,} {layer}"], as_json=json)
