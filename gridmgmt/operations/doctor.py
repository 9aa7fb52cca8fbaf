"""Looks whether an installation is whole: each check says what it found and, where that is not well, how to mend it.

Changes nothing that is there; the store of files gets an object, which is deleted again.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
from psycopg import Connection, sql

from gridmgmt.database import CLASSES, Actor
from gridmgmt.errors import BusyError
from gridmgmt.operations import catalogue, cluster
from gridmgmt.operations.backup import SEALED_UNDER
from gridmgmt.operations.jobs import JOBS
from gridmgmt.operations.migrate import ROLES, head
from gridmgmt.operations.operator import OperatorError, check_up, connected, revision_seen
from gridmgmt.operations.schedules import is_late
from gridmgmt.operations.server import OLDEST_POSTGIS, OLDEST_POSTGRESQL, ClusterError
from gridmgmt.security.context import signer
from gridmgmt.security.keys import Keys, KeysError, load_keys
from gridmgmt.settings import Address, Settings
from gridmgmt.sync.figures import LONGEST_LAG
from gridmgmt.sync.kinds import KINDS
from gridmgmt.sync.stored import Stored

LOOKER: Final = "reg_deploy"
CROWDED: Final = 10_000
"""Rows of a grid, of every kind that handhelds hold, from which its first synchronisation takes long in the field: it is named."""
OVERCROWDED: Final = 50_000
"""From which it takes too long."""
LEAST_FREE: Final = 1024  # MiB
MOST_APART: Final = 5.0  # seconds; a signed context lives 30
LOG_INS: Final = ("reg_dump_reader", *(f"api_{name}" for name in CLASSES))
EXTENSIONS: Final = ("postgis", "btree_gist")
LEAKPROOF: Final = "the box operator is marked leakproof"


@dataclass(frozen=True)
class Check:
    """One line of the report. `mend` is empty when all is well."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def examine(settings: Settings, *, now: Callable[[], float] = time.time) -> list[Check]:
    """All checks, in the order in which one would mend. Those that need the database are missing when it does not answer."""
    done = [_disk(settings), _key_files(settings), _files(settings)]
    try:
        place = cluster.address(settings)
        check_up(settings, place)
        with connected(place, LOOKER) as connection:
            done.append(Check("database", ok=True, found=f"{place.name} answers"))
            done += [check(connection) for check in (_postgresql, _extensions, _postgis, _roles)]
            if all(check.ok for check in done if check.name == "roles"):
                done.append(_log_ins(place))
                connection.execute("SET ROLE reg_owner")
                done += [check(connection) for check in (_migrations, _leakproof, _hardening, _catalogue, _trail, _feed)]
                done.append(_sealed(connection, settings))
                done.append(_clock(connection, now))
                if all(check.ok for check in done if check.name == "migrations"):
                    done.append(_jobs(connection, datetime.fromtimestamp(now(), UTC)))
                    done.append(_crowded(connection))
                if all(check.ok for check in done if check.name == "log-ins"):
                    done.append(_context(settings, place))
    except (OperatorError, ClusterError, psycopg.Error) as error:
        found, _, mend = str(error).splitlines()[0].partition(": run ")
        done.append(Check("database", ok=False, found=found, mend=mend or _start(settings)))
    return done


def _start(settings: Settings) -> str:
    return "gridmgmt db up" if settings.database.database_url is None else "start the server, or set GRIDMGMT_DATABASE_URL and PGPASSFILE"


def _disk(settings: Settings) -> Check:
    """Room where the embedded database's data lie, or the home where there is none."""
    home = settings.places.home.absolute()
    try:
        data = cluster.status(settings.places.home).data if settings.database.database_url is None else None
    except ClusterError:
        data = None
    home = home if data is None else Path(data)
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free // 2**20
    return Check(
        "disk", free >= LEAST_FREE, f"{free} MiB free at {there}", "" if free >= LEAST_FREE else f"make room: at least {LEAST_FREE} MiB"
    )


def _key_files(settings: Settings) -> Check:
    try:
        keys = load_keys(settings)
    except KeysError as error:
        if not any(settings.places.key_folder.glob("*.key")):
            mend = "gridmgmt migrate makes those of a new database; those of an existing one: put them back from their backup"
            return Check("keys", ok=False, found=f"none in {settings.places.key_folder}", mend=mend)
        said, _, mend = str(error).partition(": ")
        return Check("keys", ok=False, found=said, mend=mend or "put the keys back from their backup")
    return Check("keys", ok=True, found=f"in {settings.places.key_folder}, closed to others; sealing version {keys.sealing_version}")


def _files(settings: Settings) -> Check:
    """Whether uploaded files can be written: one is. The folder is made where it is missing, as the server does."""
    place = settings.places.file_store
    try:
        Stored(place).try_out()
    except BusyError as error:
        mend = "let this user write there, or name another place by GRIDMGMT_FILES; for a bucket see that the address and its key are right"
        return Check("files", ok=False, found=f"{place} takes no file: {_first_line(error.__cause__)}", mend=mend)
    return Check("files", ok=True, found=f"{place} takes files")


