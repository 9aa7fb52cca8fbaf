"""When jobs are due, in the district's time (UTC + 8 hours)."""

import datetime as dt

import pytest

from gridmgmt.operations.schedules import Schedule, begin, is_due, is_late


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("schedule", "now", "began"),
    [
        ("hourly", "2026-03-01T00:59:59", "2026-03-01T00:00"),
        ("nightly", "2026-03-01T01:59:59", "2026-02-28T02:00"),
        ("nightly", "2026-03-01T02:00", "2026-03-01T02:00"),
        ("monthly", "2026-03-01T01:59", "2026-02-01T02:00"),
        ("monthly", "2026-01-01T01:59", "2025-12-01T02:00"),
        ("monthly", "2026-03-31T12:00", "2026-03-01T02:00"),
        ("quarterly", "2026-01-15T01:59", "2025-10-15T02:00"),
        ("quarterly", "2026-01-15T02:00", "2026-01-15T02:00"),
        ("quarterly", "2026-12-31T23:00", "2026-10-15T02:00"),
    ],
)
def test_period_begins_in_the_small_hours_of_the_district(schedule: Schedule, now: str, began: str) -> None:
    assert begin(schedule, at(now)) == at(began)
    assert begin(schedule, at(now).astimezone(dt.UTC)) == at(began)


def test_job_is_due_once_in_a_period_and_at_once_where_it_never_succeeded() -> None:
    now = at("2026-03-02T09:00")
    assert is_due("nightly", now, None)
    assert is_due("nightly", now, at("2026-03-02T01:59"))
    assert not is_due("nightly", now, at("2026-03-02T02:00"))


def test_job_is_late_after_two_whole_periods() -> None:
    success = at("2026-03-01T02:05")
    assert not is_late("nightly", at("2026-03-03T02:04"), success)
    assert is_late("nightly", at("2026-03-03T02:06"), success)
    assert not is_late("quarterly", at("2026-07-20T00:00"), at("2026-01-20T00:00"))
    assert is_late("quarterly", at("2026-07-24T00:00"), at("2026-01-20T00:00"))
