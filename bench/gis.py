"""The layer of 300,000 buildings over HTTP: ours with token, role and row-level security, tipg without any, and the statement alone.

tipg is asked for the same features with the same properties; for tiles as they come, with every column of the table. Two more lines of
tiles have no goal: `tipg_lean` has the properties that ours has, `tipg_lent` besides our column in Web Mercator. The statement goes through
pgbench with the same context, and without HTTP.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final
from urllib.parse import quote

import psycopg

from bench.crowd import gather
from bench.load import SECONDS, Load, fetch, run, spent
from bench.peers import tipg
from bench.requests import WORKERS, run_pgbench, served
from bench.stage import Figure, Stage
from geo.bbox import parse_bbox
from geo.cql2 import read_filter
from geo.crs import LONLAT
from geo.features import Look
from geo.tiles import quads
from gridmgmt.database import Actor
from gridmgmt.layers import LAYERS
from gridmgmt.layers.selection import Selection, feature_of, page_of, queryables
from gridmgmt.layers.tiles import drawn_properties, tile_of
from gridmgmt.operations import cluster
from gridmgmt.reads import Query
from gridmgmt.security.tokens import Tokens

PAGES: Final = 0.6
"""Of the statement's rate, that HTTP must reach."""
TILES: Final = 0.9
LAYER: Final = LAYERS["buildings"]
SELECTION: Final = Selection(LAYER.name, Look(tuple(one.name for one in LAYER.properties)))
ITEMS: Final = f"/ogc/collections/{LAYER.name}/items"
DRAWN: Final = f"/ogc/collections/{LAYER.name}/tiles/WebMercatorQuad"
PEER: Final = "/collections/reg.building"
PEER_ITEMS: Final = f"{PEER}/items?geom-column=geom&properties={','.join(SELECTION.look.properties)}"
RATE: Final = attrgetter("rate")
ROUNDS: Final = 3
"""Each side is asked in turn, and its quickest round counts: nobody has the quieter minutes."""
PLACES: Final = 40
IN_BOX: Final = 5_000
FILTERED: Final = 269
IN_TILE: Final = 2_000
INSIDE: Final = b"SELECT count(*) FROM reg.building WHERE geom && ST_MakeEnvelope(%s, %s, %s, %s, 4490)"
COUNTED: Final = b"""
SELECT x, y FROM (
  SELECT floor((ST_X(entrance) + 180) / 360 * %(many)s)::int AS x,
         floor((1 - asinh(tan(radians(ST_Y(entrance)))) / pi()) / 2 * %(many)s)::int AS y FROM reg.building WHERE deleted_at IS NULL) b
 GROUP BY x, y ORDER BY abs(ln(count(*) / %(wanted)s::float)) LIMIT 8
"""
"""The tiles with closest to so many buildings."""


@dataclass(frozen=True)
class Case:
    """What is asked of each side, and the ratios of the rates that ours should reach."""

    name: str
    ours: Sequence[str]
    peers: Sequence[str]
    statements: Sequence[Query]
    goal: float
    statement_goal: float | None
    further: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """What else tipg is asked for, by the names of the lines: with what we know of drawing, of which its users would have to think."""


def measure(stage: Stage) -> Iterator[Figure]:
    """Answers a second and milliseconds of CPU an answer, of eight clients; tiles are drawn anew each time, then from what is kept."""
    with stage.superuser() as superuser:
        gather(superuser)
        cases = [*_pages(superuser), *_tiles(superuser)]
    actor = stage.actor("district")
    postmaster = cluster.status(stage.settings.places.home).pid
    assert postmaster is not None
    token = Tokens(stage.register.keys.token, stage.settings.access.token_lifetime).issue(actor)
    headers, drawn = f"Authorization: Bearer {token}\r\n", dict[str, float]()
    with served(stage, workers=WORKERS, GRIDMGMT_TILE_CACHE="0") as (port, server), tipg(stage) as (other_port, other):
        for case in cases:
            rounds = [
                (
                    run(port, case.ours, headers=headers, server=server, postmaster=postmaster),
                    _alone(stage, actor, case, postmaster),
                    *(run(other_port, some, server=other, postmaster=postmaster) for some in (case.peers, *case.further.values())),
                )
                for _ in range(ROUNDS)
            ]
            ours, alone, peers, *others = (max(some, key=RATE) for some in zip(*rounds, strict=True))
            drawn[case.name] = ours.rate
            yield from _compared(f"gis.{case.name}.tipg", ours, peers, case.goal)
            for name, other_load in zip(case.further, others, strict=True):
                yield from _compared(f"gis.{case.name}.{name}", ours, other_load, None)
            yield from _compared(f"gis.{case.name}.statement", ours, alone, case.statement_goal)
    with served(stage, workers=WORKERS) as (port, server):
        for case in cases[-2:]:
            kept = max((run(port, case.ours, headers=headers, server=server, postmaster=postmaster) for _ in range(ROUNDS)), key=RATE)
            yield Figure(f"gis.{case.name}.kept", kept.rate, drawn[case.name], "1/s, against drawing")
        page = cases[0].ours[0]
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


