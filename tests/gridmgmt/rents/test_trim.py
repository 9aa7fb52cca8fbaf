"""Gross errors go, and nothing else does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.series import BoolArray, FloatArray
from gridmgmt.rents.methods.trim import kept_in_groups, refitted


def test_a_lease_is_kept_within_five_spreads() -> None:
    # median of 0, .1, …, 1.0 is .5, median deviation .3, spread 1.4826 · .3 = .44478: the limit is .5 ± 2.2239
    y = np.append(np.arange(11) / 10, [2.7, 2.75])
    # with the two: median .6, deviations 0 .1 .1 .2 .2 .3 .3 .4 .4 .5 .6 2.1 2.15: spread 1.4826 · .3, limit 2.8239
    assert kept_in_groups(y, [np.zeros(13, np.int64)]).all()
    y[12] = 2.83
    assert kept_in_groups(y, [np.zeros(13, np.int64)]).tolist() == [True] * 12 + [False]


def test_where_most_are_the_same_five_percent_are_a_spread() -> None:
    y = np.array([1.0] * 10 + [1.24, 1.26])
    assert kept_in_groups(y, [np.zeros(12, np.int64)]).tolist() == [True] * 11 + [False]


def test_a_thin_group_is_judged_by_its_parent() -> None:
    # nine leases of a group around 3 have among themselves no outlier; their parent, around 0, shows all of them to be out
    y = np.concatenate((np.zeros(30), np.full(9, 3.0)))
    fine, coarse = np.repeat([0, 1], [30, 9]), np.zeros(39, np.int64)
    assert kept_in_groups(y, [fine, coarse]).sum() == 30
    # ten are a group of their own
    y, fine, coarse = np.append(y, 3.0), np.append(fine, 1), np.append(coarse, 0)
    assert kept_in_groups(y, [fine, coarse]).all()


def test_nobody_is_judged_by_less_than_ten() -> None:
    y = np.array([0.0] * 8 + [99.0])
    assert kept_in_groups(y, [np.zeros(9, np.int64)]).all()
    assert kept_in_groups(np.zeros(0), [np.zeros(0, np.int64)]).shape == (0,)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 400))
def test_clean_leases_are_left_alone(seed: int, n: int) -> None:
    # rents within ± 12 % of their group's level, whatever the level
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, n)
    y = group * 1.5 + rng.uniform(-0.12, 0.12, n)  # at most 0.24 from the median, and no spread is below 0.05
    assert kept_in_groups(y, [group]).all()


def middle(y: FloatArray, rounds: int) -> tuple[float, BoolArray, int]:
    """Fit a mean by rounds: the mean, what it was made from, and how often it was fitted."""
    masks: list[BoolArray] = []

    def fit(kept: BoolArray) -> tuple[float, FloatArray]:
        masks.append(kept)
        return float(y[kept].mean()), y - y[kept].mean()

    mean, kept = refitted(len(y), fit, rounds=rounds)
    return mean, kept, len(masks)


def test_a_fit_is_made_again_without_what_lies_far_from_it() -> None:
    y = np.concatenate((np.linspace(-0.1, 0.1, 21), [5.0]))
    mean, kept, fits = middle(y, 4)
    assert abs(mean) < 1e-12
    assert kept.tolist() == [True] * 21 + [False]
    assert fits == 2
    assert middle(y[:21], 4)[2] == 1
    assert middle(y, 0)[1].all()
