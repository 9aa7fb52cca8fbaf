"""The indices against a known truth: 50,000 leases with a drifting mix, unit effects and gross errors (simulated.py).

Figures are root mean squares of the log index against the truth in log points × 100.
"""

import numpy as np
import pytest

from gridmgmt.rents.methods.hedonic import time_dummy_of
from gridmgmt.rents.methods.imputation import Formula, double_imputation
from gridmgmt.rents.methods.leases import Leases
from gridmgmt.rents.methods.medians import Stock, mix_adjusted_median
from gridmgmt.rents.methods.pairs import PairSums, pair_up
from gridmgmt.rents.methods.repeat import arithmetic, bmn, trim
from gridmgmt.rents.methods.rolling import rolling_of
from gridmgmt.rents.methods.series import BoolArray, FloatArray, rebase
from gridmgmt.rents.methods.trim import kept_in_groups, middles
from tests.gridmgmt.rents.simulated import MONTHS, SUBDISTRICTS, Simulated, rmse, simulated

JANUARIES = range(0, MONTHS, 12)


@pytest.fixture(scope="module")
def district() -> Simulated:
    return simulated(7)


@pytest.fixture(scope="module")
def kept(district: Simulated) -> BoolArray:
    year = district.leases.period // 12
    return kept_in_groups(district.leases.y, [district.leases.community * 10 + year, year])


@pytest.fixture(scope="module")
def trimmed(district: Simulated, kept: BoolArray) -> Leases:
    return district.leases.where(kept)


def test_the_groups_catch_gross_errors_and_hardly_anything_else(district: Simulated, kept: BoolArray) -> None:
    assert (district.gross & ~kept).sum() >= 0.95 * district.gross.sum()
    assert (~district.gross & ~kept).sum() <= 2


def test_plain_means_and_medians_fail(district: Simulated, trimmed: Leases) -> None:
    def error(logs: FloatArray) -> float:
        return float(100 * np.std(logs - np.log(district.truth)))

    assert error(np.bincount(trimmed.period, trimmed.y) / trimmed.counts) > 5
    assert error(middles(trimmed.y, trimmed.period, trimmed.counts)) > 5


def test_the_headline_finds_the_truth(district: Simulated, trimmed: Leases) -> None:
    series = rolling_of(trimmed)
    assert rmse(series, district.truth) <= 1.2
    # its intervals, against the mean of all periods, hold the truth about as often as they say
    around, truth = rebase(series, 0, MONTHS - 1), district.truth * (100 / district.truth.mean())
    low, high = around.interval()
    assert 0.85 <= ((low <= truth) & (truth <= high)).mean() <= 1


def test_the_other_methods_find_it_too(district: Simulated, trimmed: Leases) -> None:
    assert rmse(time_dummy_of(trimmed), district.truth) <= 1.2
    assert rmse(double_imputation(trimmed, links=JANUARIES).series, district.truth) <= 1.4
    assert rmse(double_imputation(trimmed, formula=Formula.TORNQVIST, links=JANUARIES).series, district.truth) <= 1.4
    stock = Stock.steady(np.bincount(trimmed.community, trimmed.size, minlength=SUBDISTRICTS).astype(np.float64), MONTHS)
    assert rmse(mix_adjusted_median(trimmed, trimmed.community, stock, links=JANUARIES).series, district.truth) <= 2.1


def test_repeat_rents_find_it_once_trimmed_and_the_arithmetic_one_fails_untrimmed(district: Simulated) -> None:
    pairs = pair_up(district.leases.unit, district.leases.period, np.exp(district.leases.y), periods=MONTHS)
    clean, _ = trim(pairs)
    assert rmse(bmn(PairSums.of(clean)), district.truth) <= 1.2
    assert rmse(arithmetic(clean), district.truth) <= 1.2
    assert rmse(arithmetic(pairs), district.truth) > 5