def _pages(superuser: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Case]:
    first = page_of(SELECTION).bind(limit=100)
    yield Case("page100", [f"{ITEMS}?limit=100"], [f"{PEER_ITEMS}&limit=100"], [first], 10, PAGES)
    sampled = "FROM reg.building TABLESAMPLE bernoulli (1) REPEATABLE (7) LIMIT %s"
    places = superuser.execute(f"SELECT ST_X(entrance), ST_Y(entrance) {sampled}".encode(), [PLACES]).fetchall()
    boxes = [_box(superuser, lon, lat) for lon, lat in places]
    within = [page_of(_within()).bind(limit=1000, box0=parse_bbox(box, LONLAT).literals()[0]) for box in boxes]
    ours, peers = ([f"{items}limit=1000&bbox={box}" for box in boxes] for items in (f"{ITEMS}?", f"{PEER_ITEMS}&"))
    yield Case("bbox1000", ours, peers, within, 10, PAGES)
    ids = [one for (one,) in superuser.execute(f"SELECT id {sampled}".encode(), [PLACES]).fetchall()]
    alone = [feature_of(SELECTION).bind(id=one) for one in ids]
    peers = [PEER_ITEMS.replace("?", f"/{one}?") for one in ids]
    yield Case("one", [f"{ITEMS}/{one}" for one in ids], peers, alone, 4, None)
    begins = range(1_000, 1_000 + PLACES * 5_000, 5_000)
    filters = [f"house_code BETWEEN '9{at:018}' AND '9{at + FILTERED - 1:018}'" for at in begins]
    ours, peers = ([f"{items}limit=1000&filter={quote(one)}" for one in filters] for items in (f"{ITEMS}?", f"{PEER_ITEMS}&"))
    yield Case("filter", ours, peers, [_filtered(one) for one in filters], 10, PAGES)


def _tiles(superuser: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Case]:
    told = ",".join(("id", *(one.name for one in drawn_properties(LAYER))))
    for level, goal in ((14, 2), (12, 20)):
        found = superuser.execute(COUNTED, {"many": 1 << level, "wanted": IN_TILE * 4 ** (14 - level)}).fetchall()
        ours = [f"{DRAWN}/{level}/{row}/{column}" for column, row in found]
        peers, lent = (
            [f"{PEER}/tiles/WebMercatorQuad/{level}/{column}/{row}?geom-column={geom}" for column, row in found]
            for geom in ("geom", "geom_3857")
        )
        further = {name: [f"{one}&properties={told}" for one in some] for name, some in (("tipg_lean", peers), ("tipg_lent", lent))}
        drawn = [tile_of(LAYER, quads()["WebMercatorQuad"], level, row, column) for column, row in found]
        yield Case(f"tile{level}", ours, peers, drawn, goal, TILES, further)


def _box(superuser: psycopg.Connection[tuple[Any, ...]], lon: float, lat: float) -> str:
    """A box about a place with some five thousand buildings in it."""
    half = 0.01
    for _ in range(4):
        sides = (lon - half, lat - half, lon + half, lat + half)
        [(count,)] = superuser.execute(INSIDE, sides).fetchall()
        half *= min(max((IN_BOX / max(count, 1)) ** 0.5, 0.3), 3.0)
    return f"{lon - half:.5f},{lat - half:.5f},{lon + half:.5f},{lat + half:.5f}"


def _within() -> Selection:
    return Selection(LAYER.name, SELECTION.look, boxes=1)


def _filtered(text: str) -> Query:
    meant, held = read_filter(text, queryables(LAYER), language="cql2-text", exchange=LONLAT)
    return page_of(Selection(LAYER.name, SELECTION.look, filter=meant)).bind(limit=1000, **held)
