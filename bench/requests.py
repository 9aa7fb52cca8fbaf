"""GET /v1/buildings/{id} over HTTP, a second, against the same transaction sent by pgbench."""

import os
import random
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.stage import Figure, Stage
from gridmgmt.database import Actor
from gridmgmt.operations import cluster
from gridmgmt.reads import Query
from gridmgmt.registers.buildings import document
from gridmgmt.security.tokens import Tokens

CLIENTS = 8
WORKERS = 2
SECONDS = 6.0
BUILDINGS = 50
"""Different ones, the same on both sides."""
PATIENCE = 120.0
_PLACE = re.compile(r"\$(\d+)")


def measure(stage: Stage) -> Iterator[Figure]:
    """Requests a second and transactions a second, by eight clients each. No goal: the ratio says what HTTP costs."""
    actor = stage.actor("district")
    with stage.superuser() as superuser:
        found = superuser.execute("SELECT id FROM reg.building WHERE house_code LIKE '4%' ORDER BY id").fetchall()
    chosen: list[uuid.UUID] = random.Random(7).sample([one for (one,) in found], BUILDINGS)
    token = Tokens(stage.register.keys.token, stage.settings.access.token_lifetime).issue(actor)
    with serving(stage) as port:
        ours = ask(port, token, chosen)
    yield Figure("requests", ours, run_pgbench(stage, actor, [document(one) for one in chosen]), "1/s")


@contextmanager
def serving(stage: Stage) -> Generator[int]:
    """The server as `gridmgmt serve` starts it, on a free port."""
    with served(stage, workers=WORKERS) as (port, _):
        yield port


@contextmanager
def served(stage: Stage, *, workers: int, **more: str) -> Generator[tuple[int, int]]:
    """Port and process of `gridmgmt serve`; with one worker that process is the one that answers. `more` is set in its environment."""
    environment = os.environ | {"GRIDMGMT_HOME": str(stage.settings.places.home), "GRIDMGMT_DEMO_MODE": "true"} | more
    words = ["-c", "from gridmgmt.cli import main; main()", "serve", "--workers", str(workers)]
    with started([sys.executable, *words, "--port"], environment, "/readyz") as (port, pid):
        yield port, pid


@contextmanager
def started(words: Sequence[str], environment: Mapping[str, str], known: str) -> Generator[tuple[int, int]]:
    """Port and process of a server whose words end with a free port, as soon as it answers at the `known` path."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with subprocess.Popen(
        [*words, str(port)],
        env=environment,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}{known}")
            yield port, server.pid
        finally:
            server.terminate()


def wait_for(address: str) -> None:
    """Raise TimeoutError unless the server answers within two minutes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:  # nobody listens yet, or has not got round to it
            time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")


def ask(port: int, token: str, buildings: Sequence[uuid.UUID]) -> float:
    """Answers a second over kept connections, each of which asks again as soon as it is answered."""
    head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    asked = [f"GET /v1/buildings/{one} HTTP/1.1\r\n{head}".encode() for one in buildings]
    selector = selectors.DefaultSelector()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS)]
    for number, one in enumerate(sockets):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.sendall(asked[number % len(asked)])
        selector.register(one, selectors.EVENT_READ)
    answered, turn, start = 0, CLIENTS, time.perf_counter()
    warm = start + 1.0
    while (now := time.perf_counter()) < warm + SECONDS:
        if now < warm:
            answered = 0
        for key, _ in selector.select(timeout=1.0):
            connection = sockets[sockets.index(key.fileobj)]  # pyright: ignore[reportArgumentType] -- only these sockets are registered
            answer(connection)
            answered += 1
            turn += 1
            connection.sendall(asked[turn % len(asked)])
    taken = time.perf_counter() - warm
    for one in sockets:
        one.close()
    selector.close()
    return answered / taken


def answer(connection: socket.socket) -> None:
    """Read one whole answer of 200."""
    got = connection.recv(65_536)
    while (cut := got.find(b"\r\n\r\n")) < 0:
        got += connection.recv(65_536)
    head = got[:cut].lower()
    assert head.startswith(b"http/1.1 200"), got[:300]
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    while len(got) < cut + 4 + length:
        got += connection.recv(65_536)


def run_pgbench(stage: Stage, actor: Actor, queries: Sequence[Query], *, clients: int = CLIENTS, seconds: float = SECONDS) -> float:
    """Transactions a second: the context and one of the statements in one round trip, as the server sends them."""
    program = shutil.which("pgbench") or str(cluster.locate(stage.settings.places.home).server.bin / "pgbench")
    folder = stage.settings.places.home.parent / "pgbench"
    folder.mkdir(exist_ok=True)
    # bound to no connection, as behind a pooler: a script cannot sign for its own
    enter = f"SELECT sec.enter('{stage.sign(actor, 0)}', {actor.epoch});"
    scripts: list[str] = []
    for number, query in enumerate(queries):
        lines = ("\\startpipeline", "BEGIN READ ONLY;", enter, f"{spelled(query)};", "COMMIT;", "\\endpipeline", "")
        path = folder / f"{number}.sql"
        path.write_text("\n".join(lines), encoding="utf-8")
        scripts += ["-f", str(path)]
    mode = "prepared" if all(query.name for query in queries) else "extended"
    words = [program, "-n", "-M", mode, "-c", str(clients), "-j", "2", "-T", str(int(seconds)), *scripts]
    words.append(stage.register.database.address.conninfo(f"api_{actor.scope}"))
    alike = os.environ | {"PGOPTIONS": "-c max_parallel_workers_per_gather=0 -c jit=off"}  # as the server reads
    done = subprocess.run(words, env=alike, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def spelled(query: Query) -> str:
    """A statement with its values as literals, on one line, because a script's lines end statements."""
    values = ["NULL" if value is None else quoted(value.decode()) for value in query.values]
    return " ".join(_PLACE.sub(lambda place: values[int(place[1]) - 1], query.text.decode()).split())


def quoted(value: str) -> str:
    """As a literal of SQL; pgbench takes a colon for the beginning of a variable."""
    return "E'" + value.replace("'", "''").replace(":", "\\x3a") + "'"
