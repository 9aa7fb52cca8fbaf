"""Statements that are compiled once and sent in one round trip: the hot reads, where PostgreSQL builds the bytes.

psycopg's cursors cost more than PostgreSQL itself needs for one row by its key. So its connection is taken here at its lowest level,
libpq's pipeline: everything is sent, then everything is read. What travels between two synchronisation points is one transaction of
its own accord, so there is no BEGIN and no COMMIT to send.
"""

import asyncio
import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.errors import error_from_result
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

Record = tuple[bytes | None, ...]
"""One row as PostgreSQL wrote it, each value as text unless it was wanted binary; None for NULL."""

DIALECT: Final = PGDialect_psycopg(paramstyle="numeric_dollar")
MOST_KEPT: Final = 200
"""Statements that a connection keeps prepared; further ones are planned each time."""

_TAKEN: Final = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with its values, ready to be sent. With a name, each connection keeps it prepared."""

    text: bytes
    values: tuple[bytes | None, ...] = ()
    name: bytes = b""
    binary: bool = False
    """Whether the rows are wanted as PostgreSQL's own bytes: for large `bytea`, of which the text is twice as long."""


@dataclass(frozen=True)
class Template:
    """A compiled statement that wants its named values for each use."""

    text: bytes
    names: tuple[str, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The values that stood in the statement when it was compiled."""
    name: bytes = b""
    binary: bool = False

    @classmethod
    def of(cls, statement: Select[*tuple[Any, ...]], *, kept: bool = False, binary: bool = False) -> "Template":
        """Compile a statement; its `bindparam`s are the names that `bind` takes.

        `kept`: each connection prepares it once. For statements of which there are few, and whose best plan hangs on no value.
        """
        compiled = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        names, text = tuple(compiled.positiontup or ()), compiled.string.encode()
        name = b"r" + hashlib.blake2b(text, digest_size=12).hexdigest().encode() if kept else b""
        return cls(text, names, {name: compiled.params[name] for name in names}, name, binary)

    def bind(self, **values: Any) -> Query:
        """The query with these values; those for names that the statement does not hold are passed over."""
        bound = tuple([written(values[n] if n in values else self.fixed[n]) for n in self.names])
        return Query(self.text, bound, self.name, self.binary)


def written(value: object) -> bytes | None:
    """A value as PostgreSQL reads it from text. Raises TypeError for a type that no statement here needs."""
    match value:
        case None:
            return None
        case bool():
            return b"true" if value else b"false"
        case str():
            return value.encode()
        case int() | uuid.UUID():
            return str(value).encode()
        case float():
            return repr(value).encode()
        case dt.date():  # a datetime too
            return value.isoformat().encode()
        case _:
            raise TypeError(f"no way to write {type(value).__name__} for PostgreSQL")


class ReadConnection(AsyncConnection[Any]):
    """A connection that knows which statements it has prepared."""

    def __init__(self, pgconn: pq.abc.PGconn, *args: Any, **words: Any) -> None:
        super().__init__(pgconn, *args, **words)
        self._at_hand: set[bytes] = set()

    async def run(self, queries: Sequence[Query]) -> list[list[Record]]:
        """The rows of each query, all of one transaction, in one round trip.

        Raises psycopg's error for the first query that PostgreSQL refused. When the task is cancelled, so is the query in PostgreSQL;
        then, and when the line fails, the connection is closed, and a pool replaces it.
        """
        line = self.pgconn
        try:
            line.enter_pipeline_mode()
            sent: set[bytes] = set()
            preparing = [self._send(line, query, sent) for query in queries]
            line.pipeline_sync()
            results = await _exchange(line)
            line.exit_pipeline_mode()
        except BaseException:
            with suppress(psycopg.Error, OSError):
                await self.cancel_safe(timeout=2.0)
            await self.close()
            raise
        return self._take(queries, preparing, results)

    def _send(self, line: pq.abc.PGconn, query: Query, sent: set[bytes]) -> bool:
        """Send one query; whether it is being prepared, which makes one result more. A statement may be sent twice in one run."""
        if not query.name or (query.name not in self._at_hand and len(self._at_hand) >= MOST_KEPT):
            line.send_query_params(query.text, query.values, result_format=query.binary)
            return False
        preparing = query.name not in self._at_hand and query.name not in sent
        if preparing:
            line.send_prepare(query.name, query.text)
            sent.add(query.name)
        line.send_query_prepared(query.name, query.values, result_format=query.binary)
        return preparing

    def _take(self, queries: Sequence[Query], preparing: Sequence[bool], results: Sequence[pq.abc.PGresult]) -> list[list[Record]]:
        taken: list[list[Record]] = []
        given = iter(results)
        for query, prepared in zip(queries, preparing, strict=True):
            if prepared and _checked(next(given)):
                self._at_hand.add(query.name)
            result = next(given)
            _checked(result)
            columns = range(result.nfields)
            taken.append([tuple([result.get_value(row, column) for column in columns]) for row in range(result.ntuples)])
        return taken


async def _exchange(line: pq.abc.PGconn) -> list[pq.abc.PGresult]:
    """Send what waits to be sent and read until the synchronisation point."""
    loop, socket = asyncio.get_running_loop(), line.socket
    results: list[pq.abc.PGresult] = []
    while line.flush():
        await _ready(loop.add_writer, loop.remove_writer, socket)
        line.consume_input()
    while True:
        while line.is_busy():
            await _ready(loop.add_reader, loop.remove_reader, socket)
            line.consume_input()
        result = line.get_result()
        if result is None:
            continue
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)


async def _ready(watch: Any, leave: Any, socket: int) -> None:
    event = asyncio.get_running_loop().create_future()
    watch(socket, lambda: event.done() or event.set_result(None))
    try:
        await event
    finally:
        leave(socket)


def _checked(result: pq.abc.PGresult) -> bool:
    """True; raises the error that a result is."""
    if result.status not in _TAKEN:
        raise error_from_result(result, "utf-8")
    return True