def _postgresql(connection: Connection) -> Check:
    version = connection.info.server_version
    good = version // 10_000 >= OLDEST_POSTGRESQL
    mend = "" if good else f"move the register to PostgreSQL {OLDEST_POSTGRESQL} or newer: gridmgmt backup, then restore there"
    return Check("postgresql", good, f"version {version // 10_000}.{version % 10_000}", mend)


def _extensions(connection: Connection) -> Check:
    missing = _column(
        connection, "SELECT e FROM unnest(%s::text[]) e WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = e)", list(EXTENSIONS)
    )
    return Check(
        "extensions", not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(EXTENSIONS), _prepare() if missing else ""
    )


def _postgis(connection: Connection) -> Check:
    found = _column(connection, "SELECT extversion FROM pg_extension WHERE extname = 'postgis'")
    version = found[0] if found else "none"
    good = bool(found) and tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_POSTGIS
    wanted = ".".join(map(str, OLDEST_POSTGIS))
    return Check(
        "postgis", good, f"version {version}", "" if good else f"install PostGIS {wanted} or newer, then ALTER EXTENSION postgis UPDATE"
    )


def _roles(connection: Connection) -> Check:
    missing = _column(
        connection, "SELECT r FROM unnest(%s::text[]) r WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r)", list(ROLES)
    )
    return Check("roles", not missing, f"missing: {', '.join(missing)}" if missing else f"all {len(ROLES)}", _prepare() if missing else "")


def _log_ins(place: Address) -> Check:
    """Whether everybody is let in who must be: on an own server each has a password or a line of the administrator's."""
    refused: list[str] = []
    for role in LOG_INS:
        try:
            with connected(place, role):
                pass
        except OperatorError as error:
            refused.append(str(error))
    if not refused:
        return Check("log-ins", ok=True, found=f"all {len(LOG_INS)} are let in")
    own = "give each a password, in the server and in the file that PGPASSFILE names, or a line in pg_hba.conf and pg_ident.conf"
    return Check("log-ins", ok=False, found="; ".join(refused), mend=f"gridmgmt db up; on a server of your own {own}")


def _migrations(connection: Connection) -> Check:
    present, wanted = revision_seen(connection), head()
    return Check("migrations", present == wanted, f"at {present or 'none'} of {wanted}", "" if present == wanted else "gridmgmt migrate")


def _leakproof(connection: Connection) -> Check:
    return _hardened(connection, "leakproof", [LEAKPROOF], "marked; map boxes use their index")


def _hardening(connection: Connection) -> Check:
    others = [rule for rule in catalogue.HARDENING if rule != LEAKPROOF]
    return _hardened(connection, "hardening", others, "what PostgreSQL gives everybody is taken back")


def _hardened(connection: Connection, name: str, rules: Sequence[str], well: str) -> Check:
    broken = catalogue.breaches(connection, {rule: catalogue.HARDENING[rule] for rule in rules})
    return Check(name, not broken, _broken(broken) if broken else well, _prepare() if broken else "")


def _catalogue(connection: Connection) -> Check:
    broken = catalogue.breaches(connection)
    if not broken:
        return Check("protection", ok=True, found=f"{len(catalogue.RULES)} rules of the catalogue hold")
    return Check(
        "protection",
        ok=False,
        found=_broken(broken),
        mend="take the server off the net, find out who changed it, restore or undo the change",
    )


def _trail(connection: Connection) -> Check:
    names = _column(
        connection,
        "SELECT 'audit_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n), 'YYYYMM') FROM generate_series(0, 1) n"
        " WHERE to_regclass('reg.audit_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n), 'YYYYMM')) IS NULL",
    )
    found = f"missing: {', '.join(names)}" if names else "partitions of this month and the next are there"
    return Check("audit", not names, found, "gridmgmt migrate" if names else "")


def _feed(connection: Connection) -> Check:
    """Whether changes reach the handhelds, or wait for somebody who began to write and does not end."""
    if not _column(connection, "SELECT to_regprocedure('sec.feed_lag()') WHERE to_regprocedure('sec.feed_lag()') IS NOT NULL"):
        return Check("feed", ok=False, found="the change feed is not there yet", mend="gridmgmt migrate")
    lag = float(_column(connection, "SELECT sec.feed_lag()")[0])
    if lag <= LONGEST_LAG:
        return Check("feed", ok=True, found=f"changes wait {lag:.0f} s for the handhelds")
    mend = "end who writes without committing: SELECT pid, usename, state, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL"
    return Check("feed", ok=False, found=f"changes wait {lag:.0f} s for a transaction that is still open", mend=mend)


