"""Moments add up and take away, whatever the order of the leases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmgmt.rents.methods.leases import Leases, leases_of
from gridmgmt.rents.methods.moments import Moments

NAMES = ("period", "community", "stratum", "n", "sum_y", "sum_yy", "sum_x", "sum_xy", "sum_xx")


def drawn(seed: int, n: int = 60) -> Leases:
    rng = np.random.default_rng(seed)
    return leases_of(
        rng.normal(3, 1, n),
        rng.integers(0, 4, n),
        periods=4,
        community=rng.integers(0, 3, n),
        stratum=rng.integers(0, 2, n),
        x=rng.normal(0, 2, (n, 3)),
    )


def assert_same(one: Moments, other: Moments) -> None:
    for name in NAMES:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("column", "value"),
    [("y", [1.0, np.nan]), ("period", [0, 2]), ("period", [-1, 0]), ("community", [0, -1]), ("size", [1.0, 0.0]), ("x", [[np.inf], [0.0]])],
)
def test_leases_that_cannot_be_are_refused(column: str, value: list[float]) -> None:
    given_columns = {"y": np.zeros(2), "period": np.zeros(2, np.int64), column: np.array(value)}
    with pytest.raises(ValueError, match=column):
        leases_of(**given_columns, periods=2)  # pyright: ignore[reportArgumentType]


def test_more_than_is_there_cannot_be_taken_away() -> None:
    with pytest.raises(ValueError, match="taken away"):
        _ = Moments.of(drawn(1, 5)) - Moments.of(drawn(1, 6))


def test_other_attributes_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="attributes"):
        _ = Moments.of(drawn(1)) + Moments.of(leases_of(np.zeros(1), np.zeros(1, np.int64), periods=4))


def test_a_cell_holds_the_sums_of_its_leases() -> None:
    x = np.array([[1, 10], [2, 20], [3, 30]])
    moments = Moments.of(leases_of(np.array([1.0, 2.0, 4.0]), np.array([1, 0, 1]), periods=2, community=np.array([2, 0, 2]), x=x))
    assert [moments.period.tolist(), moments.community.tolist(), moments.n.tolist()] == [[0, 1], [0, 2], [1, 2]]
    assert moments.sum_y.tolist() == [2, 5]
    assert moments.sum_yy.tolist() == [4, 1 + 16]
    assert moments.sum_x.tolist() == [[2, 20], [4, 40]]
    assert moments.sum_xy.tolist() == [[4, 40], [1 + 12, 10 + 120]]
    assert moments.sum_xx.tolist() == [[4, 40, 400], [1 + 9, 10 + 90, 100 + 900]]
    assert moments.counts.tolist() == [1, 2]


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(0, 60))
def test_parts_make_the_whole_and_go_again(seed: int, cut: int) -> None:
    leases = drawn(seed)
    order = np.random.default_rng(seed + 1).permutation(60)
    whole, part, rest = Moments.of(leases), Moments.of(leases.where(order[:cut])), Moments.of(leases.where(order[cut:]))
    assert_same(part + rest, whole)
    assert_same(whole - part, rest)


def test_a_window_counts_its_own_periods() -> None:
    leases = drawn(3)
    assert_same(Moments.of(leases).between(1, 3), Moments.of(leases.between(1, 3)))
