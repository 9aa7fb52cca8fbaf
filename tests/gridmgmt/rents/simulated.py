"""A district of which the truth is known: 50,000 leases over 120 months with everything that leads an index astray.

Nine subdistricts with their own levels, whose shares drift, and those of flats within them: dear ones are let ever more, so that a mean or
median climbs for that alone. Units differ beyond what is known of them and come again and again. One lease in a hundred is wrong: a year's
rent noted as a month's, the other way round, or a digit too many or lost. The true index has a trend, a season and a slump.
"""

from dataclasses import dataclass

import numpy as np

from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.series import BoolArray, FloatArray, Series

MONTHS = 120
SUBDISTRICTS = 9
SLOPES = np.array([-0.08, 0.012, -0.006])
"""Of ln(area ÷ 30 m²), floor − 3, years of age − 15."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """`leases` (n,), each subdistrict a community; `truth` (MONTHS,): index; `gross` (n,): planted errors; `level` (9,): log rents."""

    leases: Leases
    truth: FloatArray
    gross: BoolArray
    level: FloatArray


def simulated(seed: int, n: int = 50_000, units: int = 20_000) -> Simulated:
    """Draw a district; the same for the same seed."""
    rng = np.random.default_rng(seed)
    month = np.arange(MONTHS)
    truth = 0.0025 * month + 0.015 * np.sin(2 * np.pi * month / 12) - 0.06 / (1 + np.exp(-(month - 70) / 3))
    level = rng.normal(3.6, 0.3, SUBDISTRICTS)
    home = rng.integers(0, SUBDISTRICTS, units)
    area = np.exp(rng.normal(3.4, 0.4, units))
    floor = rng.integers(1, 9, units)
    age = rng.integers(0, 31, units)
    x: FloatArray = np.stack((np.log(area / 30), floor - 3.0, age - 15.0), axis=1, dtype=np.float64)
    own = rng.normal(0, 0.15, units)

    period = np.sort(rng.integers(0, MONTHS, n))
    drift = (period / MONTHS - 0.5) * 2
    # of two units drawn the one that should be dearer is let the more often as the years go
    should = level[home] + x @ SLOPES
    one, two = rng.integers(0, units, n), rng.integers(0, units, n)
    dearer = np.where(should[one] > should[two], one, two)
    cheaper = np.where(dearer == one, two, one)
    unit = np.where(rng.random(n) < 0.5 + 0.45 * drift, dearer, cheaper)
    y = level[home[unit]] + truth[period] + x[unit] @ SLOPES + own[unit] + rng.normal(0, 0.1, n)
    gross = rng.random(n) < 0.01
    y = y + np.where(gross, rng.choice([np.log(12), -np.log(12), np.log(10), -np.log(10)], n), 0.0)
    leases = leases_of(y, period, periods=MONTHS, community=home[unit], x=x[unit], unit=unit, building=unit // 8, size=area[unit])
    return Simulated(leases, 100 * np.exp(truth - truth[0]), gross, level)


def rmse(series: Series, truth: FloatArray) -> float:
    """Root mean square error of the log index against the truth, means aligned, in log points × 100."""
    return float(100 * np.std(np.log(series.values / truth)))
