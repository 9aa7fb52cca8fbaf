"""Double-imputation hedonic index: what the leases of one period would have cost in the other, both by estimate.

Coefficients are estimated for each period by itself, so that nothing need keep its worth. Hill and Melser 2008; de Haan 2010; Eurostat,
RPPI Handbook (2013), chapter 5, sections on double imputation. The base is fixed within a year and chained in January.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from gridmgmt.rents.methods.influence import Influence
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.linear import Normal
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Columns, Regression, by_periods, columns_of, joined
from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason, Series, series_of
from gridmgmt.rents.methods.threads import one_thread


class Formula(StrEnum):
    """How the leases of the base and of the period compared are put together."""

    LASPEYRES = "laspeyres"
    """Those of the base."""
    PAASCHE = "paasche"
    """Those of the period compared."""
    FISHER = "fisher"
    """The geometric mean of both."""
    TORNQVIST = "tornqvist"
    """Geometric means by shares in value, half of either's leases."""


@one_thread()
def double_imputation(
    leases: Leases,
    *,
    formula: Formula = Formula.FISHER,
    by_value: bool = False,
    links: Sequence[int] | IntArray = (0,),
    reach: int = 1,
    kennedy: bool = True,
) -> "Imputed":
    """The index (T,), period 0 = 100.

    L_t = exp(mean over S_0 of z(b_t − b_0)) and P_t the same over S_t, where z are a lease's community, stratum and attributes and S_t the
    leases of period t. `by_value`: arithmetic means instead, Σ p_t·m² ÷ Σ p_0·m² of imputed rents; Törnqvist weighs by imputed value in any
    case. `links`: periods from which on the base is new (each January); one without a number hands on to the next that has one. A period
    that lacks a community or stratum which must be imputed is estimated together with its neighbours, t − 1 .. t + 1, or up to `reach` on
    either side; when they lack it too the period is NaN (too_few). Errors are exact for geometric means, to first order else, for
    independent leases of one variance and given z. Raises EstimationError: no_observations, base_empty.
    """
    counts = leases.counts
    if not counts.any():
        raise EstimationError(Reason.NO_OBSERVATIONS)
    if not counts[0]:
        raise EstimationError(Reason.BASE_EMPTY)
    fits = _Fits.of(leases)
    influence = Influence.none(leases.periods, fits.columns)
    logs, pooled = np.full(leases.periods, np.nan), np.zeros(leases.periods, np.int64)
    reasons: list[Reason | None] = [None if count else Reason.NO_OBSERVATIONS for count in counts]
    logs[0], base, new_base = 0.0, 0, False
    rss, freedom = 0.0, 0
    for period in range(1, leases.periods):
        new_base = new_base or period in links
        if not counts[period]:
            continue
        found = fits.compared(base, period, formula, by_value=by_value, reach=reach)
        if found is None:
            reasons[period] = Reason.TOO_FEW
            continue
        logs[period] = logs[base] + found.log
        pooled[period] = found.now.reach
        influence.lay(period, np.array([base]))
        for level, gradient, sign in ((found.now, found.by_now, 1.0), (found.then, found.by_then, -1.0)):
            influence.add(period, level.start, level.length, sign * level.row(gradient))
        rss, freedom = rss + found.now.regression.fit.rss, freedom + found.now.regression.fit.freedom
        if new_base:
            base, new_base = period, False
    covariance = influence.covariance(fits.normals) * (rss / freedom if freedom > 0 else np.nan)
    unknown = ~np.isfinite(logs)
    covariance[unknown, :] = np.nan
    covariance[:, unknown] = np.nan
    if kennedy:
        logs -= 0.5 * np.nan_to_num(np.diagonal(covariance))
    return Imputed(series_of(logs, counts=counts, reasons=reasons, covariance=covariance), pooled)


