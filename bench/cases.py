"""What bench/gis.py asks for: of ours, of tipg, and of PostgreSQL alone, with the ratios of their rates that ours should reach."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import psycopg

from geo.bbox import parse_bbox
from geo.cql2 import read_filter
from geo.crs import LONLAT
from geo.features import Look
from geo.tiles import quads
from gridmgmt.layers import LAYERS
from gridmgmt.layers.selection import Selection, feature_of, page_of, queryables
from gridmgmt.layers.tiles import drawn_properties, tile_of
from gridmgmt.reads import Query

FILTERS: Final = 0.6
"""Of the statement's rate; docs/decisions/speed-of-layers.md says which goals there are, and why no others."""
TILES: Final = 0.9
LAYER: Final = LAYERS["buildings"]
SELECTION: Final = Selection(LAYER.name, Look(tuple(one.name for one in LAYER.properties)))
ITEMS: Final = f"/ogc/collections/{LAYER.name}/items"
DRAWN: Final = f"/ogc/collections/{LAYER.name}/tiles/WebMercatorQuad"
PEER: Final = "/collections/reg.building"
PEER_ITEMS: Final = f"{PEER}/items?geom-column=geom&properties={','.join(SELECTION.look.properties)}"
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


def cases(superuser: psycopg.Connection[tuple[Any, ...]]) -> list[Case]:
    """Pages, then tiles; the same ones whoever asks for them."""
    return [*_pages(superuser), *_tiles(superuser)]


def _pages(superuser: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Case]:
    first = page_of(SELECTION).bind(limit=100)
    yield Case("page100", [f"{ITEMS}?limit=100"], [f"{PEER_ITEMS}&limit=100"], [first], 10, None)
    sampled = "FROM (SELECT * FROM reg.building TABLESAMPLE bernoulli (1) REPEATABLE (7)) b ORDER BY id LIMIT %s"
    places = superuser.execute(f"SELECT ST_X(entrance), ST_Y(entrance) {sampled}".encode(), [PLACES]).fetchall()
    boxes = [_box(superuser, lon, lat) for lon, lat in places]
    read = [parse_bbox(box, LONLAT) for box in boxes]
    within = [page_of(_within()).bind(limit=1000, box0=box.literals()[0], core0=box.cores()[0]) for box in read]
    ours, peers = ([f"{items}limit=1000&bbox={box}" for box in boxes] for items in (f"{ITEMS}?", f"{PEER_ITEMS}&"))
    yield Case("bbox1000", ours, peers, within, 5, FILTERS)
    ids = [one for (one,) in superuser.execute(f"SELECT id {sampled}".encode(), [PLACES]).fetchall()]
    alone = [feature_of(SELECTION).bind(id=one) for one in ids]
    peers = [PEER_ITEMS.replace("?", f"/{one}?") for one in ids]
    yield Case("one", [f"{ITEMS}/{one}" for one in ids], peers, alone, 2, None)
    begins = range(1_000, 1_000 + PLACES * 5_000, 5_000)
    filters = [f"house_code BETWEEN '9{at:018}' AND '9{at + FILTERED - 1:018}'" for at in begins]
    ours, peers = ([f"{items}limit=1000&filter={quote(one)}" for one in filters] for items in (f"{ITEMS}?", f"{PEER_ITEMS}&"))
    yield Case("filter", ours, peers, [_filtered(one) for one in filters], 5, FILTERS)


def _tiles(superuser: psycopg.Connection[tuple[Any, ...]]) -> Iterator[Case]:
    told = ",".join(("id", *(one.name for one in drawn_properties(LAYER))))
    for level, goal, statement_goal in ((14, 2, TILES), (12, 20, None)):
        found = superuser.execute(COUNTED, {"many": 1 << level, "wanted": IN_TILE * 4 ** (14 - level)}).fetchall()
        ours = [f"{DRAWN}/{level}/{row}/{column}" for column, row in found]
        peers, lent = (
            [f"{PEER}/tiles/WebMercatorQuad/{level}/{column}/{row}?geom-column={geom}" for column, row in found]
            for geom in ("geom", "geom_3857")
        )
        further = {name: [f"{one}&properties={told}" for one in some] for name, some in (("tipg_lean", peers), ("tipg_lent", lent))}
        drawn = [tile_of(LAYER, quads()["WebMercatorQuad"], level, row, column) for column, row in found]
        yield Case(f"tile{level}", ours, peers, drawn, goal, statement_goal, further)


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
