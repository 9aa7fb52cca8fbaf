"""Writing of columns into the register by COPY, as the loader does with files.

PostgreSQL refuses COPY into a table under row-level security, so rows are copied into a temporary one and taken over from there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from psycopg import Connection, sql
from sqlalchemy.orm import Session

from gridmgmt.demo.texts import Ints

BATCH: Final = 20_000
Columns = Mapping[str, Sequence[str]]
Rows = Callable[[Ints], Columns]
"""Makes the columns of the rows at these places."""
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


def write(session: Session, noun: str, count: int, rows: Rows, *, actor: int | None, wrote: Wrote) -> None:
    """Insert `count` rows into `reg.<noun>`; `rows` gives the columns of some of them as text, a batch at a time.

    `actor` goes into recorded_by, which the loader may name for the large tables; None leaves it to the column's default.
    """
    connection = raw(session)
    batches = [np.arange(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
    for number, batch in enumerate(batches):
        columns = rows(batch)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        table, temporary = sql.Identifier("reg", noun), sql.Identifier(f"demo_{noun}")
        if number == 0:
            connection.execute(sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0").format(temporary, names, table))
        _fill(connection, temporary, names, list(columns.values()))
        if actor is None:
            connection.execute(sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(table, names, names, temporary))
        else:
            named = (table, names, names, sql.Literal(actor), temporary)
            connection.execute(sql.SQL("INSERT INTO {} ({}, recorded_by) SELECT {}, {} FROM {}").format(*named))
        connection.execute(sql.SQL("TRUNCATE {}").format(temporary))
        wrote(noun, len(batch))


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
