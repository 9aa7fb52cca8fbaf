"""Bring a backup back: into a new database beside the present one, which it replaces only when everything in it was counted.

pg_dump carries neither the LEAKPROOF mark nor the privileges of the database itself, so prepare.sql runs again; the context key is new,
so that nothing signed before the restore means anything after it.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from gridmgmt.operations import cluster
from gridmgmt.operations.backup import SCHEMAS, Manifest, count_rows, first_complaint, program, read_manifest
from gridmgmt.operations.home import Say
from gridmgmt.operations.migrate import put_keys, revisions, upgrade
from gridmgmt.operations.operator import ADMIN, MIGRATED, OPERATOR, OperatorError, check_up, connected, open_register
from gridmgmt.security import audit
from gridmgmt.security.keys import ensure_keys, load_keys, renew_context
from gridmgmt.settings import Address, Settings

SUPERUSER: Final = "postgres"
LOCAL: Final = [OPERATOR, ADMIN]


@dataclass(frozen=True)
class Restored:
    """What came back, counted in the database and found equal to the manifest, and the revision it was brought to."""

    manifest: Manifest
    audit_rows: int
    tables: int


def restore(settings: Settings, file: Path, *, replace: bool, superuser: str = SUPERUSER, say: Say = lambda _: None) -> Restored:
    """Put the backup `file` in place of the database. One that holds a district is replaced only when `replace` is true.

    An own server needs the name of a log-in that is a superuser there. Until the last step the present database stays as it is.
    Raises OperatorError, ClusterError or KeysError.
    """
    manifest = read_manifest(file)
    if manifest.revision not in revisions():
        raise OperatorError(f"{file} is at revision {manifest.revision}, which this release does not know: it belongs to a newer one")
    place = cluster.address(settings)
    check_up(settings, place)
    try:
        present = _exists(place, superuser)
    except OperatorError as error:
        if settings.database.database_url is None:
            raise
        raise OperatorError(f"{error}; a restore needs a superuser of the server: --superuser NAME") from None
    if present and _holds_a_district(place, superuser) and not replace:
        raise OperatorError(f"The database {place.name} holds a district already: gridmgmt restore --yes replaces it")
    keys = ensure_keys(settings, database_exists=True)
    here = keys.fingerprints
    if others := [name for name, told in manifest.keys.items() if name not in here or told not in {"", here[name]}]:
        raise OperatorError(
            f"This backup needs other keys than those in {settings.places.key_folder} ({', '.join(others)} missing or not the same): "
            "put them back from the backup of the keys"
        )
    aside = _beside(place, "restoring")
    say("Preparing a new database")
    _make(place, aside, superuser)
    say("Restoring the rows")
    _fill(settings, aside, superuser, file)
    _prepare(settings, aside, superuser)
    say("Counting them")
    tables, audit_rows = _compare(aside, superuser, manifest)
    upgrade(aside, say)
    _end_sessions(aside, superuser)
    _renew_feed(aside, superuser)
    _exchange(place, aside, superuser, present=present)
    renew_context(settings)
    put_keys(place, load_keys(settings))
    with open_register(settings) as register, register.database.transaction(register.operator) as session:
        detail = {"file": file.name, "made_at": manifest.made_at, "person": register.person, "replaced": present}
        audit.record(session, "restore", "register", rows=audit_rows, detail=detail)
    return Restored(manifest, audit_rows, tables)


def _beside(place: Address, word: str) -> Address:
    return Address(place.base.set(database=f"{place.name}_{word}"))


def _maintenance(place: Address) -> Address:
    return Address(place.base.set(database="postgres"))


def _exists(place: Address, superuser: str) -> bool:
    with connected(_maintenance(place), superuser) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = session_user").fetchone()
        if row != (True,):
            raise OperatorError(f"{superuser} is not a superuser, and only one writes tables under row-level security")
        found = connection.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [place.name]).fetchone()
        if found == (False,):  # closed by a restore that was killed while it exchanged the two
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(place.name)))
        return found is not None


def _holds_a_district(place: Address, superuser: str) -> bool:
    """Whether the database holds an area or an account beside the two that are there from the start."""
    with connected(place, superuser) as connection:
        if connection.execute(MIGRATED).fetchone() is None:
            return False
        return (
            connection.execute(
                "SELECT FROM reg.area UNION ALL SELECT FROM reg.account WHERE username <> ALL (%s) LIMIT 1", [LOCAL]
            ).fetchone()
            is not None
        )


def _make(place: Address, aside: Address, superuser: str) -> None:
    """An empty database; what an interrupted restore left in its place goes."""
    with connected(_maintenance(place), superuser) as connection:
        name = sql.Identifier(aside.name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(name))


def _prepare(settings: Settings, aside: Address, superuser: str) -> None:
    words = [program(settings, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", aside.conninfo(superuser), "-f", cluster.PREPARE]
    _run(words, "prepare.sql")


def _fill(settings: Settings, aside: Address, superuser: str, file: Path) -> None:
    """Prepared, then without the three schemas, which the backup brings along."""
    _prepare(settings, aside, superuser)
    with connected(aside, superuser) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.SQL(", ").join(map(sql.Identifier, SCHEMAS))))
    words = [program(settings, "pg_restore"), "--single-transaction", "--exit-on-error", "-d", aside.conninfo(superuser), file]
    _run(words, "pg_restore")


def _run(words: list[str | Path], what: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OperatorError(f"{what} failed: {first_complaint(done.stderr)}")


def _compare(aside: Address, superuser: str, manifest: Manifest) -> tuple[int, int]:
    with connected(aside, superuser) as connection:
        connection.execute("ANALYZE")
        counted = count_rows(connection)
    for table in sorted(manifest.rows.keys() | counted.keys()):
        if manifest.rows.get(table) != counted.get(table):
            raise OperatorError(
                f"{table} has {counted.get(table)} rows, and its backup had {manifest.rows.get(table)}; nothing was replaced"
            )
    return len(counted), counted["reg.audit"]


def _end_sessions(aside: Address, superuser: str) -> None:
    """Tokens issued before the restore are dead: who was disabled since the backup does not go on with one."""
    with connected(aside, superuser) as connection:
        connection.execute("UPDATE reg.account SET epoch = epoch + 1")


def _renew_feed(aside: Address, superuser: str) -> None:
    """Another generation of the handhelds' feed: what they know may be newer than what came back, so each reads its grids anew.

    The numbers of transactions in the rows are those of the cluster that was backed up and may lie far ahead of this one's: pointers
    would wait until it comes there, and acknowledgements be taken for unfinished.
    """
    with connected(aside, superuser) as connection, connection.transaction():
        connection.execute("TRUNCATE sync.change_log")
        connection.execute("UPDATE sync.mutation SET xid = '0' WHERE xid <> '0'")
        connection.execute("UPDATE sync.feed_meta SET generation = gen_random_uuid(), pruned_below = '0', compacted = 0")


def _exchange(place: Address, aside: Address, superuser: str, *, present: bool) -> None:
    """Rename the two in one transaction after ending the sessions in the old one, then drop it."""
    before = _beside(place, "before_restore")
    with connected(_maintenance(place), superuser) as connection:
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(before.name)))
        if present:
            # nobody comes back between the two statements
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(place.name)))
            connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [place.name])
        try:
            with connection.transaction():
                if present:
                    connection.execute(rename.format(sql.Identifier(place.name), sql.Identifier(before.name)))
                connection.execute(rename.format(sql.Identifier(aside.name), sql.Identifier(place.name)))
        except psycopg.Error as error:
            if present:
                connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(place.name)))
            raise OperatorError(f"The databases could not be exchanged: {str(error).splitlines()[0]}") from None
        if present:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(before.name)))
