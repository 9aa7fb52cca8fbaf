"""The embedded database: a PostgreSQL cluster of our own, reached by a Unix socket only and made, mended and started by `up`.

Nobody needs a password: the server asks the kernel who is at the other end of the socket (peer authentication), and the owner of the
cluster and root may be any of the register's roles.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from gridmgmt.operations import home as homes
from gridmgmt.operations import postmaster
from gridmgmt.operations.configuration import write_configuration
from gridmgmt.operations.home import PORT, Home, Say
from gridmgmt.operations.server import ClusterError, Server, find_server
from gridmgmt.settings import Address, Settings

__all__ = ["DATABASE", "Cluster", "ClusterError", "Status", "address", "down", "locate", "prepare", "reset", "status", "up"]

DATABASE = "gridmgmt"
PREPARE = Path(__file__).with_name("prepare.sql")
LEAST_FREE = 200  # MiB


@dataclass(frozen=True)
class Cluster:
    """A private cluster and the programs that serve it."""

    home: Home
    server: Server

    def address(self, database: str = DATABASE) -> Address:
        """Where `database` is, whether it exists or not."""
        query = {"host": str(self.home.sockets), "port": str(PORT)}
        return Address(URL.create("postgresql+psycopg", database=database, query=query))

    def url(self, role: str, database: str = DATABASE) -> URL:
        """For SQLAlchemy."""
        return self.address(database).url(role)

    def conninfo(self, role: str, database: str = DATABASE) -> str:
        """For libpq: psycopg itself, psql, pg_dump."""
        return self.address(database).conninfo(role)


@dataclass(frozen=True)
class Status:
    """What `status` found. `state` is absent (never made), incomplete, down, starting or up."""

    state: str
    data: str | None = None
    sockets: str | None = None
    owner: str | None = None
    postgresql: int | None = None
    postgis: str | None = None
    pid: int | None = None


def address(settings: Settings) -> Address:
    """Where the register is: on the operator's own server, or in the embedded cluster, up or down.

    Raises ClusterError when the embedded one was never made.
    """
    own = settings.database.database_url
    return Address(make_url(own)) if own is not None else locate(settings.places.home).address()


def up(folder: Path, *, durable: bool = True, say: Say = lambda _: None) -> Cluster:
    """Make the cluster of the home `folder` where it is missing, mend it where it crashed, start it where it is down.

    Idempotent, and safe when two processes do it at once. `durable=False` trades safety for speed and is for tests. What takes
    long or was mended is told to `say`. Raises ClusterError.
    """
    with homes.locked(folder, say):
        home = homes.settle(folder, say)
        _clear_unfinished(home, say)
        server = find_server(_major_of(home))
        pid = postmaster.running(home)
        if pid is not None and not (home.sockets / f".s.PGSQL.{PORT}").exists():
            say("The running database has lost its socket; restarting it")
            postmaster.stop(home, server)
            pid = None
        if pid is None:
            _check_disk(home)
        if _major_of(home) is None:
            say(f"Making a database with PostgreSQL {server.major} and PostGIS {server.postgis} in {home.data}")
            _initialise(home, server, durable=durable)
        changed = write_configuration(home, durable=durable)
        if pid is None:
            _check_permissions(home, say)
            postmaster.start(home, server, say)
        elif changed:
            postmaster.reload(home, server)
        postmaster.wait(home, server, say)
        return Cluster(home, server)


def down(folder: Path, *, say: Say = lambda _: None) -> bool:
    """Stop the cluster, ending its sessions; whether it ran. Raises ClusterError when it does not stop."""
    home = homes.find(folder)
    if home is None:
        return False
    with homes.locked(folder, say):
        if postmaster.running(home) is None:
            return False
        postmaster.stop(home, find_server(_major_of(home)))
        return True


def reset(folder: Path, *, say: Say = lambda _: None) -> None:
    """Stop the cluster and delete its data for good. The keys stay: backups are sealed with them."""
    down(folder, say=say)
    home = homes.find(folder)
    if home is None:
        return
    with homes.locked(folder, say):
        if homes.is_folder(home.data):
            gone = home.place / "postgresql.gone"  # renamed first: a half-deleted folder is never taken for a database
            shutil.rmtree(gone, ignore_errors=True)
            home.data.rename(gone)
            shutil.rmtree(gone)
        homes.remove(home)


def status(folder: Path) -> Status:
    """Look, and change nothing. Raises ClusterError when the home belongs to somebody else or its PostgreSQL is not installed."""
    home = homes.find(folder)
    if home is None or not homes.is_folder(home.data):
        return Status("absent")
    major = _major_of(home)
    if major is None:
        return Status("incomplete", data=str(home.data), owner=home.owner)
    server = find_server(major)
    pid = postmaster.running(home)
    return Status(
        "down" if pid is None else "up" if postmaster.ready(home, server) else "starting",
        data=str(home.data),
        sockets=str(home.sockets),
        owner=home.owner,
        postgresql=server.major,
        postgis=server.postgis,
        pid=pid,
    )


def locate(folder: Path) -> Cluster:
    """The cluster of the home `folder`, running or not. Raises ClusterError when none was made there."""
    home = homes.find(folder)
    major = None if home is None else _major_of(home)
    if home is None or major is None:
        raise ClusterError(f"There is no database in {folder} yet: run gridmgmt db up")
    return Cluster(home, find_server(major))


def prepare(cluster: Cluster, database: str = DATABASE) -> None:
    """Create `database` where it is missing and run `prepare.sql` in it as the superuser. Idempotent; the cluster is up.

    Raises ClusterError with psql's words.
    """
    with psycopg.connect(cluster.conninfo("postgres", "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(database)))
    words = [cluster.server.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", cluster.conninfo("postgres", database), "-f", "-"]
    done = cluster.home.run(words, given=PREPARE.read_text(encoding="utf-8"))
    if done.returncode != 0:
        raise ClusterError(f"Preparing the database failed: {done.stderr.strip()}")


def _major_of(home: Home) -> int | None:
    """Version that made the data, or None when there are none or they are not a whole cluster."""
    try:
        version = (home.data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    return int(version) if version.isdecimal() and (home.data / "global" / "pg_control").exists() else None


def _clear_unfinished(home: Home, say: Say) -> None:
    """Delete what an interrupted `up` or `reset` of ours left, and move a data folder aside that is no whole cluster."""
    for leftover in ("postgresql.new", "postgresql.gone"):
        shutil.rmtree(home.place / leftover, ignore_errors=True)
    if homes.is_folder(home.data) and _major_of(home) is None:
        if next(home.data.iterdir(), None) is None:
            home.data.rmdir()
            return
        aside = home.data.with_name(f"postgresql.broken-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        home.data.rename(aside)
        say(f"{home.data} was not a whole database; it was moved to {aside}")


def _initialise(home: Home, server: Server, *, durable: bool) -> None:
    """Make the cluster beside its place and rename it when it is whole, so that an interruption leaves nothing half."""
    unfinished = home.place / "postgresql.new"
    homes.make_folder(unfinished, mode=0o700, owner=home.owner)
    words = ["--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", "--auth=peer", "--data-checksums"]
    made = home.run([server.bin / "initdb", "-D", unfinished, *words, *([] if durable else ["--no-sync"])])
    if made.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        said = made.stderr.strip().splitlines() or ["no reason given"]
        reasons = [line.split(": ", 1)[1].strip() for line in said if re.search(r"\b(error|FATAL): ", line)]
        raise ClusterError(f"initdb failed in {home.place}: {(reasons or said)[0]}")
    unfinished.rename(home.data)


def _check_disk(home: Home) -> None:
    free = shutil.disk_usage(home.place).free // 2**20
    if free < LEAST_FREE:
        raise ClusterError(f"Only {free} MiB are free at {home.place}; the database needs {LEAST_FREE} MiB to start")


def _check_permissions(home: Home, say: Say) -> None:
    """PostgreSQL refuses a data folder that others may read, as one copied or unpacked often is."""
    if home.data.stat().st_mode & 0o077:
        say(f"{home.data} was open to others; closed it")
        home.data.chmod(0o700)
