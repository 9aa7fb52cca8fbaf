"""What must be true before the server starts, so that a failure is one line now and not a page of the server's own words later."""

import errno
import os
import socket
import sys

from gridmgmt.operations.migrate import head
from gridmgmt.operations.operator import OperatorError, connected, reach, revision_seen
from gridmgmt.security.keys import load_keys
from gridmgmt.settings import Settings

APPLICATION = "api.app:serve"
"""The server's application, by name: nothing of it is imported here."""


def check_port(host: str, port: int) -> None:
    """Raise OperatorError when nobody can listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror:
        raise OperatorError(f"{host} is no address of this machine") from None
    with socket.socket(family, kind, protocol) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(address)
        except PermissionError:
            raise OperatorError(f"port {port} is for root only; choose another: --port 8001 (make demo PORT=8001)") from None
        except OSError as error:
            other = port + 1 if port < 65535 else 8001
            if error.errno == errno.EADDRINUSE:
                hint = f"--port {other} (make demo PORT={other})"
                raise OperatorError(f"port {port} is in use by another program; choose another: {hint}") from None
            raise OperatorError(f"{host}:{port} cannot be listened on: {error.strerror}") from None


def check_ready(settings: Settings) -> None:
    """Raise OperatorError, ClusterError or KeysError unless the database is up, migrated to this release, and its keys are here."""
    place = reach(settings)
    with connected(place, "api_auth") as connection:
        present = revision_seen(connection)
    if present != head():
        raise OperatorError(f"The database is at revision {present}, and this release needs {head()}: run gridmgmt migrate")
    load_keys(settings)


def become_server(host: str, port: int, workers: int) -> None:
    """Replace this process by the server, so that signals reach it. Does not return."""
    words = ["--factory", APPLICATION, "--host", host, "--port", str(port), "--workers", str(workers)]
    words += ["--no-server-header", "--no-access-log", "--timeout-graceful-shutdown", "10", "--log-level", "warning"]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "uvicorn", *words])  # noqa: S606 -- no shell is meant
