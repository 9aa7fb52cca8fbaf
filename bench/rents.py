"""From observations to an index: the sums of a million rents beside DuckDB's of the same rows, the solution, a thousand corrections.

The observations are invented: 120 months, 100 communities, ten attributes. DuckDB reads them from a table of its own, with all cores.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from bench.stage import Figure, Stage
from gridmgmt.rents.methods.hedonic import time_dummy
from gridmgmt.rents.observations import ATTRIBUTES
from gridmgmt.rents.statistics import load_cells, rebuild

ROWS: Final = 1_000_000
MONTHS: Final = 120
FIRST: Final = 2010 * 12
USE: Final = "warehouse"
DELTA: Final = 1_000
MEASURES: Final = ("log_rent", *ATTRIBUTES)

FILL: Final = f"""
INSERT INTO reg.rent_observation (source, reference, unit_id, grid_id, subdistrict_id, community_id, use, class, new_let, begins, rent_fen,
  area_m2, recorded_by, {", ".join(MEASURES)})
SELECT 'survey', 'BENCH' || i, u.id, u.grid_id, u.subdistrict_id, i / {MONTHS} %% 100, '{USE}',
       (ARRAY['self_built', 'collective', 'commodity', 'apartment'])[1 + i / 7 %% 4], i %% 2 = 0,
       (date '2010-01-01' + make_interval(months => (i %% {MONTHS})::int))::date, 200000, 50, 0, 3700000 + (random() * 200000)::int,
       (random() * 2e6 - 1e6)::int, (random() * 1e6)::int, (random() * 4e6 - 1e6)::int, (random() * 3e6)::int, (i %% 20 = 0)::int * 1000000,
       (i %% 7 - 3) * 100000, (i %% 6 = 0)::int * 1000000, (i %% 5 = 0)::int * 1000000, (i %% 3 = 0)::int * 1000000, (random() * 1e6)::int
  FROM generate_series(1, %(rows)s) i
  JOIN (SELECT *, row_number() OVER (ORDER BY id) - 1 AS place FROM reg.unit) u ON u.place = i %% (SELECT count(*) FROM reg.unit)"""
LIMITS: Final = f"""
INSERT INTO reg.rent_limit
SELECT s, '{USE}', c, y, 50, 3800000, 60000, 'subdistrict' FROM (SELECT DISTINCT subdistrict_id AS s FROM reg.rent_observation) g,
  unnest(ARRAY['self_built', 'collective', 'commodity', 'apartment']) c, generate_series(2010, 2019) y"""
CORRECT: Final = """
EXPLAIN (ANALYZE, FORMAT JSON)
UPDATE reg.rent_observation SET log_rent = log_rent + 1 WHERE source = 'survey' AND reference = ANY (%s)"""
KEPT: Final = f"month, community_id, subdistrict_id, use, class, new_let, reason, deleted_at, {', '.join(MEASURES)}"
PRODUCTS: Final = (
    *MEASURES,
    *(f"log_rent * o.{name}" for name in MEASURES),
    *(f"{one} * o.{other}" for place, one in enumerate(ATTRIBUTES) for other in ATTRIBUTES[place:]),
)
SUMS: Final = ", ".join(f"sum(o.{one}) AS s{place}" for place, one in enumerate(PRODUCTS))
PEER: Final = f"""
import duckdb, sys, time
peer = duckdb.connect(sys.argv[1] + "/peer.db")
peer.execute("SET enable_progress_bar = false")
types = "{{'reason': 'VARCHAR', 'deleted_at': 'TIMESTAMP'}}"
peer.execute("CREATE TABLE o AS SELECT * FROM read_csv('" + sys.argv[1] + "/rents.csv', types=" + types + ")")
peer.execute("CREATE TABLE l AS SELECT * FROM '" + sys.argv[1] + "/limits.csv'")
for _ in range(4):
    start = time.perf_counter()
    peer.execute('''CREATE OR REPLACE TABLE made AS SELECT o.month, o.community_id, o.class, o.new_let, count(*) AS n, {SUMS}
      FROM o LEFT JOIN l ON l.subdistrict_id = o.subdistrict_id AND l.use = o.use AND l.class = o.class
       AND l.year = extract(year FROM o.month)
     WHERE o.reason IS NULL AND o.deleted_at IS NULL AND abs(o.log_rent - coalesce(l.centre, o.log_rent)) <= 5 * coalesce(l.spread, 1)
     GROUP BY 1, 2, 3, 4''')
    print(time.perf_counter() - start, flush=True)
"""


def measure(stage: Stage) -> Iterator[Figure]:
    """Seconds of the sums, the solution and a delta."""
    folder = stage.settings.places.home.parent / "duckdb"
    with stage.superuser() as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute(FILL.encode(), {"rows": ROWS})
        superuser.execute(LIMITS.encode())
        superuser.execute("RESET session_replication_role")
        superuser.execute("VACUUM (ANALYZE) reg.rent_observation, reg.rent_limit")
        with stage.register.database.transaction(stage.register.operator) as session:
            ours = _quickest(lambda: rebuild(session, USE))
            session.commit()
        yield Figure("rents.sums", ours, _peer(superuser, folder), "s", "peer", ("<=", 2))
        with stage.register.database.transaction(stage.register.operator, read_only=True) as session:
            start = time.perf_counter()
            cells = load_cells(session, [USE])
            loaded = time.perf_counter() - start
        _, community = np.unique(cells.community, return_inverse=True)
        _, stratum = np.unique(np.stack((cells.class_, cells.new_let)), axis=1, return_inverse=True)
        moments = cells.moments(cells.month - FIRST, community.ravel(), stratum.ravel(), MONTHS)
        yield Figure("rents.load", loaded, 1, "s", "limit", ("<=", 1))
        yield Figure("rents.solve", _quickest(lambda: time_dummy(moments)), 0.1, "s", "limit", ("<=", 1))
        ((told,),) = superuser.execute(CORRECT.encode(), [[f"BENCH{number}" for number in range(1, DELTA + 1)]]).fetchall()
        triggers = {one["Trigger Name"]: one["Time"] / 1000 for one in told[0]["Triggers"]}
        yield Figure("rents.delta", triggers["sum_update"] + triggers["pair_update"], 0.1, "s", "limit", ("<=", 1))
        yield Figure("rents.correction", told[0]["Execution Time"] / 1000, triggers["keep_past"], "s, against keeping the past")


def _quickest(work: Callable[[], Any]) -> float:
    taken: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _peer(superuser: psycopg.Connection[tuple[Any, ...]], folder: Path) -> float:
    """Seconds of DuckDB, in an environment of its own. Needs a package index."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "duckdb"], check=True)
    for name, rows in (
        ("rents", f"SELECT {KEPT} FROM reg.rent_observation WHERE use = '{USE}'"),
        ("limits", "SELECT * FROM reg.rent_limit"),
    ):
        statement = f"COPY ({rows}) TO STDOUT (FORMAT csv, HEADER)".encode()
        with (folder / f"{name}.csv").open("wb") as file, superuser.cursor() as cursor, cursor.copy(statement) as copy:
            file.writelines(copy)
    told = subprocess.run([str(folder / "bin/python"), "-c", PEER, str(folder)], check=True, capture_output=True, text=True).stdout
    return min(map(float, told.split()))
