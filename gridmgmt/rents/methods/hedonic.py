"""Time-dummy hedonic index: y = d_t + c_community + s_stratum + x'b + e, and the index is 100·exp(d_t − d_base).

Court 1939; Griliches 1961; Eurostat, Handbook on Residential Property Prices Indices (2013), chapter 5. The effects of communities and
strata hold the mix steady by place and use, the attributes x within them.
"""

import numpy as np

from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.linear import Normal, solve
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Errors, Regression, regress
from gridmgmt.rents.methods.series import BoolArray, EstimationError, FloatArray, IntArray, Reason, Series, series_of
from gridmgmt.rents.methods.threads import one_thread
from gridmgmt.rents.methods.trim import refitted


@one_thread()
def time_dummy(moments: Moments, *, base: int = 0, kennedy: bool = True) -> Series:
    """The index (T,) from sums alone, with ordinary errors.

    `kennedy`: 100·exp(d_t − V(d_t)/2), for exp of an unbiased estimate errs upwards (Kennedy 1981; Giles 1982). A period without leases or
    one that nothing links to the base is NaN with its reason. Raises EstimationError: no_observations, or base_empty when period `base` has
    no lease.
    """
    regression = regress(moments)
    return index_of(regression, regression.fit.covariance, base=base, kennedy=kennedy)


@one_thread()
def time_dummy_of(
    leases: Leases, *, base: int = 0, kennedy: bool = True, errors: Errors = Errors.UNIT, rounds: int = 4, limit: float = 4.0
) -> Series:
    """The index (T,) from the leases: those with |e| > `limit` spreads are dropped and the rest fitted again, at most `rounds` times.

    `errors` as chosen; Kennedy's correction takes their variance. Raises as `time_dummy`.
    """

    whole = Moments.of(leases)

    def fit(kept: BoolArray) -> tuple[Regression, FloatArray]:
        regression = regress(whole if kept.all() else whole - Moments.of(leases.where(~kept)))
        return regression, regression.residuals(leases)

    regression, kept = refitted(len(leases), fit, limit=limit, rounds=rounds)
    covariance = regression.covariance(leases.where(kept), errors)
    return index_of(regression, covariance, base=base, kennedy=kennedy, trimmed=leases.counts - leases.where(kept).counts)


def index_of(regression: Regression, covariance: FloatArray, *, base: int, kennedy: bool, trimmed: IntArray | None = None) -> Series:
    """The series (T,) of a regression whose coefficients have this covariance (p, p)."""
    periods, fit, counts = regression.columns.periods, regression.fit, regression.counts
    if not counts[base]:
        raise EstimationError(Reason.BASE_EMPTY)
    reasons = reasons_of(regression, base)
    known = np.array([reason is None for reason in reasons])
    differences = np.eye(periods) - np.eye(periods)[base]
    logs = np.where(known, differences @ fit.coefficients[:periods], np.nan)
    own = differences @ covariance[:periods, :periods] @ differences.T
    own[~known, :] = np.nan
    own[:, ~known] = np.nan
    if kennedy:
        logs = logs - 0.5 * np.nan_to_num(np.diagonal(own))
    return series_of(logs, counts=counts, reasons=reasons, base=base, trimmed=trimmed, covariance=own)


def reasons_of(regression: Regression, base: int) -> list[Reason | None]:
    """For each period why its difference to the base cannot be had, or None where it can."""
    columns, fit = regression.columns, regression.fit
    differences = np.zeros((columns.periods, columns.size))
    differences[:, : columns.periods] = np.eye(columns.periods) - np.eye(columns.periods)[base]
    determined = fit.determines(differences)
    determined[base] = True
    linked = _linked(regression, differences) if not determined.all() else determined
    return [
        Reason.NO_OBSERVATIONS if not count else None if sure else Reason.COLLINEAR if link else Reason.DISCONNECTED
        for count, sure, link in zip(regression.counts, determined, linked, strict=True)
    ]


def _linked(regression: Regression, differences: FloatArray) -> BoolArray:
    """What the dummies alone would determine: where they do and the whole does not, the attributes are to blame."""
    normal, dummies = regression.normal, regression.columns.attributes_from
    alone = Normal(normal.matrix[:dummies, :dummies], normal.right[:dummies], normal.total, normal.n)
    return solve(alone).determines(differences[:, :dummies])
