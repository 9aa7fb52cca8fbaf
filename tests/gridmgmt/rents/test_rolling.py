"""Rolling window: against dense least squares and a splice written out, and nothing published changes."""

import numpy as np
import pytest

from gridmgmt.rents.methods.hedonic import time_dummy, time_dummy_of
from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.moments import Moments
from gridmgmt.rents.methods.regression import Errors
from gridmgmt.rents.methods.rolling import Splice, rolling, rolling_of
from gridmgmt.rents.methods.series import EstimationError, FloatArray, Reason


def drawn(n: int, periods: int, seed: int = 5) -> Leases:
    rng = np.random.default_rng(seed)
    period = np.concatenate((np.arange(periods), rng.integers(0, periods, n - periods)))
    community = rng.integers(0, 3, n)
    x = rng.normal(0, 1, (n, 1))
    # the attribute's worth moves with time, so that windows differ
    y = 3 + 0.02 * period + 0.1 * community + x[:, 0] * 0.02 * period + rng.normal(0, 0.1, n)
    return leases_of(y, period, periods=periods, community=community, x=x)


def logs_of(leases: Leases, window: int, splice: Splice) -> FloatArray:
    return rolling(Moments.of(leases), window=window, splice=splice, kennedy=False).logs


def written_out(leases: Leases, window: int, splice: Splice) -> FloatArray:
    """The same by dense least squares for each window and the splice in so many words."""
    found = np.zeros(leases.periods)
    for end in range(window, leases.periods + 1):
        start = end - window
        inside = (leases.period >= start) & (leases.period < end)
        dummies = [(codes[inside, None] == np.unique(codes)).astype(float) for codes in (leases.period, leases.community)]
        own = np.linalg.lstsq(np.hstack((*dummies, leases.x[inside])), leases.y[inside], rcond=None)[0][: leases.periods]
        if start == 0:
            found[:end] = own[:end] - own[0]
            continue
        ratios = [found[s] - own[s] for s in range(start, end - 1)]
        found[end - 1] = (
            own[end - 1] + {Splice.MEAN: sum(ratios) / (window - 1), Splice.MOVEMENT: ratios[-1], Splice.WINDOW: ratios[0]}[splice]
        )
    return found


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        rolling(Moments.of(drawn(20, 4)), window=1)
    for periods, reason in (([], Reason.NO_OBSERVATIONS), ([1, 2], Reason.BASE_EMPTY)):
        with pytest.raises(EstimationError) as refused:
            rolling(Moments.of(leases_of(np.zeros(len(periods)), np.array(periods, np.int64), periods=3)), window=2)
        assert refused.value.reason is reason


@pytest.mark.parametrize("splice", Splice)
def test_each_splice_is_what_it_says(splice: Splice) -> None:
    leases = drawn(90, 9)
    np.testing.assert_allclose(logs_of(leases, 4, splice), written_out(leases, 4, splice), atol=1e-12)


def test_a_short_history_is_the_plain_time_dummy() -> None:
    moments = Moments.of(drawn(60, 6))
    one, other = rolling(moments, window=24), time_dummy(moments)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-12)
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-10)


def test_without_a_mix_every_window_finds_the_same_means() -> None:
    # one community, no attributes: ln I_t is the difference of means, V = s² (1/n_0 + 1/n_t); each period has two leases, 0.2 apart:
    # a window of two periods has rss 4 · 0.01 over 4 − 2 degrees, s² = 0.02, V = 0.02
    leases = leases_of(np.array([0.0, 0.2, 0.3, 0.5, 0.2, 0.4, 0.7, 0.9]), np.repeat(np.arange(4), 2), periods=4)
    series = rolling(Moments.of(leases), window=2, kennedy=False)
    np.testing.assert_allclose(series.logs, [0, 0.3, 0.2, 0.7], atol=1e-14)
    np.testing.assert_allclose(series.errors, [0] + [np.sqrt(0.02)] * 3)


