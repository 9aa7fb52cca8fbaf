"""The folders of the embedded database: where they lie, whom they belong to, and who may use them at a time.

Usually everything is in GRIDMGMT_HOME. Two things force another place, which is then noted in `cluster.json` in the home: PostgreSQL
refuses to run as root, so root lends it to the user `postgres`, who cannot enter a home below /root; and the path of a Unix socket may
not exceed 107 bytes.
"""

import fcntl
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gridmgmt.operations.server import ClusterError

Say = Callable[[str], object]
PORT = 5432
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where system programs are, runuser too: whoever became root by a plain `su` has kept a path without it."""
LONGEST_SOCKET_PATH = 107
RECORD = "cluster.json"
SHORT_PLACES = {True: "/run", False: "/tmp"}  # noqa: S108 -- for root and others, by mkdtemp; not TMPDIR, which may be long


@dataclass(frozen=True)
class Home:
    """The folders of one embedded database. `place` is `folder` unless the database's user cannot go there."""

    folder: Path
    place: Path
    sockets: Path
    owner: str

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder, mode 700."""
        return self.place / "postgresql"

    @property
    def log(self) -> Path:
        """Folder of the server's log."""
        return self.place / "log"

    def run(self, argv: Sequence[str | Path], *, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program as the owner, in the folder / and without the caller's PG… variables; it may fail."""
        become = ["runuser", "-u", self.owner, "--"] if self.owner != me() else []
        environment = {"PATH": PATH, "LC_ALL": "C"}
        return subprocess.run([*become, *argv], cwd="/", env=environment, input=given, capture_output=True, text=True, check=False)


def me() -> str:
    """Name of the operating system's user who runs this process. Raises ClusterError when the user id has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise ClusterError(f"User id {os.geteuid()} has no name on this machine, and PostgreSQL does not start without one") from None


def find(folder: Path) -> Home | None:
    """The home as `settle` left it, or None when nothing was made there yet. Changes nothing.

    Raises ClusterError when it is somebody else's.
    """
    folder = folder.resolve()
    record = _read_record(folder)
    if record is None or Path(record["home"]) != folder:
        return None
    if os.geteuid() != 0 and record["owner"] != me():
        raise ClusterError(_belongs(folder))
    home = Home(folder, Path(record["place"]), Path(record["sockets"]), record["owner"])
    return home if is_folder(home.place) else None


def settle(folder: Path, say: Say) -> Home:
    """Choose the folders for a database at `folder`, or find the chosen ones again, make them and record them.

    Raises ClusterError when they belong to somebody else, cannot be written, or have a name that PostgreSQL's tools cannot take.
    """
    folder = folder.resolve()
    if re.search(r'["\\$`\'\n\r]', str(folder)):
        raise ClusterError(f"PostgreSQL's tools cannot work in {folder}: set GRIDMGMT_HOME to a path without quotes, $ and backslashes")
    make_folder(folder, mode=_home_mode())
    record = _read_record(folder)
    known = _still_true(folder, record)
    place, owner = _place_of(folder, known)
    if place != folder and str(place) != known.get("place"):
        say(f"{folder} is closed to the user {owner}, who runs the database; its files are in {place}")
        (place / "belongs-to").write_text(f"{folder}\n", encoding="utf-8")
    sockets = _sockets_of(place, known)
    for own in (place / "log", sockets):
        make_folder(own, mode=0o700, owner=owner)
    told = {"home": str(folder), "place": str(place), "sockets": str(sockets), "owner": owner}
    if told != record:
        unfinished = folder / f"{RECORD}.new"
        try:
            unfinished.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            unfinished.replace(folder / RECORD)
        except OSError as error:
            raise ClusterError(f"{folder / RECORD} cannot be written: {error.strerror}") from None
    return Home(folder, place, sockets, owner)


@contextmanager
def locked(folder: Path, say: Say) -> Generator[None]:
    """Keep every other command out of the home until the block ends; wait for the one that is in it."""
    make_folder(folder.resolve(), mode=_home_mode())
    try:
        handle = os.open(folder / "cluster.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise ClusterError(_belongs(folder / "cluster.lock")) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another command that works on this database")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def remove(home: Home) -> None:
    """Forget the chosen places and delete those that lie outside the home; the home itself, keys and logs in it stay."""
    if home.sockets.parent != home.place:
        shutil.rmtree(home.sockets, ignore_errors=True)
    if home.place != home.folder:
        shutil.rmtree(home.place)
    (home.folder / RECORD).unlink(missing_ok=True)


def make_folder(folder: Path, *, mode: int, owner: str | None = None) -> None:
    """Make `folder` when it is missing, with exactly `mode` whatever the umask, for `owner`."""
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)  # another process may be making it
            folder.chmod(mode)
        if owner is not None and _owner_of(folder) != owner:
            os.chown(folder, _uid(owner), pwd.getpwnam(owner).pw_gid, follow_symlinks=False)
    except OSError as error:
        raise ClusterError(f"{folder} cannot be made: {error.strerror}; set GRIDMGMT_HOME to a folder of your own") from None


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; raises ClusterError when that is hidden from us."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except PermissionError:
        raise ClusterError(_belongs(path)) from None


def _home_mode() -> int:
    """A home holds keys: nobody else looks into it, and only root's lets the database's user pass through."""
    return 0o711 if os.geteuid() == 0 else 0o700


def _still_true(folder: Path, record: dict[str, str] | None) -> dict[str, str]:
    """What of the record holds where the home is now: a moved home keeps what lies outside, a copy leaves it to the original."""
    if record is None or record["home"] == str(folder):
        return record or {}
    before = Path(record["home"])
    outside = {} if (before / RECORD).exists() else {name: record[name] for name in ("place", "sockets")}
    return {name: path for name, path in outside.items() if not Path(path).is_relative_to(before)}


def _place_of(folder: Path, known: dict[str, str]) -> tuple[Path, str]:
    """The folder that holds the data folder, and the user who owns it: as known, else by who can go where."""
    place = Path(known.get("place", folder))
    if is_folder(place / "postgresql"):
        owner = _owner_of(place / "postgresql")
        if owner == "root":
            raise ClusterError(f"{place / 'postgresql'} belongs to root, as whom PostgreSQL does not run: chown -R postgres it")
        if os.geteuid() != 0 and owner != me():
            raise ClusterError(_belongs(place / "postgresql"))
        return place, owner
    if os.geteuid() != 0:
        return folder, me()
    _uid("postgres")
    if (place != folder and is_folder(place)) or _open_to("postgres", folder):
        return place, "postgres"
    elsewhere = Path(tempfile.mkdtemp(prefix="gridmgmt-", dir="/var/lib"))
    elsewhere.chmod(0o711)
    return elsewhere, "postgres"


def _sockets_of(place: Path, known: dict[str, str]) -> Path:
    """A folder with a path short enough; one outside was made under a name nobody can foresee, and is made anew when it is gone."""
    usual = place / "run"
    if len(os.fsencode(usual / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH:
        return usual
    recorded = Path(known.get("sockets", usual))
    if recorded != usual and is_folder(recorded) and not recorded.is_symlink():
        return recorded
    return Path(tempfile.mkdtemp(prefix="gridmgmt-", dir=SHORT_PLACES[os.geteuid() == 0]))


def _open_to(user: str, folder: Path) -> bool:
    """Whether `user` can pass through every folder above `folder` (and `folder`, where it exists)."""
    nearest = next(above for above in (folder, *folder.parents) if above.exists())
    argv = ["runuser", "-u", user, "--", "test", "-x", nearest]
    return subprocess.run(argv, cwd="/", env={"PATH": PATH}, check=False, capture_output=True).returncode == 0


def _read_record(folder: Path) -> dict[str, str] | None:
    path = folder / RECORD
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except PermissionError:
        raise ClusterError(_belongs(path)) from None
    except ValueError:
        told = None
    if not isinstance(told, dict) or {"home", "place", "sockets", "owner"} - told.keys():
        raise ClusterError(f"{path} is damaged: delete it, and the usual places are looked at again")
    return {str(name): str(value) for name, value in told.items()}


def _belongs(path: Path) -> str:
    return f"{path} belongs to somebody else: run this as the user who made it, or set GRIDMGMT_HOME to a folder of your own"


def _owner_of(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        raise ClusterError(f"{path} belongs to a user who has no name on this machine") from None


def _uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ClusterError(f"This machine has no user {user}, as whom root runs the database") from None
