"""What a running server needs of its database, asked by a role that may see nothing."""

from functools import cache

from psycopg import ProgrammingError

from gridmgmt.database import AUTH, Database
from gridmgmt.errors import InvalidError
from gridmgmt.operations import migrate

CHECKS = b"""
  SELECT (SELECT version_num FROM reg.alembic_version) AS revision, pg_is_in_recovery() AS standby,
    (SELECT proleakproof FROM pg_proc WHERE oid = 'public.geometry_overlaps(public.geometry, public.geometry)'::regprocedure) AS leakproof
"""


async def check_database(database: Database) -> dict[str, bool]:
    """Each check by name, true when it holds. Raises BusyError when the database does not answer."""
    try:
        async with database.reading(AUTH) as connection:
            found = await (await connection.execute(CHECKS)).fetchone()
        assert found is not None
        revision, standby, leakproof = found
    except (ProgrammingError, InvalidError):  # nothing was ever migrated here
        return {"database": True, "migrations": False}
    return {
        "database": True,
        "migrations": revision == _head(),
        "leakproof": bool(leakproof),
        "writable": not standby,
    }


@cache
def _head() -> str:
    return migrate.head()
