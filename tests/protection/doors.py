"""How a test comes into the register: as the superuser in another's clothes, or by a log-in of its own with a context signed here."""

import hashlib
import hmac
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel, errors

from gridmgmt.settings import Address
from tests.protection.seed import BY_NAME, KEY, KID, Account

CLASSES = ("public", "auth", "field", "subdistrict", "district", "loader", "admin", "audit")

Root = Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Register:
    """The seeded database and the ids that PostgreSQL gave to grids, subdistricts and accounts."""

    address: Address
    grids: dict[int, int]
    subdistricts: dict[int, int]
    accounts: dict[str, int]


def sign(
    account_id: int, scope: str, pid: int, *, kid: str = KID, key: bytes = KEY, expires: float | None = None, version: str = "v1"
) -> str:
    """A context made without the code under test."""
    body = f"{version}|{kid}|{scope}|{account_id}||{pid}|{int(time.time()) + 30 if expires is None else int(expires)}"
    return f"{body}|{hmac.new(key, body.encode(), hashlib.sha256).hexdigest()}"


@contextmanager
def undone(connection: Root) -> Generator[None]:
    """Whatever happens inside is rolled back; nests."""
    with connection.transaction(force_rollback=True):
        yield


@contextmanager
def acting(root: Root, register: Register, account: Account) -> Generator[None]:
    """The superuser's connection as the account's log-in role, inside the account's context; undone."""
    with dressed(root, f"api_{account.scope}"):
        entered = run(root, "SELECT sec.enter(%s, 0)", [sign(register.accounts[account.username], account.scope, root.info.backend_pid)])
        assert (entered[0][0] is not None) == account.valid, account.username
        yield


@contextmanager
def dressed(root: Root, role: str) -> Generator[None]:
    """The superuser's connection with the rights of a role and nothing more; undone."""
    with undone(root):
        run(root, f"SET LOCAL SESSION AUTHORIZATION {role}")
        yield


@contextmanager
def visiting(register: Register, account: Account) -> Generator[Root]:
    """A connection of the account's own, inside its context; undone."""
    with psycopg.connect(register.address.conninfo(f"api_{account.scope}")) as connection, undone(connection):
        run(connection, "SELECT sec.enter(%s, 0)", [sign(register.accounts[account.username], account.scope, connection.info.backend_pid)])
        yield connection


@contextmanager
def entered(register: Register, account: Account, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED) -> Generator[Root]:
    """A connection of the account's own, inside its context, for a test that commits."""
    with psycopg.connect(register.address.conninfo(f"api_{account.scope}")) as connection:
        connection.isolation_level = isolation
        run(connection, "SELECT sec.enter(%s, 0)", [sign(register.accounts[account.username], account.scope, connection.info.backend_pid)])
        yield connection


def run(connection: Root, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Rows of a statement, none where it has none."""
    cursor = connection.execute(statement.encode(), values or None)
    return cursor.fetchall() if cursor.description else []


def tried(connection: Root, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]] | str:
    """Rows, or the SQLSTATE of the refusal; undone either way."""
    try:
        with undone(connection):
            return run(connection, statement, values)
    except errors.Error as error:
        return error.sqlstate or "lost"


ATTACKERS = {
    "field": BY_NAME["w-one", "field"],
    "subdistrict": BY_NAME["s-one", "subdistrict"],
    "district": BY_NAME["d-one", "district"],
    "loader": BY_NAME["d-one", "loader"],
    "admin": BY_NAME["a-one", "admin"],
    "audit": BY_NAME["u-one", "audit"],
}
"""One account of each class that has accounts."""
PERSONS_OF = {"field": 9, "subdistrict": 72, "district": 144, "loader": 144}
"""How many persons they see: grid 1 keeps three buildings of four with three persons each; a subdistrict has six grids of four."""


def persons(connection: Root) -> int:
    """Persons reached, none where the class may not ask."""
    got = tried(connection, "SELECT count(*) FROM reg.person")
    return 0 if isinstance(got, str) else int(got[0][0])
