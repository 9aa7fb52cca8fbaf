"""Guidance rents: the middle from the stock, the band from the leases, both ordered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.guidance import Band, Source, Stock, bands, duan_factor, lognormal_factor, mean_levels, percentile, predict
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason
from gridmgmt.rents.methods.shrinkage import moments, shrink

NONE = np.empty(0, np.int64)


def test_stock_without_area_is_refused() -> None:
    for attributes, cell, area in (([[1.0]], [0], [0.0]), ([[np.nan]], [0], [1.0]), ([[1.0]], [0, 0], [1.0])):
        with pytest.raises(ValueError, match=r"stock|area"):
            Stock(np.array(attributes), np.array(cell), np.array(area))


def test_a_band_without_stock_or_spread_says_why() -> None:
    found = bands(np.array([np.nan, 3.0]), np.empty(0), NONE, np.array([0.2, np.nan]))
    assert found.reasons == (Reason.NO_STOCK, Reason.NO_PARENT)
    assert np.isnan([found.low, found.median, found.high]).all()
    for low, high in ((0.5, 0.8), (0.2, 0.4), (0.0, 0.8)):
        with pytest.raises(ValueError, match="median"):
            Band(low, high)


def test_predictions_over_the_stock_by_hand() -> None:
    # cell 0: (1 + 2 * 0.5) on 30 m2 and (1 + 4 * 0.5) on 10 m2: (2 * 30 + 3 * 10) / 40 = 2.25, effect 0.1; cell 1 has no stock
    stock = Stock(np.array([[2.0], [4.0]]), np.array([0, 0]), np.array([30.0, 10.0]))
    np.testing.assert_allclose(predict(stock, np.array([0.5]), 1.0, np.array([0.1, 0.0])), [2.35, np.nan])
    level = mean_levels(stock, np.array([0.5]), 1.0, np.array([0.1, 0.0]), factor=lognormal_factor(0.04))
    np.testing.assert_allclose(level, [(30 * np.e**2 + 10 * np.e**3) / 40 * np.exp(0.1 + 0.02), np.nan])


def test_smearing_by_hand() -> None:
    # residuals -ln 2 and ln 2: (1/2 + 2) / 2
    assert duan_factor(np.array([-np.log(2), np.log(2)])) == pytest.approx(1.25)
    with pytest.raises(EstimationError):
        duan_factor(np.empty(0))


def test_bands_take_what_the_number_of_leases_allows() -> None:
    # thirty: 0.00 to 0.29, quantile p lies at 0.29 p: 0.058, 0.145, 0.232, so the band is centre -/+ 0.087
    # ten: alternately -0.1 and 0.1, s2 = 10 * 0.01 / 9; nine: the parent's 0.3; the 20th percentile of the normal is at -0.8416212
    logs = np.r_[np.arange(30) / 100, np.tile([-0.1, 0.1], 5), np.full(9, 7.0)]
    cell = np.repeat([0, 1, 2], [30, 10, 9])
    found = bands(np.array([4.0, 4.0, 4.0]), logs, cell, np.full(3, 0.3))
    assert found.sources == (Source.EMPIRICAL, Source.LOGNORMAL, Source.PARENT)
    np.testing.assert_allclose(np.log(found.low), [4 - 0.087, 4 - 0.8416212 * np.sqrt(0.1 / 9), 4 - 0.8416212 * 0.3], rtol=1e-8)
    np.testing.assert_allclose(np.log(found.high), [4 + 0.087, 4 + 0.8416212 * np.sqrt(0.1 / 9), 4 + 0.8416212 * 0.3], rtol=1e-8)
    np.testing.assert_allclose(found.times(np.array([2.0, 1.0, 1.0])).median, np.exp(4) * np.array([2, 1, 1]))


def test_where_a_rent_stands_in_a_published_band() -> None:
    for rent, expected in ((30.0, 20), (40.0, 50), (60.0, 80)):
        assert percentile(rent, 30.0, 40.0, 60.0) == pytest.approx(expected)
    # twice as far above the median as the 80th percentile: 1.6832 standard deviations
    assert percentile(90.0, 30.0, 40.0, 60.0) == pytest.approx(95.38, abs=0.01)
    assert (percentile(41.0, 40.0, 40.0, 40.0), percentile(40.0, 40.0, 40.0, 40.0), percentile(39.0, 40.0, 40.0, 40.0)) == (100, 50, 0)
    # of a band from the 10th to the 90th percentile, 1.2815516 standard deviations
    assert percentile(60.0, 30.0, 40.0, 60.0, band=Band(0.1, 0.9)) == pytest.approx(90)
    assert percentile(90.0, 30.0, 40.0, 60.0, band=Band(0.1, 0.9)) == pytest.approx(99.48, abs=0.01)  # at 2.5631
    inf, nan = float("inf"), float("nan")
    for wrong in (
        (0.0, 30.0, 40.0, 60.0), (40.0, 50.0, 40.0, 60.0), (40.0, 0.0, 40.0, 60.0), (inf, 30.0, 40.0, 60.0), (nan, 30.0, 40.0, 60.0),
        (40.0, 30.0, 40.0, inf),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="band"):
            percentile(*wrong)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_low_median_and_high_are_always_in_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    cell = random.integers(0, 6, random.integers(0, 150))
    found = bands(random.normal(3, 1, 6), random.standard_t(2, len(cell)), cell, random.uniform(0, 1, 6), band=Band(0.1, 0.55))
    assert ((found.low <= found.median) & (found.median <= found.high)).all()


def rms(errors: FloatArray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def test_thin_cells_are_told_better_than_by_their_own_median() -> None:
    """Known truth: 60 cells, most with at most four leases, whose lettings are not like their stock."""
    random = np.random.default_rng(11)
    effects, mix = random.normal(0, 0.08, 60), random.normal(0, 0.5, 60)
    n = np.minimum(random.geometric(0.25, 60) + 20 * (random.random(60) < 0.15), 40)
    cell = np.repeat(np.arange(60), n)
    x = mix[cell] + random.normal(0, 0.5, len(cell))
    y = 3.5 + 0.3 * x + effects[cell] + random.normal(0, 0.12, len(cell))
    stock = Stock(random.normal(np.repeat(mix, 50), 0.5)[:, None], np.repeat(np.arange(60), 50), random.uniform(40, 120, 3000))
    truth = predict(stock, np.array([0.3]), 3.5, effects)

    slope = np.linalg.lstsq(np.column_stack([np.eye(60)[cell], x]), y, rcond=None)[0][-1]  # within cells
    rest = y - slope * x
    means = np.bincount(cell, rest, 60) / n
    squares = np.bincount(cell, (rest - means[cell]) ** 2, 60).astype(np.float64)
    found = moments(n, means, squares)
    shrunk = shrink(n, means, np.full(60, found.mean), between=found.between, within=found.within)
    model = predict(stock, np.array([slope]), 0.0, shrunk.estimates)
    medians = np.array([np.median(y[cell == at]) for at in range(60)])
    assert rms(model - truth) < 0.06
    assert rms(model - truth) < 0.4 * rms(medians - truth)
    assert rms(model - truth) < 0.4 * rms(np.median(y) - truth)
