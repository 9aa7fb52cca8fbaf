"""The statements of a push: few, each kept as one text, sent as they are. SQLAlchemy's compiler would cost more than PostgreSQL."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from gridmgmt.errors import ConflictError, DistrictError, ForbiddenError, InvalidError, NotFoundError, explain


class Unfit(Exception):  # noqa: N818 -- not an error: the set is done again, in smaller ones
    """A set of mutations that cannot be written as a whole; `told` is why, `seq` whose fault it is where that is known."""

    def __init__(self, told: DistrictError, seq: int | None = None) -> None:
        super().__init__(told.detail)
        self.told = told
        self.seq = seq


class Line:
    """A session's connection."""

    def __init__(self, session: Session) -> None:
        """The session is in a transaction of the device's."""
        self.session = session
        self._connection = session.connection()

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """All rows of a statement with `%(name)s` in it."""
        return self._connection.exec_driver_sql(statement, dict(values or {})).fetchall()

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """A statement without rows."""
        self._connection.exec_driver_sql(statement, dict(values or {}))

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """What is written in the block is undone when it is left by an exception. Of the connection: a session would begin it late."""
        with self._connection.begin_nested():
            yield


@contextmanager
def refused_as_unfit() -> Generator[None]:
    """Raises Unfit for what PostgreSQL refuses because of the values; everything else travels on."""
    try:
        yield
    except DBAPIError as error:
        told = explain(error)
        if (
            told is None
            or not isinstance(told, (InvalidError, ConflictError, ForbiddenError, NotFoundError))
            or told.slug == "write-conflict"
        ):
            raise
        raise Unfit(told) from error
