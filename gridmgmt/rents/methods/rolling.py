"""Rolling-window time-dummy index: each new period is estimated within the last W periods and spliced on to what is published.

Published numbers are never revised, and attributes and communities may change their worth as the window moves on. Shimizu, Takatsuji, Ono
and Nishimura 2010; Krsinich 2016 (window splice); Diewert and Fox 2017 (mean splice); Eurostat, RPPI Handbook (2013), section 5.31.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from gridmgmt.rents.methods.hedonic import reasons_of
from gridmgmt.rents.methods.influence import Influence
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.linear import Normal, correction
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Errors, Regression, by_periods, columns_of, joined, regress
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason, Series, series_of
from gridmgmt.rents.methods.threads import one_thread
from gridmgmt.rents.methods.trim import refitted


class Splice(StrEnum):
    """Which of the overlapping periods the new window is laid on."""

    MEAN = "mean"
    """All W − 1 of them: the geometric mean."""
    MOVEMENT = "movement"
    """The last one: the newest movement alone."""
    WINDOW = "window"
    """The first one: the movement over the whole window."""


@one_thread()
def rolling(moments: Moments, *, window: int = 24, splice: Splice = Splice.MEAN, kennedy: bool = True) -> Series:
    """The index (T,) from sums alone, period 0 = 100.

    `window`: periods of a window, at least 13 months so that each meets its like of the year before; a history that is no longer gets the
    plain time dummy. ln I_t is the mean over the overlap s of (ln I_s − d_s), plus d_t, where I_s are published and d the window's own.
    Periods that their window does not link to a published one are NaN with their reason. Errors are exact for independent leases with the
    variance of the window that published the number: each lease is followed through all windows. Kennedy's correction as in hedonic.py.
    Raises ValueError for a window below two periods, EstimationError: no_observations, or base_empty when period 0 has no lease.
    """
    chain = _Chain.begun(moments)
    _publish(chain, window, splice)
    return chain.series(chain.influence.covariance(chain.normals) * _outer(chain.deviations), kennedy=kennedy)


@one_thread()
def rolling_of(
    leases: Leases,
    *,
    window: int = 24,
    splice: Splice = Splice.MEAN,
    kennedy: bool = True,
    errors: Errors = Errors.UNIT,
    rounds: int = 4,
    limit: float = 4.0,
) -> Series:
    """The index (T,) from leases, without those far from the fit of the window that published their period; else as `rolling`.

    Once judged, a lease stays in or out: what was published was made with it or without. At most `rounds` refits a window, |e| > `limit`
    spreads is far. Robust errors take the residuals from the window that published the lease's period, and its correction for a small
    sample.
    """
    used = leases.where(_judged(leases, window, rounds, limit))
    chain = _Chain.begun(Moments.of(used))
    if errors is Errors.ORDINARY:
        _publish(chain, window, splice)
        covariance = chain.influence.covariance(chain.normals) * _outer(chain.deviations)
    else:
        residuals, factors = np.zeros(len(used)), np.full(leases.periods, np.nan)
        for regression, start, new in _publish(chain, window, splice):
            inside = np.flatnonzero((used.period >= start) & (used.period < start + regression.columns.periods))
            part = used.where(inside).between(start, start + regression.columns.periods)
            fresh = part.period >= new - start
            residuals[inside[fresh]] = regression.residuals(part)[fresh]
            factors[new : start + regression.columns.periods] = np.sqrt(correction(regression.fit, _clusters(part, errors)))
        covariance = chain.influence.robust(used, residuals, errors, chain.middle_x) * _outer(factors)
    return replace(chain.series(covariance, kennedy=kennedy), trimmed=leases.counts - used.counts)


def _publish(chain: "_Chain", window: int, splice: Splice) -> list[tuple[Regression, int, int]]:
    """Go through the windows: the regression of each, its first period, and the first one that it published."""
    if window < 2:
        raise ValueError("a window of one period has no overlap")
    length = min(window, len(chain.normals))
    columns = replace(chain.influence.columns, periods=length)
    windows: list[tuple[Regression, int, int]] = []
    for end in range(length, len(chain.normals) + 1):
        start = end - length
        if start == 0 or chain.counts[end - 1]:
            regression = joined(chain.normals[start:end], columns, chain.middle_y, chain.middle_x)
            chain.add(regression, end, splice)
            windows.append((regression, start, 0 if start == 0 else end - 1))
    return windows


def _clusters(leases: Leases, errors: Errors) -> int | None:
    if errors is Errors.HC1:
        return None
    return len(np.unique(leases.unit if errors is Errors.UNIT else leases.building))


def _outer(deviations: FloatArray) -> FloatArray:
    return deviations[:, None] * deviations


def _judged(leases: Leases, window: int, rounds: int, limit: float) -> BoolArray:
    """Which leases stay, (n,): those of the first window are judged together, each later period's by the window that ends with it."""
    kept = np.ones(len(leases), np.bool_)
    length = min(window, leases.periods)
    order = np.argsort(leases.period, kind="stable")
    starts = np.searchsorted(leases.period[order], np.arange(leases.periods + 1))
    for end in range(length, leases.periods + 1):
        inside = order[starts[end - length] : starts[end]]
        new = order[starts[0 if end == length else end - 1] : starts[end]]
        if len(new):
            _judge(leases, kept, inside, new, (end - length, end), rounds=rounds, limit=limit)
    return kept