def _crowded(connection: Connection) -> Check:
    """Whether each grid is small enough for a handheld, which begins by taking all that lives in it."""
    living = "SELECT grid_id FROM {} WHERE deleted_at IS NULL"
    rows = " UNION ALL ".join(living.format(kind.table.fullname) for kind in KINDS.values())
    crowded = _column(
        connection,
        "SELECT g.code || ': ' || r.many FROM reg.grid g JOIN"  # noqa: S608 -- names of ours
        f" (SELECT grid_id, count(*) AS many FROM ({rows}) a GROUP BY 1) r ON r.grid_id = g.id"
        f" WHERE r.many > {CROWDED} ORDER BY r.many DESC, 1",
    )
    if not crowded:
        return Check("grids", ok=True, found=f"none has more than {CROWDED} rows")
    found, largest = f"with more than {CROWDED} rows: {_some(crowded)}", int(crowded[0].split()[-1])
    mend = "divide them: handhelds take a grid as a whole" if largest > OVERCROWDED else ""
    return Check("grids", ok=not mend, found=found, mend=mend)


def _sealed(connection: Connection, settings: Settings) -> Check:
    """Whether the keys of everything that is sealed are here."""
    used = sorted(int(version) for version in _column(connection, SEALED_UNDER)) if revision_seen(connection) else []
    try:
        lost = sorted(set(used) - set(load_keys(settings).sealing))
    except KeysError:
        return Check("sealed", ok=False, found="no keys, so nothing can be opened", mend="see keys")
    if not lost:
        return Check("sealed", ok=True, found="the keys of all that is sealed are here")
    names = ", ".join(f"sealing-{version}.key" for version in lost)
    mend = f"put them back into {settings.places.key_folder} from the backup of the keys"
    return Check("sealed", ok=False, found=f"numbers are sealed under keys that are missing: {names}", mend=mend)


def _clock(connection: Connection, now: Callable[[], float]) -> Check:
    before = now()
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None
    apart = abs(row[0] - (before + now()) / 2)
    good = apart <= MOST_APART
    found = f"database and this machine are {apart:.1f} s apart, at {datetime.fromtimestamp(row[0], UTC):%Y-%m-%d %H:%M} UTC"
    return Check("clock", good, found, "" if good else "synchronise both clocks (NTP): contexts signed here would be expired there")


def _jobs(connection: Connection, now: datetime) -> Check:
    """Which jobs missed two whole periods, counted from when the register began to be used where they never succeeded."""
    row = connection.execute("SELECT min(created_at) FROM reg.account").fetchone()
    began = now if row is None or row[0] is None else row[0]
    successes = dict(connection.execute("SELECT job, max(started_at) FROM reg.job_run WHERE outcome = 'ok' GROUP BY 1").fetchall())
    late = [job.name for job in JOBS if is_late(job.schedule, now, successes.get(job.name, began))]
    if not late:
        return Check("jobs", ok=True, found="none has been missed twice")
    mend = "let the system's timer call gridmgmt jobs run --due every hour (docs/operate.md); gridmgmt jobs list says what went wrong"
    return Check("jobs", ok=False, found=f"missed twice or more: {', '.join(late)}", mend=mend)


def _context(settings: Settings, place: Address) -> Check:
    """Whether the database verifies what is signed here."""
    try:
        keys = load_keys(settings)
    except KeysError:
        return Check("context", ok=False, found="no keys, so no context", mend="see keys")
    known = _verified(place, keys)
    found = "the database verifies what is signed here" if known else "the database does not know the context key"
    return Check("context", known, found, "" if known else "gridmgmt migrate, then restart the servers")


def _verified(place: Address, keys: Keys) -> bool:
    nobody = Actor(2**62, "", "", "audit", 0)
    with connected(place, "api_audit") as connection, connection.transaction():
        context = signer(keys.context_kid, keys.context)(nobody, connection.info.backend_pid)
        connection.execute(sql.SQL("SET LOCAL app.ctx = {}").format(sql.Literal(context)))
        return connection.execute("SELECT sec.uid('audit')").fetchone() == (nobody.account_id,)


def _first_line(cause: BaseException | None) -> str:
    return (str(cause).splitlines() or [""])[0][:200]


def _prepare() -> str:
    return (
        f"run as a superuser: psql -v ON_ERROR_STOP=1 -d DATABASE -f '{cluster.PREPARE}' "
        "(gridmgmt migrate does it for the embedded database)"
    )


def _column(connection: Connection, query: str, *values: object) -> list[str]:
    return [str(row[0]) for row in connection.execute(query.encode(), values or None)]


def _broken(broken: Sequence[catalogue.Breach]) -> str:
    rules = dict.fromkeys(one.rule for one in broken)
    return "; ".join(f"not so: {rule} ({_some([one.found for one in broken if one.rule == rule])})" for rule in rules)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
