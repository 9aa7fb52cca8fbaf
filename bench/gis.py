"""The layer of 300,000 buildings over HTTP: ours with token, role and row-level security, tipg without any, and the statement alone.

tipg is asked for the same features with the same properties; for tiles as they come, with every column of the table. Two more lines of
tiles have no goal: `tipg_lean` has the properties that ours has, `tipg_lent` besides our column in Web Mercator. The statement goes through
pgbench with the same context, and without HTTP; and through `python`, the least server that Python makes (bench/bare.py).
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from bench.bare import bare
from bench.cases import Case, cases
from bench.crowd import gather
from bench.load import SECONDS, Load, fetch, run, spent
from bench.peers import tipg
from bench.requests import WORKERS, run_pgbench, served
from bench.stage import Figure, Stage
from gridmgmt.database import Actor
from gridmgmt.operations import cluster
from gridmgmt.security.tokens import Tokens

LEAST: Final = 0.6
"""Of the least Python's rate, whatever is asked for."""
RATE: Final = attrgetter("rate")
ROUNDS: Final = 3
"""Each side is asked in turn, and its quickest round counts: nobody has the quieter minutes."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Answers a second and milliseconds of CPU an answer, of eight clients; tiles are drawn anew each time, then from what is kept."""
    with stage.superuser() as superuser:
        gather(superuser)
        asked = cases(superuser)
    actor = stage.actor("district")
    postmaster = cluster.status(stage.settings.places.home).pid
    assert postmaster is not None
    token = Tokens(stage.register.keys.token, stage.settings.access.token_lifetime).issue(actor)
    headers, drawn = f"Authorization: Bearer {token}\r\n", dict[str, float]()
    uncached = served(stage, workers=WORKERS, GRIDMGMT_TILE_CACHE="0")
    with uncached as (port, server), bare(stage) as (bare_port, bare_server), tipg(stage) as (other_port, other):
        for case in asked:
            rounds = [
                (
                    run(port, case.ours, headers=headers, server=server, postmaster=postmaster),
                    _alone(stage, actor, case, postmaster),
                    run(bare_port, case.ours, server=bare_server, postmaster=postmaster),
                    *(run(other_port, some, server=other, postmaster=postmaster) for some in (case.peers, *case.further.values())),
                )
                for _ in range(ROUNDS)
            ]
            ours, alone, least, peers, *others = (max(some, key=RATE) for some in zip(*rounds, strict=True))
            drawn[case.name] = ours.rate
            yield from _compared(f"gis.{case.name}.tipg", ours, peers, case.goal)
            for name, other_load in zip(case.further, others, strict=True):
                yield from _compared(f"gis.{case.name}.{name}", ours, other_load, None)
            yield from _compared(f"gis.{case.name}.statement", ours, alone, case.statement_goal)
            yield from _compared(f"gis.{case.name}.python", ours, least, LEAST)
            yield Figure(f"gis.{case.name}.python_tipg", least.rate, peers.rate, "1/s")
            yield Figure(f"gis.{case.name}.statement_tipg", alone.rate, peers.rate, "1/s")
    with served(stage, workers=WORKERS) as (port, server):
        for case in asked[-2:]:
            kept = max((run(port, case.ours, headers=headers, server=server, postmaster=postmaster) for _ in range(ROUNDS)), key=RATE)
            yield Figure(f"gis.{case.name}.kept", kept.rate, drawn[case.name], "1/s, against drawing")
        page = asked[0].ours[0]
        tag = next(line for line in fetch(port, page, headers).split(b"\r\n") if line.lower().startswith(b"etag:")).decode()
        headers += f"If-None-Match:{tag.partition(':')[2]}\r\n"
        several = (run(port, [page], headers=headers, server=server, postmaster=postmaster, status=304) for _ in range(ROUNDS))
        known = max(several, key=RATE)
        yield Figure("gis.page100.not_modified", known.rate, drawn["page100"], "1/s, against the page")


def _compared(name: str, ours: Load, other: Load, goal: float | None) -> Iterator[Figure]:
    yield Figure(name, ours.rate, other.rate, "1/s", "peer", None if goal is None else (">=", goal))
    yield Figure(f"{name}.cpu", ours.cpu, other.cpu, "ms CPU")
    if other.server:
        yield Figure(f"{name}.server", ours.server, other.server, "ms CPU")
        yield Figure(f"{name}.postgresql", ours.backends, other.backends, "ms CPU")
        yield Figure(f"{name}.size", ours.size, other.size, "kB")


def _alone(stage: Stage, actor: Actor, case: Case, postmaster: int) -> Load:
    before = spent(postmaster)
    rate = run_pgbench(stage, actor, case.statements, seconds=SECONDS)
    return Load(rate, 0.0, (spent(postmaster) - before) / (rate * SECONDS), 0.0)
