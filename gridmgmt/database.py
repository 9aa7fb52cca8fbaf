"""Engine, sessions and database roles: one log-in and one pool for each class of user, and the only place that commits.

Every transaction begins with the signed context of its actor. PostgreSQL verifies it, looks whether the account still stands, and from
then on shows the rows of that actor and no others.
"""

import select as polling
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from gridmgmt.errors import BusyError, UnauthenticatedError, explain, explain_cause
from gridmgmt.reads import Query, ReadConnection, Record
from gridmgmt.settings import Address

Class = Literal["public", "auth", "field", "subdistrict", "district", "loader", "admin", "audit"]
CLASSES: tuple[Class, ...] = ("public", "auth", "field", "subdistrict", "district", "loader", "admin", "audit")
NAMELESS: frozenset[Class] = frozenset({"public", "auth"})
CLASS_OF_ROLE: dict[str, Class] = {
    "admin": "admin",
    "district": "district",
    "subdistrict": "subdistrict",
    "community": "field",
    "worker": "field",
    "auditor": "audit",
}


@dataclass(frozen=True)
class Actor:
    """Who asks, as the token or the log-in said. PostgreSQL checks it again in each transaction."""

    account_id: int
    username: str
    role: str
    scope: Class
    epoch: int
    device: str = ""
    """Id of the handheld whose token it was; with `;late` behind it, the grids lost within three days are reached too (sync)."""


PUBLIC = Actor(0, "", "", "public", 0)
"""Nobody in particular: the public layers."""
AUTH = Actor(0, "", "", "auth", 0)
"""The log-in itself, which knows nobody yet."""

Sign = Callable[[Actor, int], str]
"""Makes the context of an actor for the database connection with this backend process id."""

ENTER = "SELECT sec.enter(%s, %s)"
ENTERING = b"SELECT sec.enter($1, $2)"
PATIENCE = 5
"""Seconds in which a connection must be made, or become free."""
BEGIN = (Query(b"BEGIN"), Query(b"SET LOCAL idle_in_transaction_session_timeout = '30s'"))
"""Whoever takes a stream may pause for longer than whoever takes a page."""


