"""From observations to an index: the sums of a million rents beside DuckDB's of the same rows, the solution, a thousand corrections; the
same regression by statsmodels; a release of the whole district.

The observations are invented: 120 months, 100 communities, ten attributes. DuckDB reads them from a table of its own, with all cores.
statsmodels takes a tenth or a hundredth of them, as a matrix of 229 columns, and its time and memory are scaled up.
"""

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from bench.stage import Figure, Stage
from gridmgmt.rents.composing import compose
from gridmgmt.rents.methods.hedonic import time_dummy
from gridmgmt.rents.observations import ATTRIBUTES
from gridmgmt.rents.quarterly import last_quarter
from gridmgmt.rents.statistics import ADDING, OF_USE, load_cells, rebuild

ROWS: Final = 1_000_000
LARGE: Final = 10_000_000
DENSE: Final = 100_000
"""Rows for statsmodels."""
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
DENSE_PEER: Final = """
import resource, sys, time
import numpy as np, statsmodels.api as sm
given = np.load(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
period, community, stratum = (np.eye(given[name].max() + 1)[given[name]] for name in ("period", "community", "stratum"))
design = np.hstack((period, community[:, 1:], stratum[:, 1:], given["x"]))
sm.OLS(given["y"], design).fit().bse
print(time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
SOME: Final = f"""
SELECT (extract(year FROM month) * 12 + extract(month FROM month) - 1)::int AS period, community_id, class, new_let,
       {", ".join(f"{name} / 1e6::float8" for name in MEASURES)}
  FROM reg.rent_observation WHERE use = '{USE}' AND source = 'survey' LIMIT {DENSE}"""


def measure(stage: Stage) -> Iterator[Figure]:
    """Seconds of a release, of the sums, the solution and a delta; memory."""
    with stage.register.database.transaction(stage.register.operator) as session:
        start = time.perf_counter()
        compose(session, last_quarter(session))
        yield Figure("rents.district", time.perf_counter() - start, 60, "s", "limit", ("<=", 1))
        session.rollback()
    yield from _measured(stage, ROWS)


def measure_large(stage: Stage) -> Iterator[Figure]:
    """The same of ten million rents, without the release."""
    yield from _measured(stage, LARGE)


def _measured(stage: Stage, rows: int) -> Iterator[Figure]:
    folder = stage.settings.places.home.parent / "duckdb"
    with stage.superuser() as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute(FILL.encode(), {"rows": rows})
        superuser.execute(LIMITS.encode())
        superuser.execute("RESET session_replication_role")
        superuser.execute("VACUUM (ANALYZE) reg.rent_observation, reg.rent_limit")
        with stage.register.database.transaction(stage.register.operator) as session:
            ours = _quickest(lambda: rebuild(session, USE))
            session.commit()
        one, peer = _quickest(lambda: _one_sum(superuser)), _peer(superuser, folder)
        yield Figure("rents.sums", ours, one, "s, all against one", "peer", ("<=", 2.5))
        yield Figure("rents.sums.duckdb", ours, peer, "s")
        yield Figure("rents.one_sum.duckdb", one, peer, "s, one against all")
        tracemalloc.start()
        with stage.register.database.transaction(stage.register.operator, read_only=True) as session:
            start = time.perf_counter()
            cells = load_cells(session, [USE])
            loaded = time.perf_counter() - start
        _, community = np.unique(cells.community, return_inverse=True)
        _, stratum = np.unique(np.stack((cells.class_, cells.new_let)), axis=1, return_inverse=True)
        moments = cells.moments(cells.month - FIRST, community.ravel(), stratum.ravel(), MONTHS)
        time_dummy(moments)
        megabytes = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        yield Figure("rents.load", loaded, 1, "s", "limit", ("<=", 1))
        solved = _quickest(lambda: time_dummy(moments))
        yield Figure("rents.solve", solved, 0.1, "s", "limit", ("<=", 1))
        seconds, dense = _dense(superuser, folder)
        yield Figure("rents.index", ours + loaded + solved, seconds * rows / DENSE, "s, statsmodels scaled")
        yield Figure("rents.memory", megabytes, dense * rows / DENSE, "MB, statsmodels scaled")
        ((told,),) = superuser.execute(CORRECT.encode(), [[f"BENCH{number}" for number in range(1, DELTA + 1)]]).fetchall()
        triggers = {one["Trigger Name"]: one["Time"] / 1000 for one in told[0]["Triggers"]}
        yield Figure("rents.delta", triggers["sum_update"] + triggers["pair_update"], 0.1, "s", "limit", ("<=", 1))
        yield Figure("rents.correction", told[0]["Execution Time"] / 1000, triggers["keep_past"], "s, against keeping the past")


def _one_sum(superuser: psycopg.Connection[tuple[Any, ...]]) -> None:
    """The same rows trimmed and grouped, with one sum in place of 77: what PostgreSQL needs before it multiplies anything."""
    with superuser.transaction():
        superuser.execute("SET LOCAL work_mem = '256MB'")
        statement = ADDING.format(sums="reg.total(o.log_rent)", rows=OF_USE)
        superuser.execute(f"CREATE TEMP TABLE summed ON COMMIT DROP AS {statement}".replace("%(use)s", f"'{USE}'").encode())


def _dense(superuser: psycopg.Connection[tuple[Any, ...]], folder: Path) -> tuple[float, float]:
    """Seconds and megabytes of statsmodels for some of the rents."""
    table = np.array(superuser.execute(SOME.encode()).fetchall(), object)
    period, community, class_ = (np.unique(table[:, at].astype(str), return_inverse=True)[1].ravel() for at in range(3))
    given = {"period": period, "community": community, "stratum": class_ * 2 + table[:, 3].astype(np.int64)}
    y, x = table[:, 4].astype(np.float64), table[:, 5:].astype(np.float64)
    np.savez(folder / "some.npz", allow_pickle=False, **given, y=y, x=x)
    told = subprocess.run([sys.executable, "-c", DENSE_PEER, str(folder / "some.npz")], check=True, capture_output=True, text=True).stdout
    seconds, megabytes = map(float, told.split())
    return seconds, megabytes


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
