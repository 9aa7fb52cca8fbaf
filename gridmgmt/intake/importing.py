"""`gridmgmt import`: one file of one kind into the register, in one transaction, with one row in the audit trail."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.datum import Datum
from gridmgmt.database import Actor, Database
from gridmgmt.errors import ConflictError, ForbiddenError, InvalidError
from gridmgmt.intake import areas, buildings, grids, leases, observations, people, units
from gridmgmt.intake.columns import Column, match_columns
from gridmgmt.intake.loading import Load, Progress
from gridmgmt.intake.reading import Table, open_table
from gridmgmt.intake.refusals import FileRefusedError, Report
from gridmgmt.security import audit
from gridmgmt.security.sealing import Sealer

Kind = Literal["areas", "grids", "buildings", "units", "people", "leases", "observations"]
KINDS: Final[tuple[Kind, ...]] = ("areas", "grids", "buildings", "units", "people", "leases", "observations")
"""In the order in which a hand-over is imported: each kind names rows of an earlier one."""

LOADERS: Final[Mapping[Kind, Callable[[Load], None]]] = {
    "areas": areas.load_areas,
    "grids": grids.load_grids,
    "buildings": buildings.load_buildings,
    "units": units.load_units,
    "people": people.load_people,
    "leases": leases.load_leases,
    "observations": observations.load_observations,
}


class _Rehearsed(Exception):  # noqa: N818 -- not an error: the way out of a transaction that is to leave nothing
    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def quiet(_phase: str, _done: int, _total: int) -> None:
    """Tell nobody how far it is."""


def import_file(
    database: Database,
    actor: Actor,
    sealer: Sealer,
    kind: Kind,
    path: Path,
    *,
    demo: bool = False,
    dry_run: bool = False,
    datum: Datum | None = None,
    layer: str | None = None,
    progress: Progress = quiet,
) -> Report:
    """Write the good rows of a file and tell why the others were refused. The same file again changes nothing.

    The actor is of class loader. `datum` is what the coordinates of buildings refer to where the file does not say; `layer` names one
    of several in a GeoPackage. `demo` takes identity numbers of the never-assigned prefix 00. `dry_run` does everything and leaves nothing.

    Raises FileRefusedError for a file that is refused as a whole, before anything is written, and DistrictError when somebody else
    changed the same rows at the same moment; nothing is written then either.
    """
    if actor.scope != "loader":
        raise ForbiddenError("files are imported at the command line")
    table = open_table(path, layer)
    columns = columns_of(kind, demo=demo, shapes=table.has_shapes)
    try:
        matched = match_columns(table.header, columns)
    except FileRefusedError as error:
        if not dry_run:
            _record_refusal(database, actor, kind, table, error)
        raise
    try:
        with database.transaction(actor) as session:
            load = Load(session, table, matched, columns, sealer, demo, datum, progress, warnings=[*table.warnings, *matched.warnings])
            LOADERS[kind](load)
            session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            report = _report(kind, load, dry_run=dry_run)
            _record(session, table, report)
    except _Rehearsed as over:
        return over.report
    except (ConflictError, InvalidError) as error:  # a rule that the checks above found kept
        error.detail += "; nothing of the file was written. Where another import ran at the same time, import it again"
        raise
    return report


def columns_of(kind: Kind, *, demo: bool = False, shapes: bool = False) -> tuple[Column, ...]:
    """The columns that a file of a kind may have; `shapes`: its features have places of their own."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    match kind:
        case "areas":
            return areas.columns()
        case "grids":
            return grids.columns()
        case "buildings":
            return buildings.columns(shapes=shapes)
        case "units":
            return units.columns()
        case "people":
            return people.columns(today=today, demo=demo)
        case "leases":
            return leases.columns(today=today, demo=demo)
        case "observations":
            return observations.columns()


def _report(kind: Kind, load: Load, *, dry_run: bool) -> Report:
    if load.silenced:
        load.warnings.append(f"and {load.silenced:,} more warnings")
    refused = tuple(sorted(load.refused))
    if kind != "grids" and load.accepted + load.unchanged + len(refused) != load.rows:
        raise AssertionError(f"{load.rows} {kind} came to {load.accepted} accepted, {load.unchanged} unchanged, {len(refused)} refused")
    return Report(
        kind, load.rows, load.accepted, load.unchanged, refused, tuple(load.warnings), load.counts, dry_run=dry_run, demo=load.demo
    )


def _record(session: Session, table: Table, report: Report) -> None:
    """Write the import into the trail; a rehearsal ends here."""
    if report.dry_run:
        raise _Rehearsed(report)
    figures = {"accepted": report.accepted, "unchanged": report.unchanged, "refused": len(report.refused)}
    audit.record(session, "import", report.kind, rows=report.rows, detail={"sha256": table.sha256, **figures})


def _record_refusal(database: Database, actor: Actor, kind: Kind, table: Table, error: FileRefusedError) -> None:
    with database.transaction(actor) as session:
        audit.record(session, "import", kind, outcome="refused", detail={"sha256": table.sha256, "reason": error.slug})