def _judge(leases: Leases, kept: BoolArray, inside: IntArray, new: IntArray, span: tuple[int, int], *, rounds: int, limit: float) -> None:
    """Settle `kept` for the places `new`, by the fit of the window `span`, whose leases are at the places `inside`."""
    used = inside[kept[inside]]
    part = leases.where(used).between(*span)
    open_ = np.isin(used, new)
    whole = Moments.of(part)

    def fit(chosen: BoolArray) -> tuple[None, FloatArray]:
        chosen = chosen | ~open_
        regression = regress(whole if chosen.all() else whole - Moments.of(part.where(~chosen)))
        return None, regression.residuals(part)

    _, chosen = refitted(len(used), fit, limit=limit, rounds=rounds)
    kept[used[open_ & ~chosen]] = False


@dataclass(slots=True, eq=False)
class _Chain:
    """What is published so far: log index numbers (T,), for each the residual standard deviation of its window (T,), so that errors are not
    revised either, and what each lease has to do with it."""

    normals: list[Normal]
    counts: IntArray
    middle_y: float
    middle_x: FloatArray
    logs: FloatArray
    deviations: FloatArray
    reasons: list[Reason | None]
    influence: Influence

    @classmethod
    def begun(cls, moments: Moments) -> "_Chain":
        """Nothing is published yet. Raises EstimationError: no_observations, base_empty."""
        counts = moments.counts
        if not counts.any():
            raise EstimationError(Reason.NO_OBSERVATIONS)
        if not counts[0]:
            raise EstimationError(Reason.BASE_EMPTY)
        middle_y, middle_x = float(moments.sum_y.sum() / counts.sum()), np.asarray(moments.sum_x.sum(axis=0) / counts.sum(), np.float64)
        columns, none = columns_of(moments), np.full(moments.periods, np.nan)
        reasons: list[Reason | None] = [None if count else Reason.NO_OBSERVATIONS for count in counts]
        normals = by_periods(moments, columns, middle_y, middle_x)
        return cls(normals, counts, middle_y, middle_x, none.copy(), none, reasons, Influence.none(moments.periods, columns))

    def add(self, regression: Regression, end: int, splice: Splice) -> None:
        """Publish what the window of the periods before `end` says of those that are not published yet."""
        length = regression.columns.periods
        start = end - length
        if start == 0:
            self._lay(regression, 0, np.array([0]), np.arange(length), reasons_of(regression, 0))
            return
        published = np.flatnonzero(np.isfinite(self.logs[start : end - 1]))
        reasons = reasons_of(regression, length - 1)
        linked = np.array([place for place in published if reasons[place] is None], np.int64)
        if not len(linked):
            self.reasons[end - 1] = reasons[published[-1]] if len(published) else Reason.DISCONNECTED
            return
        overlap = {Splice.MEAN: linked, Splice.MOVEMENT: linked[-1:], Splice.WINDOW: linked[:1]}[splice]
        self._lay(regression, start, overlap, np.array([length - 1]), [None])

    def _lay(self, regression: Regression, start: int, overlap: IntArray, new: IntArray, reasons: list[Reason | None]) -> None:
        length, known, inverse = regression.columns.periods, regression.fit.coefficients, regression.fit.inverse
        level = -known[0] if start == 0 else float(np.mean(self.logs[start + overlap] - known[overlap]))
        before = inverse[overlap].mean(axis=0)
        for place, reason in zip(new, reasons, strict=True):
            at = start + int(place)
            if reason is not None:
                self.reasons[at] = reason
                continue
            self.deviations[at] = np.sqrt(regression.fit.variance)
            self.logs[at] = level + known[place]
            if start:
                self.influence.lay(at, start + overlap)
            self.influence.add(at, start, length, inverse[place] - before)

    def series(self, covariance: FloatArray, *, kennedy: bool) -> Series:
        """The series with this covariance (T, T) of the logarithms."""
        unknown = ~np.isfinite(self.logs)
        covariance[unknown, :] = np.nan
        covariance[:, unknown] = np.nan
        logs = self.logs - 0.5 * np.nan_to_num(np.diagonal(covariance)) if kennedy else self.logs
        return series_of(logs, counts=self.counts, reasons=self.reasons, covariance=covariance)
