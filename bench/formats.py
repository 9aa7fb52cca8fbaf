"""300,000 buildings as a file of each form: memory of the server and of the process that writes, and seconds until the last byte."""

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from api.ogc.files import FILES
from bench.crowd import gather
from bench.requests import served
from bench.stage import Figure, Stage
from gridmgmt.security.tokens import Tokens

MEMORY = 200.0
"""Megabytes of either process, and of what a file adds to both."""
SECONDS = 60.0
PIECE = 1 << 20
EVERY = 0.05
"""Seconds between two looks at the processes that write."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Peak resident megabytes and seconds against limits; each form by a server of its own with one process."""
    with stage.superuser() as superuser:
        gather(superuser)
    token = Tokens(stage.register.keys.token, stage.settings.access.token_lifetime).issue(stage.actor("district"))
    for form in FILES:
        with served(stage, workers=1) as (port, pid):
            fetch(port, token, "json&limit=1")  # what the first request of any kind takes is not the file's
            before = peak(pid)
            writers = Writers(pid)
            start = time.perf_counter()
            fetch(port, token, form)
            taken = time.perf_counter() - start
            yield Figure(f"formats.{form}.server", peak(pid), MEMORY, "MB", "limit", ("<=", 1.0))
            written = writers.stop()
            yield Figure(f"formats.{form}.added", peak(pid) - before + written, MEMORY, "MB", "limit", ("<=", 1.0))
            if written:
                yield Figure(f"formats.{form}.writer", written, MEMORY, "MB", "limit", ("<=", 1.0))
            yield Figure(f"formats.{form}.seconds", taken, SECONDS, "s", "limit", ("<=", 1.0))


def fetch(port: int, token: str, form: str) -> int:
    """Bytes of the whole layer in a form, which are thrown away."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", f"/ogc/collections/buildings/items?f={form}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read(500)
    size = 0
    while piece := answer.read(PIECE):
        size += len(piece)
    connection.close()
    return size


def peak(pid: int) -> float:
    """The most megabytes that a process had resident; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)


class Writers:
    """Watches the processes that a server starts."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._most = 0.0
        self._done = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()

    def stop(self) -> float:
        """The peak of the largest of them in megabytes; 0 when there was none."""
        self._done.set()
        self._watching.join()
        return self._most

    def _watch(self) -> None:
        while not self._done.wait(EVERY):
            for children in Path(f"/proc/{self._server}/task").glob("*/children"):
                for pid in children.read_text(encoding="ascii").split():
                    self._most = max(self._most, peak(int(pid)))
