"""Writing of columns into the register by COPY, as the loader does with files.

PostgreSQL refuses COPY into a table under row-level security, so rows are copied into a temporary one and taken over from there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from psycopg import Connection, sql
from sqlalchemy.orm import Session

BATCH: Final = 20_000
Columns = Mapping[str, Sequence[str]]
Wrote = Callable[[str, int], None]
"""Is told the noun and the number of rows of each batch."""

PEOPLE: Final = (
    "SELECT sec.people_load(array_agg(id), array_agg(grid), array_agg(identity), array_agg(bi), array_agg(enc), %s::smallint,"
    " array_agg(name), array_agg(sex), array_agg(born), array_agg(mask), array_agg(phone),"
    " array_agg(phone_mask), array_agg(registration)) FROM demo_people"
)
MAKE_PEOPLE: Final = (
    "CREATE TEMP TABLE IF NOT EXISTS demo_people (id uuid, grid int, identity uuid, bi bytea, enc bytea, name text, sex text, born int,"
    " mask text, phone bytea, phone_mask text, registration text) ON COMMIT DROP"
)


def raw(session: Session) -> Connection[Any]:
    """psycopg's own connection behind the session, in the same transaction."""
    connection: Any = session.connection().connection.driver_connection
    return connection


def write(session: Session, noun: str, columns: Columns, *, actor: int | None, wrote: Wrote) -> None:
    """Insert rows, given as columns of text, into `reg.<noun>`.

    `actor` goes into recorded_by, which the loader may name for the large tables; None leaves it to the column's default.
    """
    connection = raw(session)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    table, temporary = sql.Identifier("reg", noun), sql.Identifier(f"demo_{noun}")
    connection.execute(sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0").format(temporary, names, table))
    if actor is None:
        take = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(table, names, names, temporary)
    else:
        take = sql.SQL("INSERT INTO {} ({}, recorded_by) SELECT {}, {} FROM {}").format(table, names, names, sql.Literal(actor), temporary)
    total = len(next(iter(columns.values())))
    for start in range(0, total, BATCH):
        _fill(connection, temporary, names, [column[start : start + BATCH] for column in columns.values()])
        connection.execute(take)
        connection.execute(sql.SQL("TRUNCATE {}").format(temporary))
        wrote(noun, min(BATCH, total - start))
    connection.execute(sql.SQL("DROP TABLE {}").format(temporary))


def write_people(session: Session, columns: Columns, version: int) -> None:
    """Insert one batch of persons with their sealed identities; `version` is that of the sealing key."""
    connection = raw(session)
    connection.execute(MAKE_PEOPLE)
    _fill(connection, sql.Identifier("demo_people"), sql.SQL(", ").join(map(sql.Identifier, columns)), list(columns.values()))
    connection.execute(PEOPLE, [version])
    connection.execute("TRUNCATE demo_people")


def _fill(connection: Connection[Any], table: sql.Identifier, names: sql.Composed, columns: Sequence[Sequence[str]]) -> None:
    text = "\n".join(map("\t".join, zip(*columns, strict=True)))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, names)) as copy:
        copy.write(text)
        copy.write("\n")