@pytest.mark.parametrize("splice", Splice)
def test_errors_follow_every_lease_through_all_windows(splice: Splice) -> None:
    # the index is linear in the rents: its response to each rent, squared and summed, is its variance in units of s²
    leases = drawn(40, 8)
    before = logs_of(leases, 4, splice)
    response = np.empty((8, 40))
    for i in range(40):
        y = leases.y.copy()
        y[i] += 1
        response[:, i] = logs_of(leases_of(y, leases.period, periods=8, community=leases.community, x=leases.x), 4, splice) - before
    covariance = rolling(Moments.of(leases), window=4, splice=splice).covariance
    assert covariance is not None
    # s of each number's own window is known from the diagonal; the correlations are then those of the responses
    wanted, found = (response @ response.T)[1:, 1:], covariance[1:, 1:]
    np.testing.assert_allclose(
        found / np.sqrt(np.outer(np.diag(found), np.diag(found))), wanted / np.sqrt(np.outer(np.diag(wanted), np.diag(wanted))), atol=1e-9
    )
    first = time_dummy(Moments.of(leases).between(0, 4), kennedy=False)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance))[:4], first.errors, rtol=1e-9)


@pytest.mark.parametrize("errors", Errors)
def test_robust_errors_of_a_short_history_are_those_of_the_plain_time_dummy(errors: Errors) -> None:
    leases = drawn(120, 6)
    one, other = rolling_of(leases, errors=errors, rounds=0), time_dummy_of(leases, errors=errors, rounds=0)
    np.testing.assert_allclose(one.errors, other.errors, rtol=1e-9)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-11)


def test_what_a_unit_brings_to_every_window_cancels_in_its_errors() -> None:
    # two units, each in all periods, one always 0.1 above the other: their residuals never differ, and the index has no error of theirs
    y = np.repeat(np.array([0.0, 0.3, 0.2, 0.7, 0.6]), 2) + np.tile([0.0, 0.1], 5)
    leases = leases_of(y, np.repeat(np.arange(5), 2), periods=5, unit=np.tile([0, 1], 5))
    series = rolling_of(leases, window=3, errors=Errors.UNIT)
    np.testing.assert_allclose(series.errors, 0, atol=1e-9)
    np.testing.assert_allclose(series.logs, [0.0, 0.3, 0.2, 0.7, 0.6], atol=1e-12)
    assert rolling_of(leases, window=3, errors=Errors.HC1).errors[1:].min() > 0.05


def test_what_is_published_stays() -> None:
    leases = drawn(600, 12)
    leases.y[[100, 300]] += 2.5
    whole = rolling_of(leases, window=5)
    for periods in (5, 6, 9):
        earlier = rolling_of(leases.between(0, periods), window=5)
        np.testing.assert_allclose(whole.values[:periods], earlier.values, rtol=1e-12)
        np.testing.assert_allclose(whole.errors[:periods], earlier.errors, rtol=1e-9)
        assert whole.trimmed[:periods].tolist() == earlier.trimmed.tolist()
    assert whole.trimmed.sum() == 2


def test_a_period_without_leases_is_passed_over() -> None:
    leases = drawn(80, 8)
    empty = leases.where(leases.period != 5)
    series = rolling(Moments.of(empty), window=4)
    assert series.reasons == (None,) * 5 + (Reason.NO_OBSERVATIONS, None, None)
    assert np.isfinite(np.delete(series.errors, 5)).all()
    np.testing.assert_allclose(series.values[:5], rolling(Moments.of(leases), window=4).values[:5], rtol=1e-12)


def test_a_gap_as_long_as_the_window_ends_the_index() -> None:
    leases = drawn(80, 8)
    series = rolling(Moments.of(leases.where((leases.period < 3) | (leases.period > 5))), window=4)
    assert series.reasons == (None,) * 3 + (Reason.NO_OBSERVATIONS,) * 3 + (Reason.DISCONNECTED,) * 2
    # from period 3 on other communities than before: no window links them
    apart = leases_of(leases.y, leases.period, periods=8, community=leases.community + 10 * (leases.period > 2))
    assert rolling(Moments.of(apart), window=4).reasons == (None,) * 3 + (Reason.DISCONNECTED,) * 5
