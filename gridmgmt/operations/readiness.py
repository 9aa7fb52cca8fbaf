"""What a running server needs of its database, asked by a role that may see nothing."""

from functools import cache

from psycopg import ProgrammingError

from gridmgmt.database import AUTH, Database
from gridmgmt.errors import InvalidError
from gridmgmt.operations import migrate
from gridmgmt.reads import Query

CHECKS = Query(b"""
  SELECT (SELECT version_num FROM reg.alembic_version) AS revision, pg_is_in_recovery() AS standby,
    (SELECT proleakproof FROM pg_proc WHERE oid = 'public.geometry_overlaps(public.geometry, public.geometry)'::regprocedure) AS leakproof
""")


async def check_database(database: Database) -> dict[str, bool]:
    """Each check by name, true when it holds. Raises BusyError when the database does not answer."""
    try:
        [[(revision, standby, leakproof)]] = await database.read(AUTH, CHECKS)
    except (ProgrammingError, InvalidError):  # nothing was ever migrated here
        return {"database": True, "migrations": False}
    return {
        "database": True,
        "migrations": revision == _head().encode(),
        "leakproof": leakproof == b"t",
        "writable": standby == b"f",
    }


@cache
def _head() -> str:
    return migrate.head()
