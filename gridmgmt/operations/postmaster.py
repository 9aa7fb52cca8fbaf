"""The server process of the embedded database: whether it lives, what a crash left behind, starting and stopping it."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from gridmgmt.operations.home import PORT, Home, Say
from gridmgmt.operations.server import ClusterError, Server

START_TIMEOUT = 300  # seconds; replaying the log after a crash takes its time
STOP_TIMEOUT = 60
ORPHAN_TIMEOUT = 30


def running(home: Home) -> int | None:
    """Process id of the living server. A number that a crash left and another process has got since does not count."""
    pid = _noted(home)
    return pid if pid is not None and pid in _servers_in(str(home.data)) else None


def ready(home: Home, server: Server) -> bool:
    """Whether the server takes connections."""
    return home.run([server.bin / "pg_isready", "-q", "-h", home.sockets, "-p", str(PORT)]).returncode == 0


def start(home: Home, server: Server, say: Say) -> None:
    """Clear away what a crash left, start the server and wait until it takes connections. Raises ClusterError with its own reason."""
    _clear_crash(home, say)
    state = home.run([server.bin / "pg_controldata", "-D", home.data]).stdout
    if "in production" in state or "in crash recovery" in state:
        say("The database was not shut down; it replays its log")
    said = _pg_ctl(home, server, "start", "-w", "-t", str(START_TIMEOUT), "-l", str(home.log / "start.log"))
    if said is not None:
        raise ClusterError(_why(home, said))


def wait(home: Home, server: Server, say: Say) -> None:
    """Wait for a living server that does not take connections yet."""
    if ready(home, server):
        return
    say("The database is still starting")
    end = time.monotonic() + START_TIMEOUT
    while not ready(home, server):
        if running(home) is None:
            raise ClusterError(_why(home, "it ended while it started"))
        if time.monotonic() > end:
            raise ClusterError(f"The database still replays its log after {START_TIMEOUT} s; gridmgmt db up waits on. Log: {home.log}")
        time.sleep(0.1)


def stop(home: Home, server: Server) -> None:
    """End all sessions and stop. Raises ClusterError when it does not."""
    if _pg_ctl(home, server, "stop", "-w", "-m", "fast", "-t", str(STOP_TIMEOUT)) is not None:
        raise ClusterError(f"The database did not stop within {STOP_TIMEOUT} s. Log: {home.log}")


def reload(home: Home, server: Server) -> None:
    """Let the server read its configuration again."""
    _pg_ctl(home, server, "reload")


def _pg_ctl(home: Home, server: Server, *words: str) -> str | None:
    """None when it did what it was told, else its first complaint."""
    done = home.run([server.bin / "pg_ctl", "-s", "-D", home.data, *words])
    return None if done.returncode == 0 else next(iter(done.stderr.strip().splitlines()), "no reason given")


def _clear_crash(home: Home, say: Say) -> None:
    """Wait for the children of a killed server, who may still write, and only then drop its notes.

    PostgreSQL itself keeps off when the process id in a note is in use, by whatever program, or by a dead child that nobody collects.
    """
    if deleted := _servers_in(f"{home.data} (deleted)"):
        # when they notice, in a minute or so, they would take the new server's socket away
        say("Ending the server of a database that was deleted while it ran")
        for pid in deleted:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + ORPHAN_TIMEOUT
    while orphans := _servers_in(str(home.data)):
        if time.monotonic() > end:
            who = ", ".join(map(str, orphans))
            raise ClusterError(f"Processes {who} of a crashed server still hold the database; end them with kill, then try again")
        time.sleep(0.1)
    pid = _noted(home)
    if pid is not None and Path(f"/proc/{pid}").exists():
        (home.data / "postmaster.pid").unlink()
    (home.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def _noted(home: Home) -> int | None:
    try:
        first = (home.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]
    except FileNotFoundError:
        return None
    return int(first) if first.isdecimal() else None


def _servers_in(folder: str) -> list[int]:
    """Processes of PostgreSQL whose current folder is `folder`, as that of every process of a cluster is its data folder."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
                where = str((entry / "cwd").readlink())
            except OSError:  # ended meanwhile, or somebody else's
                continue
            if where == folder and program == "postgres":
                found.append(int(entry.name))
    return sorted(found)


def _why(home: Home, otherwise: str) -> str:
    """The last complaint in the server's newest logs."""
    logs = sorted(home.log.glob("*.log"), key=lambda path: path.stat().st_mtime)
    lines = [line for path in logs[-2:] for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = [line.split(":  ", 1)[1] for line in lines if any(f"{word}:  " in line for word in ("FATAL", "PANIC", "ERROR", "HINT"))]
    return f"The database did not start: {said[-1] if said else otherwise}. Log: {home.log}"
