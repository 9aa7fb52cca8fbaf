"""What a test looks at beside the answers: the audit trail, and how many statements a request took."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import event

from gridmgmt.database import Class, Database
from gridmgmt.settings import Address


def trail(address: Address, *actions: str) -> list[tuple[Any, ...]]:
    """Action, object type, object id, outcome and number of rows of these actions, in the order in which they were written."""
    with psycopg.connect(address.conninfo("postgres")) as superuser:
        rows = superuser.execute(
            "SELECT action, object_type, object_id, outcome, n_rows FROM reg.audit WHERE action = ANY (%s) ORDER BY id", [list(actions)]
        )
        return rows.fetchall()


def as_superuser(address: Address, statement: bytes, *values: object) -> None:
    """Run one statement and commit."""
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute(statement, values)


@contextmanager
def statements(database: Database, scope: Class) -> Generator[list[str]]:
    """The statements that sessions of a class send meanwhile."""
    sent: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    engine = database.engine(scope)
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
