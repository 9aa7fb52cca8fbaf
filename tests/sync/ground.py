"""What the tests of the whole road stand on: a server that may be killed, a bad network, and devices."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gridmgmt.settings import Address
from tests.embedded import clean_environment, free_port
from tests.sync.proxy import Proxy, proxied

ROOT = Path(__file__).parents[2]


@dataclass
class Process:
    """The server's process, and its folder."""

    port: int
    folder: Path
    kills: int = 0
    _running: subprocess.Popen[bytes] | None = None

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, address: Address) -> None:
        """Serve this database from now on."""
        url = address.base.render_as_string(hide_password=False)
        request = urllib.request.Request(f"{self.site}/-/database", data=url.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=20):
            return

    def kill(self) -> None:
        """kill -9; another one serves at once."""
        before = self._pid()
        os.kill(before, signal.SIGKILL)
        self._another(before)

    @contextmanager
    def killing_itself(self, moment: str, path: str) -> Generator[None]:
        """In the block, let the server kill itself at the next `answer` or `piece` of an answer to this path. It must."""

        order = self.folder / "kill"
        before = self._pid()
        order.write_text(f"{moment} {path}", encoding="utf-8")
        try:
            yield
        finally:
            order.unlink(missing_ok=True)
        self._another(before)

    def start(self) -> None:
        """Start the process and wait until it listens."""
        words = [sys.executable, "-m", "tests.sync.process", str(self.port), str(self.folder)]
        self._running = subprocess.Popen(words, cwd=ROOT, env=clean_environment() | {"PYTHONPATH": str(ROOT)})
        end = time.monotonic() + 60
        while not (self.folder / "pid").exists():
            assert time.monotonic() < end, "the server does not start"
            assert self._running.poll() is None, "the server ended"
            time.sleep(0.02)

    def stop(self) -> None:
        """The process ends with the one that it begot."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(10)

    def _pid(self) -> int:
        return int((self.folder / "pid").read_text(encoding="utf-8"))

    def _another(self, before: int) -> None:
        end = time.monotonic() + 20
        while self._pid() == before:
            assert time.monotonic() < end, "the server was not killed"
            time.sleep(0.005)
        self.kills += 1


@dataclass
class Ground:
    """Server, network, and a folder for the devices' files."""

    process: Process
    proxy: Proxy
    folder: Path
    numbers: list[int] = field(default_factory=lambda: [0])

    def number(self) -> int:
        """Another one each time."""
        self.numbers[0] += 1
        return self.numbers[0]


@contextmanager
def prepared() -> Generator[Ground]:
    """A server behind a proxy, without a database yet."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="gridmgmt-sync-", dir=memory if os.access(memory, os.W_OK) else None) as folder:
        process = Process(free_port(), Path(folder))
        try:
            process.start()
            with proxied(("127.0.0.1", process.port)) as proxy:
                yield Ground(process, proxy, Path(folder))
        finally:
            process.stop()
