"""One seeded district for each worker of the run; every test undoes what it does there."""

from collections.abc import Iterator

import psycopg
import pytest

from gridmgmt.operations.cluster import Cluster
from tests.conftest import clone
from tests.protection.doors import ATTACKERS, Register, Root, run, visiting
from tests.protection.seed import Account, seed


@pytest.fixture(scope="session")
def register(cluster: Cluster, template: str, worker: str) -> Register:
    """The seeded district. Nothing is ever committed in it."""
    address = clone(cluster, template, f"district_{worker}")
    with psycopg.connect(address.conninfo("postgres")) as connection:
        seed(connection)
        return Register(
            address,
            {int(name.split()[1]): grid for grid, name in run(connection, "SELECT id, name FROM reg.grid")},
            {int(code[-1]): area for area, code in run(connection, "SELECT id, code FROM reg.area WHERE level = 'subdistrict'")},
            dict(run(connection, "SELECT username, id FROM reg.account")),
        )


@pytest.fixture(scope="session")
def root_connection(register: Register) -> Iterator[Root]:
    with psycopg.connect(register.address.conninfo("postgres")) as connection:
        run(connection, "SET search_path = pg_catalog, public, pg_temp")
        connection.commit()
        yield connection


@pytest.fixture
def root(root_connection: Root) -> Iterator[Root]:
    """The superuser's connection to the seeded district, inside a transaction that is undone."""
    with root_connection.transaction(force_rollback=True):
        yield root_connection


@pytest.fixture(params=sorted(ATTACKERS))
def attacker(request: pytest.FixtureRequest, register: Register) -> Iterator[tuple[Root, Account]]:
    """A connection of each class in turn, inside a valid context, and whose it is."""
    account = ATTACKERS[request.param]
    with visiting(register, account) as connection:
        yield connection, account
