"""Who acts at the command line: two local accounts with the rights of the district and of the administration, and the name of the
operating system's user beside every change and in every row of the trail.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import psycopg
from sqlalchemy import text

from gridmgmt.database import AUTH, Actor, Class, Database
from gridmgmt.operations import cluster
from gridmgmt.operations.home import me
from gridmgmt.security.context import signer
from gridmgmt.security.keys import Keys, load_keys
from gridmgmt.settings import Address, Settings

OPERATOR = "local-operator"
ADMIN = "local-admin"
DEMO = "演示数据"
"""What everything made of the demo district says."""
MIGRATED = "SELECT FROM pg_class WHERE relname = 'alembic_version' AND relnamespace = to_regnamespace('reg')"


class OperatorError(Exception):
    """What was asked for cannot be done; the message is one line that says why and what mends it."""


@dataclass(frozen=True)
class Register:
    """An open register and the two who act in it from here."""

    settings: Settings
    database: Database
    keys: Keys

    @cached_property
    def operator(self) -> Actor:
        """The district's rights, through the log-in that works through whole files. Raises OperatorError when disabled."""
        return _local(self.database, OPERATOR, "loader")

    @cached_property
    def admin(self) -> Actor:
        """Accounts and rules, no personal data. Raises OperatorError when disabled."""
        return _local(self.database, ADMIN, "admin")

    @property
    def person(self) -> str:
        """Name of the operating system's user who acts, for the trail."""
        return me()


@contextmanager
def open_register(settings: Settings) -> Generator[Register]:
    """The register, ready for work, closed at the end of the block.

    Raises OperatorError or ClusterError when the database is down or was not migrated, KeysError when its keys cannot be used.
    """
    place = reach(settings)
    keys = load_keys(settings)
    database = Database(place, signer(keys.context_kid, keys.context), pool_size=settings.database.pool_size)
    try:
        yield Register(settings, database, keys)
    finally:
        database.close()


def reach(settings: Settings) -> Address:
    """Where the register is, when its database answers and was migrated. Raises OperatorError or ClusterError."""
    place = cluster.address(settings)
    check_up(settings, place)
    with connected(place, "api_auth") as connection:
        if connection.execute(MIGRATED).fetchone() is None:
            raise OperatorError("The database is empty: run gridmgmt migrate")
    return place


def revision_seen(connection: psycopg.Connection) -> str | None:
    """The revision that the database is at, as a role with the right to read it sees it, or None when nothing was migrated."""
    if connection.execute(MIGRATED).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM reg.alembic_version").fetchone()
    return None if row is None else str(row[0])


def check_up(settings: Settings, place: Address) -> None:
    """Raise OperatorError unless the database takes connections; says how to start it."""
    if settings.database.database_url is not None:
        return  # connecting tells it in the server's own words
    if (state := cluster.status(settings.places.home).state) != "up":
        raise OperatorError(f"The database {place.name} is {state}: run gridmgmt db up")


@contextmanager
def connected(place: Address, role: str) -> Generator[psycopg.Connection]:
    """A connection of a log-in role that commits each statement. Raises OperatorError when the server does not take it."""
    try:
        connection = psycopg.connect(place.conninfo(role), autocommit=True, connect_timeout=10, application_name="gridmgmt operator")
    except psycopg.OperationalError as error:
        raise OperatorError(refusal(place, role, error)) from None
    with connection:
        yield connection


def refusal(place: Address, role: str, error: psycopg.OperationalError) -> str:
    """Why a server did not take a role's connection, in one line."""
    if re.search(r'database ".*" does not exist|role ".*" does not exist', str(error)):
        return f"The database {place.name} was not prepared: run gridmgmt migrate, which says how"
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"The database does not take {role}: {words[0] if words else 'no reason given'}"


def _local(database: Database, name: str, scope: Class) -> Actor:
    with database.transaction(AUTH, read_only=True) as session:
        row = session.execute(text("SELECT id, role, epoch FROM sec.account_by_name(:name)"), {"name": name}).one_or_none()
    if row is None:
        raise OperatorError(f"The account {name} is missing or disabled, and command-line work acts as it")
    device = "cli." + re.sub(r"[^A-Za-z0-9._-]", "_", me())[:32]
    return Actor(row.id, name, row.role, scope, row.epoch, device)
