"""The PostgreSQL programs that are installed on this machine."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST_POSTGRESQL = 15
OLDEST_POSTGIS = (3, 3)


class ClusterError(Exception):
    """The embedded database cannot do what was asked; the message is one line that says what is wrong and what mends it."""


@dataclass(frozen=True)
class Server:
    """One installed PostgreSQL that can serve the register."""

    bin: Path
    major: int
    postgis: str


def find_server(major: int | None = None) -> Server:
    """The newest usable server, or the one of version `major`, which is what an existing cluster needs.

    Raises ClusterError naming what is missing.
    """
    usable = installed_servers()
    wanted = [server for server in usable if major in {None, server.major}]
    if wanted:
        return max(wanted, key=lambda server: server.major)
    if major is None:
        raise ClusterError(
            f"No PostgreSQL {OLDEST_POSTGRESQL} or newer with PostGIS {OLDEST_POSTGIS[0]}.{OLDEST_POSTGIS[1]} or newer is installed; "
            "on Debian 12: apt-get install postgresql-15 postgresql-15-postgis-3"
        )
    found = ", ".join(str(server.major) for server in usable) or "none"
    raise ClusterError(
        f"The database was made by PostgreSQL {major}, and the usable versions installed here are: {found}. "
        f"Install postgresql-{major} and postgresql-{major}-postgis-3, or restore a backup into a new database (gridmgmt db reset)"
    )


def installed_servers() -> list[Server]:
    """Every installed server that is new enough and has the extensions PostGIS and btree_gist."""
    return [server for folder in dict.fromkeys(_bin_folders()) if (server := _look_at(folder)) is not None]


def _bin_folders() -> Iterator[Path]:
    for pattern in ("lib/postgresql/*/bin", "pgsql-*/bin", "local/pgsql/bin"):
        yield from sorted(Path("/usr").glob(pattern))
    for program in ("pg_config", "postgres"):
        if on_path := shutil.which(program):
            yield Path(_ask(on_path, "--bindir")) if program == "pg_config" else Path(on_path).resolve().parent


def _look_at(folder: Path) -> Server | None:
    if not all((folder / program).exists() for program in ("postgres", "initdb", "pg_ctl", "pg_config", "psql", "pg_isready")):
        return None
    version = re.search(r"(\d+)", _ask(str(folder / "pg_config"), "--version"))
    extensions = Path(_ask(str(folder / "pg_config"), "--sharedir")) / "extension"
    if version is None or not (extensions / "btree_gist.control").exists() or not (extensions / "postgis.control").exists():
        return None
    postgis = re.search(r"default_version\s*=\s*'((\d+)\.(\d+)[^']*)'", (extensions / "postgis.control").read_text())
    if postgis is None or int(version[1]) < OLDEST_POSTGRESQL or (int(postgis[2]), int(postgis[3])) < OLDEST_POSTGIS:
        return None
    return Server(folder, int(version[1]), postgis[1])


def _ask(program: str, question: str) -> str:
    return subprocess.run([program, question], capture_output=True, text=True, check=False).stdout.strip()
