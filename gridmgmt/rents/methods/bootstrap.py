"""Standard errors by drawing units anew, for estimates without a formula such as medians.

Whole units are drawn, with all their leases: a unit's rents depend on each other. Sources: Efron (1979); Davison and Hinkley (1997),
Bootstrap Methods and their Application, chapter 3.8 (clusters).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason

LEAST = 200
"""Fewer replicates say little of a standard error (Efron and Tibshirani 1993, chapter 6.4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """What replicates say of T log index numbers.

    `errors` (T,): standard deviations. `low`, `high` (T,): 2.5th and 97.5th percentiles. `failed` (T,): replicates without a number; where
    more than `most` of them failed the rest are a chosen few, and errors and limits are NaN.
    """

    errors: FloatArray
    low: FloatArray
    high: FloatArray
    failed: IntArray
    draws: int


def bootstrap(
    unit: IntArray,
    estimate: Callable[[IntArray, IntArray], FloatArray],
    *,
    draws: int = LEAST,
    seed: int = 0,
    most: float = 0.05,
) -> Replicates:
    """Draw as many units as there are, with replacement, `draws` times, and estimate from their leases.

    `unit` (n,): unit of each lease. `estimate` takes rows (k,) of leases, sorted, and their units (k,), numbered anew so that a unit drawn
    twice counts as two; it answers with logarithms (T,), NaN where it has none. An EstimationError of it counts as no number anywhere. The
    same seed gives the same draws for the same units, whatever the order of the leases. Raises ValueError for fewer than 200 draws,
    EstimationError (too_few) for fewer than two units.
    """
    if draws < LEAST:
        raise ValueError(f"a bootstrap takes at least {LEAST} draws")
    units, code = np.unique(unit, return_inverse=True)
    if len(units) < 2:
        raise EstimationError(Reason.TOO_FEW)
    by_unit = np.argsort(code, kind="stable")
    ends = np.searchsorted(code[by_unit], np.arange(len(units) + 1))
    random = np.random.default_rng(seed)
    answers: list[FloatArray | None] = []
    for _ in range(draws):
        drawn = np.sort(random.integers(0, len(units), len(units)))
        sizes = ends[drawn + 1] - ends[drawn]
        starts = np.repeat(ends[drawn] - np.r_[0, np.cumsum(sizes)[:-1]], sizes)
        rows, anew = by_unit[starts + np.arange(sizes.sum())], np.repeat(np.arange(len(drawn)), sizes)
        order = np.argsort(rows, kind="stable")
        try:
            answers.append(estimate(rows[order], anew[order]))
        except EstimationError:
            answers.append(None)
    return _told([answer for answer in answers if answer is not None], draws, most)


def _told(answers: list[FloatArray], draws: int, most: float) -> Replicates:
    if not answers:
        raise EstimationError(Reason.TOO_FEW)
    table = np.array(answers)
    failed = draws - np.isfinite(table).sum(axis=0)
    errors, low, high = (np.full(table.shape[1], np.nan) for _ in range(3))
    for period in np.flatnonzero(failed <= most * draws).tolist():
        known = table[np.isfinite(table[:, period]), period]
        errors[period] = known.std(ddof=1)
        low[period], high[period] = np.quantile(known, [0.025, 0.975])
    return Replicates(errors, low, high, failed.astype(np.int64), draws)
