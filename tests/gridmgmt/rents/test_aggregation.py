"""Aggregation: the stock's Laspeyres up a tree, imputed from the parent, chained at links."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.aggregation import Weights, aggregate, combine, januaries
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason, Series, rebase, series_of

NAN = np.nan


def series(values: list[float], variances: list[float] | None = None) -> Series:
    logs = np.log(np.array(values) / 100)
    reasons = [None if np.isfinite(v) else Reason.TOO_FEW for v in values]
    covariance = None if variances is None else np.diag(variances)
    return series_of(logs, counts=np.ones(len(values), np.int64), reasons=reasons, covariance=covariance)


def test_trees_and_weights_that_are_none_are_refused() -> None:
    one = Weights.fixed(np.ones(2))
    for parents in ([2, 3, -1], [2, 2], [2, -1, -1], [1, 2, -1], [3, 3, 3, -1]):
        with pytest.raises(ValueError, match="numbered"):
            aggregate(np.ones((1, 2)), np.array(parents), one)
    for values, links in (([[1.0]], [1]), ([[1.0], [1.0]], [0, 0]), ([[-1.0]], [0]), ([[NAN]], [0]), ([[1.0]], [0, 1])):
        with pytest.raises(ValueError, match=r"link|weight"):
            Weights(np.array(values), np.array(links))
    with pytest.raises(EstimationError) as refused:
        Weights.fixed(np.zeros(2))
    assert refused.value.reason is Reason.NO_STOCK
    with pytest.raises(EstimationError) as refused:
        combine([empty()], Weights.fixed(np.ones(1)))
    assert refused.value.reason is Reason.BASE_EMPTY


def empty() -> Series:
    none = np.full(2, NAN)
    return Series(none, none, np.zeros(2, np.int64), np.zeros(2, np.int64), (Reason.TOO_FEW, Reason.TOO_FEW))


def test_the_published_example_of_piar() -> None:
    """Five businesses in two classes, elementary indexes by Jevons, as R's piar aggregates them; B5 never has a price."""
    relatives = np.array(
        [
            [1, 1, 1, NAN, NAN],
            [0.894909688013136, NAN, 2.02000360773041, NAN, NAN],
            [0.334293948126801, NAN, 1.63533549062897, NAN, NAN],
            [NAN, 2.77045633390764, 0.537995998322608, 4.57628618296306, NAN],
        ]
    )
    weights = Weights.fixed(np.array([553.0, 646, 312, 622, 330]))
    found = aggregate(relatives, np.array([5, 5, 5, 6, 6, 7, 7, -1]), weights)
    np.testing.assert_allclose(found.relatives[:, 7], [1, 1.3007239, 1.0630743, 2.734761], atol=5e-7)  # in its README
    np.testing.assert_allclose(found.relatives[3, 5:7], [1.57451535678038, 4.57628618296306], rtol=1e-12)
    leaves = [0.471036568928398, 3.83089336780907, 1.77720715283958, 6.32793383997582, 6.32793383997582]
    np.testing.assert_allclose(found.values[3] / 100, [*leaves, 2.17718661145467, 6.32793383997582, 3.78153551992082], rtol=1e-12)
    assert found.imputed[1:].tolist() == [
        [False, True, False, True, True, False, True, False],
        [False, True, False, True, True, False, True, False],
        [True, False, False, False, True, False, False, False],
    ]


def test_a_chain_with_new_weights_by_hand() -> None:
    # weights 3 and 1: (3 * 1.2 + 1 * 1.0) / 4 = 1.15 also in the link's period; then 1 and 1: (1.0 + 1.5) / 2 = 1.25
    weights = Weights(np.array([[3.0, 1.0], [1.0, 1.0]]), np.array([0, 1]))
    whole = combine([series([100, 120, 120]), series([100, 100, 150])], weights)
    np.testing.assert_allclose(whole.values, [100, 115, 115 * 1.25])
    # unchanged weights are no link: 3 * 1.2 + 1 * 1.5 = 5.1 of 4, the Laspeyres of the levels, though relatives are chained
    fixed = combine([series([100, 120, 120]), series([100, 100, 150])], Weights.fixed(np.array([3.0, 1.0])))
    np.testing.assert_allclose(fixed.values, [100, 115, 127.5])