class Database:
    """Pools to one database, opened when first used. `sign` holds the context key; nothing else in the process needs it."""

    def __init__(self, address: Address, sign: Sign, *, pool_size: int = 8) -> None:
        """Opens nothing yet. `pool_size` is per class of user and per kind of pool."""
        self.address = address
        self._sign = sign
        self._size = pool_size
        self._engines: dict[Class, Engine] = {}
        self._pools: dict[Class, AsyncConnectionPool[ReadConnection]] = {}

    def engine(self, scope: Class) -> Engine:
        """The engine that logs in as `api_<scope>`."""
        if scope not in self._engines:
            self._engines[scope] = create_engine(
                self.address.url(f"api_{scope}"),
                pool_size=self._size,
                max_overflow=0,
                pool_timeout=PATIENCE,
                hide_parameters=True,
                connect_args={"application_name": f"gridmgmt {scope}", "connect_timeout": PATIENCE},
            )
            event.listen(self._engines[scope], "checkout", _refuse_dead)
        return self._engines[scope]

    @contextmanager
    def transaction(self, actor: Actor, *, read_only: bool = False) -> Generator[Session]:
        """One transaction of the actor: committed at the end, rolled back by any exception.

        Raises UnauthenticatedError when the account is disabled or has changed, and a DistrictError in place of a refusal by
        PostgreSQL, whether it comes in the middle or at the commit (deferred constraints).
        """
        try:
            with self.engine(actor.scope).connect() as connection:
                if read_only:
                    connection.execution_options(postgresql_readonly=True)
                with Session(connection, expire_on_commit=False) as session:
                    self._enter(session, actor)
                    yield session
                    session.commit()
        except DBAPIError as error:
            told = explain(error)
            if told is None:
                raise
            raise told from error
        except PoolTimeoutError as error:
            raise BusyError("all connections to the database are in use") from error

    async def read(self, actor: Actor, *queries: Query) -> list[list[Record]]:
        """The rows of each query, as text, all of one snapshot: the hottest reads, in one round trip with the context.

        Raises UnauthenticatedError when the context was refused, and a DistrictError in place of a refusal by PostgreSQL.
        """
        pool = await self._pool(actor.scope)
        with _explained():
            connection = await pool.getconn()
            try:
                if actor.scope in NAMELESS:
                    return await connection.run(queries)
                entered, *results = await connection.run((self._entering(actor, connection), *queries))
                if entered[0][0] is None:
                    raise _unknown()
                return results
            finally:
                await pool.putconn(connection)

    async def stream(self, actor: Actor, query: Query, *, size: int) -> AsyncGenerator[list[Record]]:
        """The rows of one query, at most `size` at a time and at least one portion, of one snapshot, by a cursor in PostgreSQL.

        Close it (`aclosing`): it holds a connection. The context is good for seconds only and is renewed with each portion. Raises as
        `read` does, at any portion; when the task is cancelled, so is the query in PostgreSQL.
        """
        pool = await self._pool(actor.scope)
        opening = (*BEGIN, Query(b"DECLARE portions NO SCROLL CURSOR FOR " + query.text, query.values))
        fetching = Query(b"FETCH %d FROM portions" % size)
        with _explained():
            connection = await pool.getconn()
            try:
                begun = False
                while True:
                    entering = () if actor.scope in NAMELESS else (self._entering(actor, connection),)
                    before = entering if begun else (BEGIN[0], *entering, *opening[1:])
                    *done, portion = await connection.run((*before, fetching))
                    if entering and done[0 if begun else 1][0][0] is None:
                        raise _unknown()
                    begun = True
                    yield portion
                    if len(portion) < size:
                        return
            finally:
                if not connection.closed:
                    await connection.rollback()
                await pool.putconn(connection)

    def _entering(self, actor: Actor, connection: ReadConnection) -> Query:
        signed = self._sign(actor, connection.pgconn.backend_pid)
        return Query(ENTERING, (signed.encode(), b"%d" % actor.epoch), b"enter")

    async def _pool(self, scope: Class) -> AsyncConnectionPool[ReadConnection]:
        if scope not in self._pools:

            async def look(connection: AsyncConnection) -> None:
                if _has_word(connection):
                    try:
                        await AsyncConnectionPool.check_connection(connection)
                    except psycopg.OperationalError:
                        await pool.drain()  # a server that went down hung up on all of them
                        raise

            pool = AsyncConnectionPool(
                self.address.conninfo(f"api_{scope}"),
                connection_class=ReadConnection,
                min_size=0,
                max_size=self._size,
                timeout=PATIENCE,
                reconnect_timeout=PATIENCE,  # by default the pauses between attempts grow to minutes, and readers wait for them
                open=False,
                configure=_read_only,
                check=look,
                kwargs={"application_name": f"gridmgmt {scope} reader", "connect_timeout": PATIENCE},
            )
            self._pools[scope] = pool
            await pool.open()
        return self._pools[scope]

    def _enter(self, session: Session, actor: Actor) -> None:
        """By the session, not by its connection: a session that finds a transaction begun leaves the commit to whoever began it."""
        if actor.scope in NAMELESS:
            return
        raw: Any = session.connection().connection.driver_connection
        who = session.execute(
            text("SELECT sec.enter(:context, :epoch)"), {"context": self._sign(actor, raw.info.backend_pid), "epoch": actor.epoch}
        ).scalar_one()
        if who is None:
            raise _unknown()

    def usage(self) -> dict[tuple[Class, str], int]:
        """Connections in use, by class of user and kind of pool."""
        used: dict[tuple[Class, str], int] = {}
        for scope, engine in self._engines.items():
            if isinstance(engine.pool, QueuePool):
                used[scope, "sessions"] = engine.pool.checkedout()
        for scope, pool in self._pools.items():
            counted = pool.get_stats()
            used[scope, "readers"] = counted.get("pool_size", 0) - counted.get("pool_available", 0)
        return used

    def close(self) -> None:
        """Close the synchronous pools."""
        for engine in self._engines.values():
            engine.dispose()

    async def aclose(self) -> None:
        """Close all pools. Those of readers belong to the running loop: in another one they are opened anew."""
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.close()
        self.close()


@contextmanager
def _explained() -> Generator[None]:
    """A DistrictError in place of what the pool or PostgreSQL refuses."""
    try:
        yield
    except PoolTimeout as error:
        raise BusyError("all connections to the database are in use") from error
    except psycopg.Error as error:
        told = explain_cause(error)
        if told is None:
            raise
        raise told from error


async def _read_only(connection: AsyncConnection) -> None:
    """Whatever is read in one transaction is of one snapshot, and by one process.

    Workers that PostgreSQL starts for a part of a plan which then is not needed cost a page of few features tens of milliseconds, and
    under load there is no processor to spare for them. The same holds for compiling.
    """
    await connection.set_autocommit(True)
    await connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    await connection.execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
    await connection.set_autocommit(False)


def _refuse_dead(connection: psycopg.Connection, _record: object, _proxy: object) -> None:
    """Before a pool lends a connection: a server that went down hung up on all of them, and the pool makes new ones."""
    if _has_word(connection):
        raise InvalidatePoolError


def _has_word(connection: psycopg.Connection | AsyncConnection) -> bool:
    """Nobody speaks on an idle connection but to say goodbye, so a look at the socket does in place of a round trip."""
    poll = polling.poll()
    poll.register(connection.fileno(), polling.POLLIN)
    return bool(poll.poll(0))


def _unknown() -> UnauthenticatedError:
    return UnauthenticatedError("the account is disabled or has changed: log in again")
