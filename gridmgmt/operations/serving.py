"""What must be true before the server starts, so that a failure is one line now and not a page of the server's own words later."""

import errno
import os
import socket
import sys
import tempfile

from gridmgmt.operations.migrate import head
from gridmgmt.operations.operator import OperatorError, connected, reach, revision_seen
from gridmgmt.security.keys import load_keys
from gridmgmt.settings import Settings

APPLICATION = "api.app:serve"
"""The server's application, by name: nothing of it is imported here."""
PROTOCOL = "api.joining:JoiningProtocol"
"""How it speaks HTTP."""
POOLS = 2
"""Pools of each class of user in each process: sessions and readers."""


def listen(host: str, port: int) -> socket.socket:
    """A socket on which clients are heard from now on, for `become_server`. Raises OperatorError when nobody can listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror:
        raise OperatorError(f"{host} is no address of this machine") from None
    heard = socket.socket(family, kind, protocol)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # The server is handed a number and takes it for a Unix socket, so it sets nothing; answers would wait 40 ms for an acknowledgement.
    heard.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        heard.bind(address)
        heard.listen()
    except OSError as error:
        heard.close()
        other = port + 1 if port < 65535 else 8001
        if isinstance(error, PermissionError):
            raise OperatorError(f"port {port} is for root only; choose another: --port 8001 (make demo PORT=8001)") from None
        if error.errno == errno.EADDRINUSE:
            hint = f"--port {other} (make demo PORT={other})"
            raise OperatorError(f"port {port} is in use by another program; choose another: {hint}") from None
        raise OperatorError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    return heard


def check_ready(settings: Settings, workers: int) -> None:
    """Raise OperatorError, ClusterError or KeysError unless the database is up, migrated to this release, has room for the pools of so
    many processes, and its keys are here.
    """
    place = reach(settings)
    with connected(place, "api_auth") as connection:
        present = revision_seen(connection)
        row = connection.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'api_field'").fetchone()
    if present != head():
        raise OperatorError(f"The database is at revision {present}, and this release needs {head()}: run gridmgmt migrate")
    most = -1 if row is None else row[0]
    wanted = workers * POOLS * settings.database.pool_size
    if 0 <= most < wanted:
        raise OperatorError(
            f"{workers} processes may open {wanted} connections for each class of user, and the database allows {most}: "
            f"choose fewer --workers, or GRIDMGMT_POOL_SIZE={max(1, most // (workers * POOLS))}"
        )
    load_keys(settings)


def become_server(heard: socket.socket, workers: int) -> None:
    """Replace this process by the server, so that signals reach it. Does not return."""
    heard.set_inheritable(True)
    words = ["--factory", APPLICATION, "--fd", str(heard.fileno()), "--workers", str(workers), "--http", PROTOCOL]
    words += ["--no-server-header", "--no-access-log", "--timeout-graceful-shutdown", "10", "--log-level", "warning"]
    if workers > 1:  # so that they count together: api/metrics.py
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="gridmgmt-metrics-")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "uvicorn", *words])  # noqa: S606 -- no shell is meant
