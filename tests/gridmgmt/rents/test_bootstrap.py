"""Bootstrap: units are drawn whole, seeded, and what fails is told."""

import numpy as np
import pytest

from gridmgmt.rents.methods.bootstrap import bootstrap
from gridmgmt.rents.methods.series import EstimationError, FloatArray, IntArray, Reason


def test_too_few_draws_or_units_are_refused() -> None:
    with pytest.raises(ValueError, match="200"):
        bootstrap(np.array([1, 2]), lambda rows, units: np.zeros(1), draws=199)
    with pytest.raises(EstimationError) as refused:
        bootstrap(np.array([4, 4, 4]), lambda rows, units: np.zeros(1))
    assert refused.value.reason is Reason.TOO_FEW


def test_errors_of_a_mean_are_those_of_its_formula_and_know_that_units_repeat() -> None:
    # 100 units of four equal rents: the mean's error is s / 10, not s / 20
    rents = np.repeat(np.random.default_rng(1).normal(0, 1, 100), 4)
    unit = np.repeat(np.arange(100), 4)
    found = bootstrap(unit, lambda rows, units: np.array([rents[rows].mean()]), draws=1000, seed=3)
    expected = rents[::4].std() / 10
    assert found.errors[0] == pytest.approx(expected, rel=0.06)
    assert (found.high - found.low)[0] == pytest.approx(2 * 1.96 * expected, rel=0.1)


def test_the_same_seed_gives_the_same_errors_in_whatever_order_leases_come() -> None:
    random = np.random.default_rng(2)
    unit, rents = random.integers(0, 30, 90), random.normal(size=90)
    order = random.permutation(90)

    def errors(unit: IntArray, rents: FloatArray, seed: int) -> FloatArray:
        return bootstrap(unit, lambda rows, units: np.array([np.median(rents[rows])]), seed=seed).errors

    assert errors(unit, rents, 5) == errors(unit, rents, 5)
    np.testing.assert_allclose(errors(unit[order], rents[order], 5), errors(unit, rents, 5), rtol=1e-12)
    assert errors(unit, rents, 5) != errors(unit, rents, 6)


def test_a_unit_drawn_twice_counts_as_two() -> None:
    unit = np.array([7, 7, 9])
    seen: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()

    def look(rows: IntArray, units: IntArray) -> FloatArray:
        seen.add((tuple(rows.tolist()), tuple(units.tolist())))
        return np.zeros(1)

    bootstrap(unit, look)
    assert seen == {((0, 0, 1, 1), (0, 1, 0, 1)), ((0, 1, 2), (0, 0, 1)), ((2, 2), (0, 1))}


def test_periods_that_fail_too_often_have_no_error() -> None:
    # period 1 is known only when unit 0 is drawn, in about 63 of 100; period 2 never
    def estimate(rows: IntArray, units: IntArray) -> FloatArray:
        return np.array([float(len(units)), 1.0 if 0 in rows else np.nan, np.nan])

    found = bootstrap(np.arange(50), estimate)
    assert found.failed[0] == 0
    assert 0 < found.failed[1] < found.failed[2] == 200
    np.testing.assert_array_equal(found.errors, [0, np.nan, np.nan])

    def refuse(rows: IntArray, units: IntArray) -> FloatArray:
        raise EstimationError(Reason.NO_PAIRS)

    with pytest.raises(EstimationError):
        bootstrap(np.arange(50), refuse)
