"""The additive statistics of repeat rents: sums over pairs of rents of the same unit, by the months of both.

PostgreSQL keeps them beside the observations, as it does the sums of gridmgmt/rents/statistics.py, and by the same limits. A repeat-rent
index of any area and window is solved from them in milliseconds, without a look at a lease.
"""

from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from gridmgmt.rents.methods.pairs import PairSums
from gridmgmt.rents.methods.series import IntArray
from gridmgmt.rents.observations import MICRO
from gridmgmt.rents.samples import Span
from gridmgmt.rents.statistics import COUNTED, NUMBER, OF_USE, fetch

REBUILD: Final = f"""
    INSERT INTO reg.rent_pair_statistic (community_id, use, earlier, later, n, sum_u, sum_uu)
    SELECT p.community_id, p.use, p.earlier, p.later, count(*), sum(p.u), sum(p.u * p.u)
      FROM (SELECT m.community_id, m.use, lag(m.month) OVER unit AS earlier, m.month AS later, m.y - lag(m.y) OVER unit AS u
              FROM (SELECT o.unit_id, o.use, min(o.community_id) AS community_id, o.month, round(avg(o.log_rent))::bigint AS y
                    {COUNTED.format(rows=OF_USE)}
                     GROUP BY o.unit_id, o.use, o.month) m
            WINDOW unit AS (PARTITION BY m.unit_id, m.use ORDER BY m.month)) p
     WHERE p.earlier IS NOT NULL
     GROUP BY 1, 2, 3, 4"""  # noqa: S608 -- words of these files only
LOAD: Final = """
    SELECT (extract(year FROM earlier) * 12 + extract(month FROM earlier) - 1)::bigint,
           (extract(year FROM later) * 12 + extract(month FROM later) - 1)::bigint,
           sum(n)::bigint, sum(sum_u)::bigint, sum(sum_uu)::bigint
      FROM reg.rent_pair_statistic WHERE use = %(use)s AND community_id = ANY (%(communities)s)
     GROUP BY 1, 2 HAVING sum(n) > 0 ORDER BY 1, 2"""
COLUMNS: Final = ("earlier", "later", "n", "sum_u", "sum_uu")
RECORD: Final = np.dtype([("fields", ">i2"), *((name, NUMBER) for name in COLUMNS)])


def rebuild_pairs(session: Session, use: str) -> int:
    """Make the statistics of a use anew from the observations and the limits that stand; the number of rows."""
    driver = session.connection()
    driver.exec_driver_sql("DELETE FROM reg.rent_pair_statistic WHERE use = %(use)s", {"use": use})
    return max(driver.exec_driver_sql(REBUILD, {"use": use}).rowcount, 0)


def load_pair_sums(session: Session, use: str, communities: IntArray, span: Span) -> PairSums:
    """The sums of all pairs of a use in these communities whose months both lie in the span, in its periods.

    A pair within one period tells nothing of how periods differ and is left out.
    """
    told = fetch(session, LOAD, {"use": use, "communities": communities.tolist()}, RECORD)
    earlier, later, n, sum_u, sum_uu = (told[name]["value"].astype(np.int64) for name in COLUMNS)
    first, second = span.period(earlier), span.period(later)
    inside = (first >= 0) & (second > first)
    keys, cell = np.unique(first[inside] * span.periods + second[inside], return_inverse=True)

    def added(column: IntArray) -> IntArray:
        total = np.zeros(len(keys), np.int64)
        np.add.at(total, cell, column[inside])
        return total

    return PairSums(
        first=keys // span.periods,
        second=keys % span.periods,
        n=added(n),
        sum_u=added(sum_u) / MICRO,
        sum_uu=added(sum_uu) / MICRO**2,
        periods=span.periods,
    )
