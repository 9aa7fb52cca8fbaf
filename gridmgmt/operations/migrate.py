"""Bring the database to the form that this release needs: prepared, migrated, its keys made and known to it."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from gridmgmt.database import CLASSES
from gridmgmt.operations import cluster
from gridmgmt.operations.home import Say
from gridmgmt.operations.operator import OperatorError, check_up, connected, revision_seen
from gridmgmt.security.keys import Keys, ensure_keys
from gridmgmt.settings import Address, Settings

LOCK = 0x67726964
"""The migrators' advisory lock; migrations/env.py takes it."""
MONTHS = 12
"""Partitions of the audit trail made ahead."""
OWNERS = ("reg_owner", "sec_definer")

UNPREPARED = """
SELECT concat_ws(', ',
  (SELECT 'the roles ' || string_agg(r, ', ') FROM unnest(%s::text[]) r WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r)),
  (SELECT 'the extensions ' || string_agg(e, ', ') FROM unnest(ARRAY['postgis', 'btree_gist']) e
    WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = e)),
  (SELECT 'the schemas ' || string_agg(s, ', ') FROM unnest(ARRAY['reg', 'sec', 'sync']) s
    WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = s)),
  CASE WHEN NOT EXISTS (SELECT FROM pg_proc WHERE proname = 'geometry_overlaps' AND proleakproof) THEN 'the LEAKPROOF mark' END)
"""
ROLES = (*OWNERS, "reg_deploy", "reg_dump_reader", *(f"{kind}_{name}" for kind in ("app", "api") for name in CLASSES))


@dataclass(frozen=True)
class Migrated:
    """What `migrate` did: the revision before (None in an empty database) and after, and the audit partitions made."""

    before: str | None
    after: str
    partitions: int


def migrate(settings: Settings, say: Say = lambda _: None) -> Migrated:
    """Prepare the embedded database or look whether an own one was prepared, run the migrations, put the context key.

    Idempotent; waits for another migrator. Raises OperatorError, ClusterError or KeysError.
    """
    place = cluster.address(settings)
    check_up(settings, place)
    if settings.database.database_url is None:
        cluster.prepare(cluster.locate(settings.places.home))
    else:
        check_prepared(place)
    before = revision(place)
    keys = ensure_keys(settings, database_exists=before is not None)
    upgrade(place, say)
    return Migrated(before, head(), put_keys(place, keys))


def upgrade(place: Address, say: Say = lambda _: None) -> None:
    """Run the migrations up to the newest as `reg_deploy`."""
    if (present := revision(place)) is not None and present not in revisions():
        raise OperatorError(f"The database is at revision {present}, which this release does not know: it belongs to a newer one")
    with connected(place, "reg_deploy") as connection:
        if connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (False,):
            say("Waiting for another migration of this database")
    engine = create_engine(place.url("reg_deploy"), poolclass=NullPool)
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", _scripts().replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def put_keys(place: Address, keys: Keys) -> int:
    """Make the context key the only one that the database knows, and the partitions of the trail; how many were made."""
    with connected(place, "reg_deploy") as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE sec_definer")
        connection.execute("SELECT sec.key_put(%s, %s, 'infinity')", [keys.context_kid, keys.context])
        connection.execute("DELETE FROM sec.ctx_key WHERE kid <> %s", [keys.context_kid])
    return make_partitions(place)


def make_partitions(place: Address) -> int:
    """Make the partitions of the trail a year ahead; how many were made. Gives way to who writes the trail for more than two seconds."""
    with connected(place, "reg_deploy") as connection, connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '2s'")
        connection.execute("SET LOCAL ROLE reg_owner")
        row = connection.execute("SELECT reg.audit_months(%s)", [MONTHS]).fetchone()
        return 0 if row is None else row[0]


def revision(place: Address) -> str | None:
    """The revision that a prepared database is at, or None when it is empty."""
    with connected(place, "reg_deploy") as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE reg_owner")
        return revision_seen(connection)


def head() -> str:
    """The newest revision of this release."""
    return str(_directory().get_current_head())


def revisions() -> set[str]:
    """All revisions of this release."""
    return {script.revision for script in _directory().walk_revisions()}


def check_prepared(place: Address) -> None:
    """Raise OperatorError with the line to type when prepare.sql was not run in an own database, or before the last upgrade."""
    line = f"psql -v ON_ERROR_STOP=1 -d {place.name} -f '{cluster.PREPARE}'"
    try:
        with psycopg.connect(place.conninfo("reg_deploy"), autocommit=True, connect_timeout=10) as connection:
            row = connection.execute(UNPREPARED, [list(ROLES)]).fetchone()
    except psycopg.OperationalError as error:
        said = str(error).strip().splitlines()[0]
        raise OperatorError(
            f"reg_deploy cannot log in ({said}). Before the first migration an administrator types: {line} "
            "and lets the log-in roles in, by passwords or a map (docs/operate.md, A server of your own)"
        ) from None
    if row is not None and row[0]:
        raise OperatorError(f"The database {place.name} lacks {row[0]}. An administrator of the server types: {line}")


def _directory() -> ScriptDirectory:
    return ScriptDirectory(_scripts())


def _scripts() -> str:
    """Folder of the migrations, wherever the project is installed."""
    found = importlib.util.find_spec("migrations")
    if found is None or found.origin is None:
        raise OperatorError("The migrations are not installed: install gridmgmt whole")
    return str(Path(found.origin).parent)
