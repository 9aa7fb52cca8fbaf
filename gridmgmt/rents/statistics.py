"""The additive statistics: what every index is solved from, kept beside the observations by PostgreSQL.

One row of whole numbers for each month, community, use, class and kind of let. Triggers add what comes and take away what is corrected;
`rebuild` makes all of it anew with new limits of what is a gross error, in one statement. Both give the same digits, because sums of
integers do not depend on their order; and so does the same statement over the observations as they were known at an earlier moment.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import psycopg
from psycopg import sql
from sqlalchemy.orm import Session

from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.series import BoolArray, IntArray
from gridmgmt.rents.observations import ATTRIBUTES, MICRO

K: Final = len(ATTRIBUTES)
NUMBERS: Final = 2 + 2 * K + K * (K + 1) // 2
USES: Final = ("residential", "shop", "office", "plant", "warehouse", "other")
CLASSES: Final = ("self_built", "collective", "factory_dormitory", "commodity", "apartment", "other")

OF_USE: Final = "SELECT * FROM reg.rent_observation WHERE use = %(use)s"
THEN: Final = """
    SELECT {columns} FROM reg.rent_observation WHERE recorded_from <= %(cut)s
     UNION ALL SELECT {columns} FROM reg.rent_observation_past WHERE recorded_from <= %(cut)s AND recorded_to > %(cut)s"""
NEEDED: Final = "subdistrict_id, community_id, use, class, new_let, month, log_rent, reason, deleted_at, " + ", ".join(ATTRIBUTES)


def _sums() -> str:
    terms = ["o.log_rent", "o.log_rent * o.log_rent", *(f"o.{one}" for one in ATTRIBUTES), *(f"o.{one} * o.log_rent" for one in ATTRIBUTES)]
    terms += [f"o.{one} * o.{other}" for place, one in enumerate(ATTRIBUTES) for other in ATTRIBUTES[place:]]
    return "ARRAY[" + ", ".join(f"reg.total({term})" for term in terms) + "]"


COUNTED: Final = """
      FROM ({rows}) o
      LEFT JOIN reg.rent_limit l ON l.subdistrict_id = o.subdistrict_id AND l.use = o.use AND l.class = o.class
        AND l.year = date_part('year', o.month)::int
      LEFT JOIN reg.rent_limit w ON l.use IS NULL AND w.subdistrict_id = 0 AND w.use = o.use AND w.class = '' AND w.year = 0
     WHERE o.reason IS NULL AND o.deleted_at IS NULL
       AND abs(o.log_rent - coalesce(l.centre, w.centre, o.log_rent)) <= 5 * coalesce(l.spread, w.spread, 1)"""
"""The observations `o` of some rows that count: not set aside, and no gross errors by the limits of their group, or else of their use."""
ADDING: Final = (
    "SELECT o.month, o.community_id, o.use, o.class, o.new_let, count(*)::int AS n, {sums} AS sums" + COUNTED + " GROUP BY 1, 2, 3, 4, 5"
)


REBUILD: Final = (
    "SET LOCAL work_mem = '256MB'",  # ninety thousand cells, a kilobyte each, for every process that sums
    "CREATE TEMP TABLE summed ON COMMIT DROP AS " + ADDING.format(sums=_sums(), rows=OF_USE),
    "SET LOCAL work_mem = DEFAULT",
    "DELETE FROM reg.rent_statistic WHERE use = %(use)s",
    "INSERT INTO reg.rent_statistic (month, community_id, use, class, new_let, n, sums) SELECT * FROM pg_temp.summed",
    "DROP TABLE pg_temp.summed",
)
"""The sums go through a table of the session's own: several processes add up for it, and none would for an INSERT."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Statistics as they are kept, m rows: months counted from year 0, ids of communities, places in USES and CLASSES, whether new lets.

    `sums` (m, 77) are whole numbers in the order of reg.rent_statistic. Several rows may stand for one cell.
    """

    month: IntArray
    community: IntArray
    use: IntArray
    class_: IntArray
    new_let: IntArray
    n: IntArray
    sums: IntArray

    def where(self, kept: BoolArray) -> "Cells":
        """The rows for which the mask (m,) holds."""
        columns = (self.month, self.community, self.use, self.class_, self.new_let, self.n, self.sums)
        return Cells(*(column[kept] for column in columns))

    def moments(self, period: IntArray, community: IntArray, stratum: IntArray, periods: int) -> Moments:
        """The rows added up by cells (period, community, stratum), each (m,): codes from 0 on. Rows of period −1 are left out."""
        inside = period >= 0
        codes = np.stack((period, community, stratum), axis=1)[inside]
        keys, cell = np.unique(codes, axis=0, return_inverse=True)
        n = np.zeros(len(keys), np.int64)
        np.add.at(n, cell.ravel(), self.n[inside])
        total = np.zeros((len(keys), NUMBERS), np.int64)
        np.add.at(total, cell.ravel(), self.sums[inside])
        keys, n, real = keys[n > 0], n[n > 0], total[n > 0].astype(np.float64)
        return Moments(
            period=keys[:, 0],
            community=keys[:, 1],
            stratum=keys[:, 2],
            n=n,
            sum_y=real[:, 0] / MICRO,
            sum_yy=real[:, 1] / MICRO**2,
            sum_x=real[:, 2 : 2 + K] / MICRO,
            sum_xy=real[:, 2 + K : 2 + 2 * K] / MICRO**2,
            sum_xx=real[:, 2 + 2 * K :] / MICRO**2,
            periods=periods,
        )


def rebuild(session: Session, use: str) -> int:
    """Make the statistics of a use anew from the observations and the limits that stand; the number of cells."""
    driver = session.connection()
    *_, written, _ = [driver.exec_driver_sql(statement, {"use": use} if "%" in statement else None).rowcount for statement in REBUILD]
    return written


def load_cells(
    session: Session, uses: Sequence[str] = USES, *, communities: Sequence[int] | None = None, cut: dt.datetime | None = None
) -> Cells:
    """The statistics of some uses and communities, or of all, as they are kept; or as `rebuild` would make them of the observations known
    at `cut`.
    """
    if cut is None:
        rows = "SELECT month, community_id, use, class, new_let, n, sums FROM reg.rent_statistic"
    else:
        rows = ADDING.format(sums=_sums(), rows=THEN.format(columns=NEEDED))
    query = f"""
        SELECT (extract(year FROM month) * 12 + extract(month FROM month) - 1)::bigint, community_id::bigint,
               array_position(%(every)s::text[], use)::bigint - 1, array_position(%(classes)s::text[], class)::bigint - 1,
               new_let::int::bigint, n::bigint, sums
          FROM ({rows}) c
         WHERE use = ANY (%(uses)s::text[]) AND (%(communities)s::int[] IS NULL OR community_id = ANY (%(communities)s::int[]))"""  # noqa: S608 -- words of this file only
    values: dict[str, Any] = {"every": list(USES), "classes": list(CLASSES), "uses": list(uses), "cut": cut}
    values["communities"] = None if communities is None else list(communities)
    told = fetch(session, query, values, RECORD)
    fields = (told[name]["value"].astype(np.int64) for name in ("month", "community", "use", "class", "new_let", "n"))
    return Cells(*fields, sums=told["sums"]["value"].astype(np.int64))


NUMBER: Final = np.dtype([("length", ">i4"), ("value", ">i8")])
RECORD: Final = np.dtype(
    [
        ("fields", ">i2"),
        *((name, NUMBER) for name in ("month", "community", "use", "class", "new_let", "n")),
        ("size", ">i4"),
        ("head", "V20"),
        ("sums", NUMBER, (NUMBERS,)),
    ]
)
"""A row of COPY's binary form: the array has a head of five words (dimensions, nulls, type, length, lower bound)."""


def fetch(session: Session, query: str, values: dict[str, Any], record: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The rows of a query whose every row has the same length in COPY's binary form, as that record. No row passes through Python."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(sql.SQL(query))  # pyright: ignore[reportArgumentType] -- see callers
    connection: psycopg.Connection = session.connection().connection.driver_connection  # pyright: ignore[reportAssignmentType]
    with connection.cursor() as cursor, cursor.copy(statement, values) as copy:
        told = b"".join(copy)
    signature, trailer = 19, 2
    return np.frombuffer(told, record, count=(len(told) - signature - trailer) // record.itemsize, offset=signature)
