"""Estimates between releases: the index of any area, use and window, solved in milliseconds from the sums that triggers keep.

Nobody has reviewed them, nothing is trimmed but what the last limits call gross errors, and no disclosure control has judged them: they are
for the office, and never published.
"""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from gridmgmt.errors import InvalidError
from gridmgmt.rents.catalogue import Solved
from gridmgmt.rents.computing import LONGEST, area_id, communities_of
from gridmgmt.rents.methods.hedonic import time_dummy
from gridmgmt.rents.methods.repeat import bmn, case_shiller
from gridmgmt.rents.methods.series import EstimationError, IntArray, Reason, Series
from gridmgmt.rents.pair_statistics import load_pair_sums
from gridmgmt.rents.samples import Frequency, Lets, Span
from gridmgmt.rents.statistics import load_cells


@dataclass(frozen=True)
class Estimate:
    """One period: its index, the standard error of the logarithm and the observations, or the reason why there is no number."""

    period: dt.date
    value: float | None
    se: float | None
    n: int
    reason: Reason | None


def estimate(
    session: Session,
    code: str,
    use: str,
    first: dt.date,
    last: dt.date,
    *,
    frequency: Frequency = "month",
    lets: Lets = "all",
    method: Solved = "time_dummy",
) -> list[Estimate]:
    """The index from the period that holds `first`, which is 100, to that of `last`, from the statistics as they stand.

    `n` counts leases, for repeat rents the pairs that begin or end in the period; pairs know no new lets. Raises InvalidError for a span or
    a combination that there is none of, NotFoundError for an unknown area.
    """
    if first > last:
        raise InvalidError("the last period lies before the first", field="to")
    span = Span.between(first, last, frequency)
    if span.periods > LONGEST:
        raise InvalidError(f"an index has at most {LONGEST} periods", field="to")
    if method != "time_dummy" and lets != "all":
        raise InvalidError("rents of the same unit are paired over all leases: new lets have an index by time_dummy", field="lets")
    now: dt.datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    communities = communities_of(session, area_id(session, code), now)
    if method == "time_dummy":
        counts, solve = _leases(session, use, communities, span, lets)
    else:
        counts, solve = _pairs(session, use, communities, span, method)
    try:
        series = solve()
    except EstimationError as error:
        return [Estimate(day, None, None, int(n), error.reason) for day, n in zip(span.days[:-1], counts, strict=True)]
    told = zip(span.days[:-1], series.values.tolist(), series.errors.tolist(), counts.tolist(), series.reasons, strict=True)
    return [
        Estimate(
            day, round(value, 4) if reason is None else None, round(se, 6) if reason is None and math.isfinite(se) else None, n, reason
        )
        for day, value, se, n, reason in told
    ]


def _leases(session: Session, use: str, communities: IntArray, span: Span, lets: Lets) -> tuple[IntArray, Callable[[], Series]]:
    """Leases of each period, and the index by their sums."""
    cells = load_cells(session, (use,), communities=communities.tolist())
    if lets == "new":
        cells = cells.where(cells.new_let == 1)
    period = span.period(cells.month)
    counts = np.zeros(span.periods, np.int64)
    np.add.at(counts, period[period >= 0], cells.n[period >= 0])
    return counts, lambda: time_dummy(cells.moments(period, cells.community, cells.class_ * 2 + cells.new_let, span.periods))


def _pairs(session: Session, use: str, communities: IntArray, span: Span, method: Solved) -> tuple[IntArray, Callable[[], Series]]:
    """Ends of pairs in each period, and the index by their sums."""
    sums = load_pair_sums(session, use, communities, span)
    return sums.touching(), lambda: bmn(sums) if method == "repeat" else case_shiller(sums)
