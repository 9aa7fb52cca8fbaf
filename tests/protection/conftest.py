"""One seeded district for each worker of the run, in which nothing is ever committed, and clones of it for tests that commit."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from gridmgmt.database import Database
from gridmgmt.operations.cluster import Cluster
from gridmgmt.security.context import signer
from gridmgmt.settings import Address
from tests.conftest import clone, locked, superuser_of
from tests.protection.busy import PERSONAL, ROWS, Busy
from tests.protection.doors import ATTACKERS, Register, Root, run, visiting
from tests.protection.seed import KEY, KID, Account, seed

DISTRICT = "district_template"


@pytest.fixture(scope="session")
def district(run_folder: Path, cluster: Cluster, template: str) -> str:
    """Name of the seeded database that is cloned; nobody may connect to it."""
    with locked(run_folder / "district"), superuser_of(cluster, "postgres") as postgres:
        if postgres.execute("SELECT FROM pg_database WHERE datname = %s AND datistemplate", [DISTRICT]).fetchone() is None:
            with psycopg.connect(clone(cluster, template, DISTRICT).conninfo("postgres")) as connection:
                seed(connection)
            postgres.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false IS_TEMPLATE true").format(sql.Identifier(DISTRICT)))
    return DISTRICT


@pytest.fixture(scope="session")
def register(cluster: Cluster, district: str, worker: str) -> Register:
    """The seeded district. Nothing is ever committed in it."""
    return known(clone(cluster, district, f"district_{worker}"))


@pytest.fixture(scope="module")
def own_register(cluster: Cluster, district: str, worker: str, numbers: Iterator[int]) -> Iterator[Register]:
    """A seeded district of the module's own, whose tests commit and keep out of each other's rows."""
    address = clone(cluster, district, f"district_{worker}_{next(numbers)}")
    yield known(address)
    with superuser_of(cluster, "postgres") as postgres:
        postgres.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(address.name)))


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


def known(address: Address) -> Register:
    """The ids in a clone of the seeded district."""
    with psycopg.connect(address.conninfo("postgres")) as connection:
        return Register(
            address,
            {int(name.split()[1]): grid for grid, name in run(connection, "SELECT id, name FROM reg.grid")},
            {int(code[-1]): area for area, code in run(connection, "SELECT id, code FROM reg.area WHERE level = 'subdistrict'")},
            dict(run(connection, "SELECT username, id FROM reg.account")),
        )


@pytest.fixture(scope="session")
def busy(cluster: Cluster, template: str, worker: str) -> Iterator[Busy]:
    address = clone(cluster, template, f"busy_{worker}")
    with psycopg.connect(address.conninfo("postgres"), autocommit=True) as root:
        root.execute("SELECT sec.key_put(%s, %s, 'infinity')", [KID, KEY])
        root.execute(ROWS.encode())
        accounts = dict(root.execute("SELECT username, id FROM reg.account").fetchall())
        row = root.execute(
            "SELECT b.id, b.house_code, u.id, u.code, p.id, p.name, l.id, l.number, r.id"
            " FROM reg.building b JOIN reg.unit u ON u.building_id = b.id"
            " JOIN reg.lease l ON l.unit_id = u.id JOIN reg.residence r ON r.unit_id = u.id JOIN reg.person p ON p.id = r.person_id"
            " WHERE b.grid_id = 41 LIMIT 1"
        ).fetchone()
        middle = {
            noun: root.execute(f"SELECT id FROM reg.{noun} ORDER BY id OFFSET 10000 LIMIT 1".encode()).fetchall()[0][0]
            for noun in PERSONAL - {"discrepancy"}
        }
    names = ("building", "house_code", "unit", "unit_code", "person", "name", "lease", "number", "residence")
    database = Database(address, signer(KID, KEY), pool_size=2)
    yield Busy(database, accounts, dict(zip(names, row or (), strict=True)), middle)
    database.close()
