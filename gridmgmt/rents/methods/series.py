"""An index over periods, with its errors and with the reason wherever there is none.

Every method of this package answers with a `Series`, or raises `EstimationError` where not a single number can be had. A number that the
observations do not determine is NaN and has a `Reason`; nothing is filled in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


class Reason(StrEnum):
    """Why a period, a cell or a whole run has no number."""

    NO_OBSERVATIONS = "no_observations"
    TOO_FEW = "too_few"
    DISCONNECTED = "disconnected"
    """Nothing observed links the period to the base: no community, stratum or unit was seen in both of their parts."""
    COLLINEAR = "collinear"
    """The attributes explain the period away: its movement cannot be told from theirs."""
    IMPRECISE = "imprecise"
    """The error is larger than `VAGUE`: the attributes all but explain the period away."""
    NO_STOCK = "no_stock"
    NO_PAIRS = "no_pairs"
    BASE_EMPTY = "base_empty"
    NO_PARENT = "no_parent"
    """A cell is empty and its parent gives no movement to carry it by."""
    NO_FREEDOM = "no_freedom"
    """As many parameters as observations: nothing is left to estimate an error from."""


VAGUE: Final = 1.0
"""Standard error of a logarithm with which a number says nothing any more, and Kennedy's correction makes it anything."""


class EstimationError(Exception):
    """Nothing can be estimated at all; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A rental price index 租金价格指数 over T periods.

    `values` (T,): the index, base = 100, NaN where none. `errors` (T,): standard errors of the index's natural logarithm (0.01 is about one
    percent), 0 at the base, NaN where none. `counts` (T,): observations used. `trimmed` (T,): observations dropped as gross errors.
    `reasons`: for each period why it has no value, None where it has one. `covariance` (T, T): of the logarithms, in contrast with the
    base, or None when the method gives none.
    """

    values: FloatArray
    errors: FloatArray
    counts: IntArray
    trimmed: IntArray
    reasons: tuple[Reason | None, ...]
    covariance: FloatArray | None = None

    @property
    def periods(self) -> int:
        """How many periods the series has."""
        return len(self.values)

    @property
    def logs(self) -> FloatArray:
        """Natural logarithms of values ÷ 100, (T,)."""
        return np.log(self.values / 100)

    def interval(self, z: float = 1.96) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limit, 100·exp(d ± z·se), each (T,)."""
        return self.values * np.exp(-z * self.errors), self.values * np.exp(z * self.errors)


def series_of(
    logs: FloatArray,
    *,
    counts: IntArray,
    reasons: Sequence[Reason | None],
    base: int = 0,
    trimmed: IntArray | None = None,
    covariance: FloatArray | None = None,
    errors: FloatArray | None = None,
) -> Series:
    """Series of log index numbers (T,), put in contrast with period `base`.

    The errors are those of `covariance` (T, T) when it is given, contrasts with the base with all covariances; else `errors` as they are.
    Where one is larger than VAGUE there is no number (imprecise). Raises EstimationError (base_empty) when the base has no number.
    """
    if not np.isfinite(logs[base]):
        raise EstimationError(Reason.BASE_EMPTY)
    contrasted = None
    if covariance is not None:
        contrasted = contrast(covariance, _unit(len(logs), base))
        errors = errors_of(contrasted)
    elif errors is None:
        errors = np.full(len(logs), np.nan)
    errors = np.where(np.isfinite(logs), errors, np.nan)
    errors[base] = 0.0
    vague = errors > VAGUE
    errors[vague] = np.nan
    if contrasted is not None:
        contrasted[vague, :] = np.nan
        contrasted[:, vague] = np.nan
    return Series(
        values=100 * np.exp(np.where(vague, np.nan, logs - logs[base])),
        errors=errors,
        counts=counts.astype(np.int64),
        trimmed=np.zeros(len(logs), np.int64) if trimmed is None else trimmed.astype(np.int64),
        reasons=tuple(Reason.IMPRECISE if lost else reason for lost, reason in zip(vague.tolist(), reasons, strict=True)),
        covariance=contrasted,
    )


def rebase(series: Series, first: int, last: int) -> Series:
    """The series whose arithmetic mean over the periods first..last (both included) is 100; growth is untouched.

    Errors become those of the contrast with the reference periods, ln I_t − ln(mean I_s), to first order, with the full covariance; without
    a covariance they are NaN, but for a reference of one period, where its own is 0. Raises EstimationError (base_empty) when one of the
    reference periods has no value: a mean over those that happen to be there would be another reference.
    """
    reference = series.values[first : last + 1]
    if not 0 <= first <= last < series.periods or not np.isfinite(reference).all():
        raise EstimationError(Reason.BASE_EMPTY)
    values = series.values * (100 / reference.mean())
    covariance = None
    errors = np.full(series.periods, np.nan)
    if series.covariance is not None:
        shares = np.zeros(series.periods)
        shares[first : last + 1] = reference / reference.sum()
        covariance = contrast(series.covariance, shares)
        errors = errors_of(covariance)
    if first == last:
        errors[first] = 0.0
        values[first] = 100.0
    return Series(values, errors, series.counts, series.trimmed, series.reasons, covariance)


def contrast(covariance: FloatArray, shares: FloatArray) -> FloatArray:
    """Covariance (T, T) of d − shares·d, for d with `covariance` (T, T) and shares (T,) that sum to one; NaN rows stay NaN."""
    known = np.isfinite(np.diagonal(covariance))
    filled = np.where(known[:, None] & known[None, :], covariance, 0.0)
    column = filled @ shares
    result = filled - column[:, None] - column[None, :] + shares @ column
    result[~known, :] = np.nan
    result[:, ~known] = np.nan
    return result


def errors_of(covariance: FloatArray) -> FloatArray:
    """Standard errors (T,): roots of the diagonal, where rounding below zero counts as zero."""
    return np.sqrt(np.maximum(np.diagonal(covariance), 0.0))


def _unit(size: int, at: int) -> FloatArray:
    unit = np.zeros(size)
    unit[at] = 1.0
    return unit
