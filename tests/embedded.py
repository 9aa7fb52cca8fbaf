"""An embedded database as `make demo` makes it, in a home of its own, and the command that works on it."""

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gridmgmt.operations import cluster
from tests.conftest import locked

COMMAND = Path(sys.executable).with_name("gridmgmt")


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Embedded:
    """A home whose database is up, migrated, and holds the demo district at the scale of tests."""

    home: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"GRIDMGMT_HOME": str(self.home), "GRIDMGMT_DEMO_MODE": "true"}

    def command(self, *words: str, given: str = "", **variables: str) -> Said:
        """Run `gridmgmt` as a process of its own, without a terminal."""
        done = subprocess.run(
            [COMMAND, *words], env=self._environment(variables), input=given, capture_output=True, text=True, check=False, timeout=120
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def served(self) -> Generator[str]:
        """The address that `gridmgmt serve` says it serves on, from the moment it says so until the end of the block."""
        port = free_port()
        server = subprocess.Popen([COMMAND, "serve", "--port", str(port)], env=self._environment({}), stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            address = f"http://127.0.0.1:{port}"
            assert server.stderr.readline() == f"Serving on {address} until Ctrl-C\n"
            yield address
        finally:
            server.terminate()
            server.communicate(timeout=20)

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        return clean_environment() | self.variables | variables


@pytest.fixture(scope="session")
def embedded(run_folder: Path, worker: str) -> Embedded:
    """Built once a worker, though several folders of tests take it; the end of the run stops it."""
    made = Embedded(run_folder / f"embedded-{worker}")
    if not (made.home / "built").exists():
        with locked(run_folder / "lock"):
            cluster.up(made.home, durable=False)
        for words in (["migrate"], ["demo", "--scale", "tests"]):
            said = made.command(*words)
            assert said.code == 0, said.err
        (made.home / "built").touch()
    return made


def clean_environment() -> dict[str, str]:
    """The environment without settings of ours, of PostgreSQL's, and without the ban on compiled modules, which triples each start."""
    unwanted = ("GRIDMGMT_", "PG", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def free_port() -> int:
    """A port on which nobody listens at this moment."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]
