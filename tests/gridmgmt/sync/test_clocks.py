"""Times of handhelds, corrected."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmgmt.sync.clocks import Capture, Corrected, Sending, correct

NOON = dt.datetime(2026, 11, 23, 4, 0, tzinfo=dt.UTC)
FIRST = dt.datetime.min.replace(tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2190, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 -- the zone stands beside it


def test_monotonic_clock_of_the_same_start_counts_whatever_the_wall_clock_says() -> None:
    sending = Sending(NOON, NOON - 24 * HOUR, "boot", 7_200_000)
    assert correct(sending, Capture(NOON + 9 * HOUR, "boot", 3_600_000)) == Corrected(NOON - HOUR, flagged=True)


def test_wall_clock_is_shifted_by_its_skew_after_a_new_start() -> None:
    sending = Sending(NOON, NOON - 24 * HOUR, "boot", 5)
    assert correct(sending, Capture(NOON - 27 * HOUR, "before", 3_600_000)) == Corrected(NOON - 3 * HOUR, flagged=True)


def test_clock_that_is_right_is_not_flagged() -> None:
    sending = Sending(NOON, NOON - dt.timedelta(seconds=2), "boot", 60_000)
    assert correct(sending, Capture(NOON - HOUR, "boot", 0)) == Corrected(NOON - dt.timedelta(minutes=1), flagged=False)


def test_future_is_clamped_and_flagged() -> None:
    sending = Sending(NOON, NOON, "boot", 5)
    assert correct(sending, Capture(NOON + HOUR)) == Corrected(NOON, flagged=True)
    assert correct(sending, Capture(None, "boot", 6)) == Corrected(NOON, flagged=True)


@pytest.mark.parametrize("zone", [-23, 0, 23])
def test_clocks_at_the_ends_of_time_are_corrected_too(zone: int) -> None:
    there = dt.timezone(zone * HOUR)
    late, early = dt.datetime.max.replace(tzinfo=there), dt.datetime.min.replace(tzinfo=there)
    assert correct(Sending(NOON, NOON), Capture(late)) == Corrected(NOON, flagged=True)
    assert correct(Sending(NOON, late), Capture(late)) == Corrected(NOON, flagged=True)
    assert correct(Sending(NOON, NOON), Capture(early)) == Corrected(max(early, FIRST), flagged=False)
    assert correct(Sending(NOON, late), Capture(early)) == Corrected(FIRST, flagged=True)


def test_nothing_told_gives_nothing() -> None:
    assert correct(Sending(NOON, NOON), Capture(None)) == Corrected(None, flagged=False)


BOOTS = st.none() | st.sampled_from(["a", "b"])
COUNTERS = st.none() | st.integers(-(2**63), 2**63 - 1)


@given(st.builds(Sending, MOMENTS, MOMENTS, BOOTS, COUNTERS), st.builds(Capture, st.none() | MOMENTS, BOOTS, COUNTERS))
def test_nothing_was_recorded_after_it_came(sending: Sending, capture: Capture) -> None:
    corrected = correct(sending, capture)
    assert corrected.at is None or corrected.at <= sending.received_at
