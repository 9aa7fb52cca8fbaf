"""One throw-away PostgreSQL cluster a run, one template database built by the migrations, one clone of it for each worker.

The process that started the run holds a lock in the run's folder and stops the cluster when all workers are gone; a run that was
killed leaves a folder without a holder, which the next run clears away.
"""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Protocol

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import settings
from psycopg import sql
from sqlalchemy import Connection, NullPool, create_engine

from gridmgmt.operations import cluster as clusters
from gridmgmt.operations.cluster import Cluster
from gridmgmt.settings import Address
from tests.cloning import clone, drop, superuser_of
from tests.drawn import drawn, drawn_clones, drawn_template

__all__ = ["clone", "drawn", "drawn_clones", "drawn_template", "superuser_of"]

ROOT = Path(__file__).parent.parent
TEMPLATE = "register_template"
RUN_PREFIX = "gridmgmt-tests-"
MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory: a clone of a database costs a sixth of what it costs on a disk."""
ROOM = 4 * 2**30
"""Bytes free in memory from which on runs go there; one takes less than a quarter of them."""
settings.register_profile("here", deadline=None)  # a machine's moods are no faults
settings.load_profile("here")
RUN = pytest.StashKey[Path]()
HOLD = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def cluster(run_folder: Path) -> Cluster:
    """The run's cluster, without durability, as superuser `postgres` or any role of the register."""
    with locked(run_folder / "lock"):
        return clusters.up(run_folder / "home", durable=False)


@pytest.fixture(scope="session")
def template(run_folder: Path, cluster: Cluster) -> str:
    """Name of the migrated, empty database that is cloned; nobody may connect to it."""
    with locked(run_folder / "lock"), superuser_of(cluster, "postgres") as postgres:
        ready = postgres.execute("SELECT FROM pg_database WHERE datname = %s AND datistemplate", [TEMPLATE]).fetchone()
        if ready is None:
            clusters.prepare(cluster, TEMPLATE)
            migrate(cluster.address(TEMPLATE))
            postgres.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false IS_TEMPLATE true").format(sql.Identifier(TEMPLATE)))
    return TEMPLATE


@pytest.fixture(scope="session")
def database(cluster: Cluster, template: str, worker: str) -> Address:
    """This worker's clone, for tests that roll back what they do: `.name`, `.url(role)`, `.conninfo(role)`."""
    return clone(cluster, template, f"register_{worker}")


@pytest.fixture
def own_database(cluster: Cluster, template: str, worker: str, numbers: Iterator[int]) -> Iterator[Address]:
    """A clone of the test's own, for tests that commit or work with two clients."""
    address = clone(cluster, template, f"own_{worker}_{next(numbers)}")
    yield address
    with superuser_of(cluster, "postgres") as postgres:
        drop(postgres, address.name)


@pytest.fixture
def superuser(database: Address) -> Iterator[Connection]:
    """SQLAlchemy connection of the superuser to this worker's clone, rolled back afterwards."""
    yield from rolled_back(database)


@pytest.fixture
def postgis_connection(postgis_database: Address) -> Iterator[Connection]:
    """SQLAlchemy connection of the superuser to a database that holds nothing but PostGIS, rolled back afterwards."""
    yield from rolled_back(postgis_database)


@pytest.fixture(scope="session")
def postgis_database(cluster: Cluster, worker: str) -> Address:
    """A database of this worker's that holds nothing but PostGIS."""
    address = cluster.address(f"postgis_{worker}")
    with superuser_of(cluster, "postgres") as postgres:
        postgres.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(address.name)))
    with superuser_of(cluster, address.name) as connection:
        connection.execute("CREATE EXTENSION postgis")
    return address


@pytest.fixture(scope="session")
def run_folder(request: pytest.FixtureRequest) -> Path:
    """Folder that all workers of this run share."""
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """Name of this worker, which goes into the names of its databases."""
    given: dict[str, str] = getattr(request.config, "workerinput", {})
    return given.get("workerid", "main")


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Numbers for names that must not come twice in a worker."""
    return count()


def migrate(address: Address) -> None:
    """Run all migrations as `reg_deploy`."""
    engine = create_engine(address.url("reg_deploy"), poolclass=NullPool)
    with engine.connect() as connection:
        config = Config(ROOT / "alembic.ini")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def rolled_back(address: Address) -> Iterator[Connection]:
    """A superuser's connection whose transaction is undone."""
    engine = create_engine(address.url("postgres"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
        connection.rollback()


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Keep the other workers of this run out."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Node(Protocol):
    """What xdist tells about a worker it starts."""

    config: pytest.Config
    workerinput: dict[str, str]


def pytest_configure(config: pytest.Config) -> None:
    """Open the run's folder, or take it from the controller, and forget the developer's own settings."""
    for name in [name for name in os.environ if name.startswith(("GRIDMGMT_", "PG"))]:
        del os.environ[name]
    given: dict[str, str] | None = getattr(config, "workerinput", None)
    if given is not None:
        config.stash[RUN] = Path(given["run_folder"])
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a time-out stops the cluster too, as Ctrl-C does
    clear_abandoned_runs()
    unheld = Path(tempfile.mkdtemp(prefix="gridmgmt-new-", dir=place_of_runs()))
    unheld.chmod(0o711)  # the database's user goes through it when the tests run as root
    config.stash[HOLD] = os.open(unheld / "held", os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(config.stash[HOLD], fcntl.LOCK_EX)
    config.stash[RUN] = unheld.rename(unheld.with_name(unheld.name.replace("gridmgmt-new-", RUN_PREFIX)))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Node) -> None:
    """Tell a worker of xdist where the run's folder is."""
    node.workerinput["run_folder"] = str(node.config.stash[RUN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the cluster; workers leave that to the controller, who comes here after them."""
    if HOLD in config.stash:
        end(config.stash[RUN])
        os.close(config.stash[HOLD])


def place_of_runs() -> Path:
    """Folder for the folders of runs: in memory where there is room, else where temporary files go."""
    if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        return MEMORY
    return Path(tempfile.gettempdir())


def clear_abandoned_runs() -> None:
    """Stop the clusters of runs that were killed: nobody holds their folder any more."""
    for folder in chain.from_iterable(place.glob(f"{RUN_PREFIX}*") for place in (MEMORY, Path(tempfile.gettempdir()))):
        if folder.stat().st_uid == os.geteuid() and (folder / "held").exists():
            with (folder / "held").open("a") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                end(folder)


def end(folder: Path) -> None:
    """Stop the clusters of a run and delete its folder."""
    for record in folder.glob("*/cluster.json"):
        clusters.reset(record.parent)
    shutil.rmtree(folder)