@dataclass(frozen=True, slots=True, eq=False)
class Imputed:
    """A series, and for each period how many neighbours on either side it was estimated with: `pooled` (T,), 0 where by itself."""

    series: Series
    pooled: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Log rents in one period by a regression over it and `reach` neighbours on either side.

    `parts` (q,): of the period, each community, each stratum, each attribute beyond its middle.
    """

    regression: Regression
    start: int
    place: int
    reach: int

    @property
    def length(self) -> int:
        return self.regression.columns.periods

    @property
    def parts(self) -> FloatArray:
        known = self.regression.fit.coefficients
        return np.concatenate(([self.regression.middle_y + known[self.place]], known[self.length :]))

    def _combinations(self, parts: FloatArray) -> FloatArray:
        own = np.zeros((len(parts), self.length))
        own[:, self.place] = 1.0
        return np.hstack((own, parts[:, 1:]))

    def row(self, mean: FloatArray) -> FloatArray:
        """What a lease with the mean parts (q,) has from the leases of the fit, (length + q − 1,)."""
        return (self._combinations(mean[None, :]) @ self.regression.fit.inverse)[0]

    def determines(self, parts: FloatArray) -> bool:
        """Whether the leases of the fit say what leases with each of these parts (m, q) cost."""
        return bool(self.regression.fit.determines(self._combinations(parts)).all())


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A movement from one period to another: its logarithm, and its gradient by the parts of either level."""

    log: float
    now: _Level
    by_now: FloatArray
    then: _Level
    by_then: FloatArray


@dataclass(slots=True, eq=False)
class _Fits:
    """The leases by periods, and the regressions made so far."""

    leases: Leases
    normals: list[Normal]
    columns: Columns
    middle_y: float
    middle_x: FloatArray
    inside: list[IntArray]
    made: dict[tuple[int, int], _Level]

    @classmethod
    def of(cls, leases: Leases) -> "_Fits":
        moments = Moments.of(leases)
        order = np.argsort(leases.period, kind="stable")
        inside = np.split(order, np.cumsum(leases.counts)[:-1])
        columns, middle_y, middle_x = columns_of(moments), float(leases.y.mean()), np.asarray(leases.x.mean(axis=0), np.float64)
        return cls(leases, by_periods(moments, columns, middle_y, middle_x), columns, middle_y, middle_x, inside, {})

    def compared(self, then: int, now: int, formula: Formula, *, by_value: bool, reach: int) -> _Compared | None:
        """The movement from `then` to `now`; None when a level that is needed is missing."""
        samples = {
            Formula.LASPEYRES: (then,),
            Formula.PAASCHE: (now,),
        }.get(formula, (then, now))
        # means of logarithms take the means of the leases' parts alone; means by value take each lease's own rent
        singly = by_value or formula is Formula.TORNQVIST
        parts = {period: self._parts(self.inside[period]) for period in samples}
        needed = np.vstack([own if singly else own.mean(axis=0) for own in parts.values()])
        before, after = self._level(then, needed, reach), self._level(now, needed, reach)
        if before is None or after is None:
            return None
        log, by_now, by_then = 0.0, np.zeros(needed.shape[1]), np.zeros(needed.shape[1])
        for period, own in parts.items():
            low, high, size = own @ before.parts, own @ after.parts, self.leases.size[self.inside[period]]
            if formula is Formula.TORNQVIST:
                up = down = _shares(high if period == now else low, size)
                part = float(up @ (high - low))
            elif by_value:
                up, down = _shares(high, size), _shares(low, size)
                part = float(np.log(down @ np.exp(high - low)))
            else:
                up = down = np.full(len(own), 1 / len(own))
                part = float(np.mean(high - low))
            log += part / len(samples)
            by_now += up @ own / len(samples)
            by_then += down @ own / len(samples)
        return _Compared(log, after, by_now, before, by_then)

    def _level(self, period: int, needed: FloatArray, reach: int) -> _Level | None:
        for wide in range(reach + 1):
            level = self._made(period, wide)
            if level.determines(needed) and (level.regression.fit.freedom > 0 or wide == reach):
                return level
        return None

    def _made(self, period: int, reach: int) -> _Level:
        if (period, reach) not in self.made:
            start, end = max(0, period - reach), min(self.leases.periods, period + reach + 1)
            regression = joined(self.normals[start:end], replace(self.columns, periods=end - start), self.middle_y, self.middle_x)
            self.made[period, reach] = _Level(regression, start, period - start, reach)
        return self.made[period, reach]

    def _parts(self, inside: IntArray) -> FloatArray:
        """What the leases at these places have of each part of a level, (m, q)."""
        columns = self.columns
        parts = np.zeros((len(inside), 1 + columns.size - columns.periods))
        places = columns.places(np.zeros(len(inside), np.int64), self.leases.community[inside], self.leases.stratum[inside])
        parts[:, 0] = 1.0
        parts[np.arange(len(inside))[:, None], places[:, 1:] - columns.periods + 1] = 1.0
        parts[:, parts.shape[1] - columns.attributes :] = self.leases.x[inside] - self.middle_x
        return parts


def _shares(logs: FloatArray, size: FloatArray) -> FloatArray:
    values = np.exp(logs - logs.max()) * size
    return values / values.sum()
