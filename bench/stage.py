"""The ground that all benchmarks stand on: a durable cluster in a temporary folder with the demo district, built on this day."""

import datetime as dt
import json
import operator
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import psycopg

from gridmgmt.database import Actor
from gridmgmt.demo.district import Summary, build
from gridmgmt.operations import cluster
from gridmgmt.operations.migrate import migrate
from gridmgmt.operations.operator import Register, open_register
from gridmgmt.security.accounts import known_as
from gridmgmt.security.context import signer
from gridmgmt.security.sealing import Sealer
from gridmgmt.settings import Access, Database, Places, Server, Settings

MEETS: Final[dict[str, Callable[[float, float], bool]]] = {"<=": operator.le, ">=": operator.ge}
DISTRICT_DAY: Final = dt.timezone(dt.timedelta(hours=8))


@dataclass(frozen=True)
class Figure:
    """One line of the answer: ours against a limit or a peer."""

    case: str
    ours: float
    other: float
    unit: str
    against: Literal["limit", "peer"] = "peer"
    goal: tuple[str, float] | None = None
    """How the ratio of ours to the other should compare with a number."""

    @property
    def ratio(self) -> float:
        """Ours to the other."""
        return self.ours / self.other

    @property
    def met(self) -> bool:
        """Whether the ratio meets its goal; true without one."""
        return self.goal is None or MEETS[self.goal[0]](self.ratio, self.goal[1])

    def line(self) -> str:
        """As one JSON object."""
        said = {"case": self.case, "ours": round(self.ours, 4), self.against: round(self.other, 4), "unit": self.unit}
        said |= {"ratio": round(self.ratio, 3)}
        return json.dumps(said if self.goal is None else said | {"goal": f"{self.goal[0]} {self.goal[1]:g}", "met": self.met})


@dataclass(frozen=True)
class Stage:
    """The open register, what was built in it, and how many seconds that took."""

    settings: Settings
    register: Register
    summary: Summary
    seconds: float
    endurance: float = 60.0
    """Seconds for which a case holds a load."""

    def superuser(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that row-level security does not bind; each statement commits."""
        return psycopg.connect(self.register.database.address.conninfo("postgres"), autocommit=True)

    def login(self, actor: Actor) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the actor's class; each statement commits unless a transaction is begun."""
        return psycopg.connect(self.register.database.address.conninfo(f"api_{actor.scope}"), autocommit=True)

    def actor(self, username: str) -> Actor:
        """One of the demo's accounts."""
        return known_as(self.register.database, username)

    def sign(self, actor: Actor, pid: int) -> str:
        """The context of an actor for one connection; 0 for any."""
        return signer(self.register.keys.context_kid, self.register.keys.context)(actor, pid)


@contextmanager
def staged() -> Generator[Stage]:
    """Build everything, and delete it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gridmgmt-bench-"))
    folder.chmod(0o711)  # the database's user goes through it when root runs the benchmarks
    settings = Settings(places=Places(home=folder / "home"), database=Database(), server=Server(), access=Access(demo_mode=True))
    try:
        cluster.up(settings.places.home)
        migrate(settings)
        with open_register(settings) as register:
            start = time.perf_counter()
            today = dt.datetime.now(DISTRICT_DAY).date()
            summary = build(register.database, Sealer.of(register.keys), register.operator, scale="demo", today=today, demo_mode=True)
            stage = Stage(settings, register, summary, time.perf_counter() - start)
            with stage.superuser() as superuser:
                superuser.execute("VACUUM (ANALYZE)")
            yield stage
    finally:
        cluster.reset(settings.places.home)
        shutil.rmtree(folder)


def alternate(ours: Sequence[Callable[[], object]], peers: Sequence[Callable[[], object]], *, blocks: int = 10) -> tuple[float, float]:
    """Median milliseconds of both, in the quietest of some blocks of the run.

    They are called in turn, so that neither has the quieter minutes; the first block warms up and is not counted.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    for pair in zip(ours, peers, strict=True):
        for times, call in zip(taken, pair, strict=True):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * 1000)
    size = len(ours) // (blocks + 1)
    medians = [tuple(statistics.median(times[at : at + size]) for times in taken) for at in range(size, size * (blocks + 1), size)]
    quietest = min(medians, key=sum)
    return quietest[0], quietest[1]