def test_a_gap_is_bridged_by_the_parent_and_corrected_when_it_ends() -> None:
    # b is missing in period 1: it moves as a does, to 120; then it stands at 90 of its own, and the whole at (150 + 90) / 2
    whole = combine([series([100, 120, 150]), series([100, NAN, 90])], Weights.fixed(np.ones(2)))
    np.testing.assert_allclose(whole.values, [100, 120, 120])


def test_a_period_without_any_number_ends_the_chain() -> None:
    whole = combine([series([100, NAN, 110, 120]), series([100, NAN, 130, 120])], Weights.fixed(np.ones(2)))
    np.testing.assert_array_equal(whole.values, [100, NAN, NAN, NAN])
    assert whole.reasons == (None, Reason.NO_OBSERVATIONS, Reason.DISCONNECTED, Reason.DISCONNECTED)


def test_errors_of_the_whole_by_hand() -> None:
    # values 120 and 80 with equal weights: shares 0.6 and 0.4; V = 0.36 * 0.01 + 0.16 * 0.04 = 0.01
    whole = combine([series([100, 120], [0, 0.01]), series([100, 80], [0, 0.04])], Weights.fixed(np.ones(2)))
    np.testing.assert_allclose(whole.errors, [0, 0.1])
    assert np.isnan(combine([series([100, 120], [0, 0.01]), series([100, 80])], Weights.fixed(np.ones(2))).errors[1])


def test_errors_follow_every_step_of_the_chain() -> None:
    """Against differences of the whole by each part's every period: links, gaps, a part that comes late."""
    random = np.random.default_rng(4)
    logs = random.normal(0, 0.2, (3, 7))
    logs[:, 0] = 0.0
    logs[0, 2:4] = logs[1, 5] = NAN
    weights = Weights(random.uniform(1, 5, (2, 3)), np.array([0, 3]))
    parts = [series(list(100 * np.exp(row)), [0, *random.uniform(0.01, 0.1, 6)]) for row in logs]
    found = combine(parts, weights)

    def whole(moved: FloatArray) -> FloatArray:
        return combine([series(list(100 * np.exp(row))) for row in moved], weights).logs

    expected, step = np.zeros((7, 7)), 1e-6
    for part in range(3):
        for period in range(1, 7):
            if np.isfinite(logs[part, period]):
                up, down = logs.copy(), logs.copy()
                up[part, period] += step
                down[part, period] -= step
                slope = (whole(up) - whole(down)) / (2 * step)
                expected += np.outer(slope, slope) * parts[part].errors[period] ** 2
    assert found.covariance is not None
    np.testing.assert_allclose(found.covariance, expected, atol=1e-9)


def test_links_stand_at_each_january() -> None:
    assert januaries(26, first_month=11).tolist() == [0, 2, 14]
    assert januaries(9, first_month=1, per_year=4).tolist() == [0, 4, 8]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_whole_lies_between_its_parts_and_rebasing_leaves_growth(seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [series(list(100 * np.exp(np.r_[0, random.normal(0, 0.3, 5)])), [0, *random.uniform(0, 0.1, 5)]) for _ in range(4)]
    weights = Weights(random.uniform(0.1, 5, (2, 4)), np.array([0, 2]))
    whole = combine(parts, weights)
    moves = np.array([np.diff(part.logs) for part in parts])
    growth = np.diff(whole.logs)
    assert ((moves.min(axis=0) - 1e-12 <= growth) & (growth <= moves.max(axis=0) + 1e-12)).all()
    np.testing.assert_allclose(np.diff(rebase(whole, 1, 3).logs), growth, atol=1e-12)
    np.testing.assert_allclose(combine(parts[::-1], Weights(weights.values[:, ::-1] * 7, weights.links)).values, whole.values, rtol=1e-12)
    alike = combine([parts[0]] * 4, weights)
    np.testing.assert_allclose(alike.values, parts[0].values, rtol=1e-12)
