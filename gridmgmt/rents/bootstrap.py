"""Standard errors by drawing units again, for indices that have no formula for them.

Efron 1979; whole units are drawn, with all their leases, because leases of one unit go together (Field and Welsh 2007).
"""

from collections.abc import Callable

import numpy as np

from gridmgmt.rents.leases import Leases
from gridmgmt.rents.series import EstimationError, FloatArray, IntArray, Series, contrast, errors_of


def bootstrap(leases: Leases, estimate: Callable[[IntArray], Series], *, repeats: int = 200, seed: int = 0, least: float = 0.9) -> Series:
    """The series of all leases, with the covariance of its logarithms over `repeats` samples of units.

    `estimate` makes the series of the leases at the places (m,) it is given, which may stand there repeatedly. The same `seed` gives the
    same errors. A period that less than the share `least` of the samples gave a number for gets NaN as its error. Raises ValueError for
    fewer than two repeats; what `estimate` raises for all leases.
    """
    if repeats < 2:
        raise ValueError("a spread takes two samples")
    order = np.argsort(leases.unit, kind="stable")
    _, starts, sizes = np.unique(leases.unit[order], return_index=True, return_counts=True)
    series = estimate(np.arange(len(leases)))
    rng = np.random.default_rng(seed)
    logs = np.full((repeats, series.periods), np.nan)
    for row in logs:
        drawn = rng.integers(0, len(starts), len(starts))
        try:
            row[:] = estimate(_leases_of(drawn, order, starts, sizes)).logs
        except EstimationError:
            continue  # a sample without the base; it counts against `least` in every period
    return _with_errors(series, logs, least)


def _leases_of(drawn: IntArray, order: IntArray, starts: IntArray, sizes: IntArray) -> IntArray:
    """Places of the leases of the drawn units, ascending, so that the order of the draw does not matter."""
    many = sizes[drawn]
    offsets = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    return np.sort(order[np.repeat(starts[drawn], many) + offsets])


def _with_errors(series: Series, logs: FloatArray, least: float) -> Series:
    given = np.isfinite(logs)
    known = (given.mean(axis=0) >= least) & np.isfinite(series.values)
    whole = given[:, known].all(axis=1)
    covariance = np.full((series.periods, series.periods), np.nan)
    if whole.sum() > 1:
        covariance[np.ix_(known, known)] = np.atleast_2d(np.cov(logs[whole][:, known], rowvar=False))
    base = np.flatnonzero(series.values == 100)[:1]
    unit = np.zeros(series.periods)
    unit[base] = 1.0
    covariance = contrast(covariance, unit)
    errors = errors_of(covariance)
    errors[base] = 0.0
    return Series(series.values, errors, series.counts, series.trimmed, series.reasons, covariance)
