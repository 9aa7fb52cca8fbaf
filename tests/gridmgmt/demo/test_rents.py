"""The demo's releases: which quarters, and that two people had a hand in each."""

import csv
import datetime as dt
import json
import urllib.request

import pytest

from gridmgmt.demo.rents import last_quarters
from tests.embedded import Embedded, embedded

__all__ = ["embedded"]


@pytest.mark.parametrize(
    ("day", "quarters"),
    [
        (dt.date(2026, 11, 24), ["2026Q2", "2026Q3"]),
        (dt.date(2026, 4, 1), ["2025Q4", "2026Q1"]),
        (dt.date(2026, 3, 31), ["2025Q3", "2025Q4"]),
        (dt.date(2026, 7, 15), ["2026Q1", "2026Q2"]),
    ],
)
def test_the_two_quarters_before_a_day(day: dt.date, quarters: list[str]) -> None:
    assert last_quarters(day) == quarters


def test_two_quarters_are_published_and_a_third_computing_of_the_last_says_the_same(embedded: Embedded) -> None:
    again = json.loads(embedded.command("rents", "compute", "--quarter", "last", "--json").out)
    assert (again["state"], again["made"], again["edition"]) == ("published", False, 1)
    shown = json.loads(embedded.command("rents", "show", again["quarter"], "--json").out)
    assert {run["method"] for run in shown["runs"]} == {"rolling", "stock_prediction"}
    assert [one for one in shown["figures"] if one["product"] == "guide" and one["value"] and one["use"] == "residential"]
    with embedded.served() as address:
        released = json.load(urllib.request.urlopen(f"{address}/v1/rents/releases"))
        assert [(one["edition"], one["state"]) for one in released] == [(1, "published")] * 2
        guide = urllib.request.urlopen(f"{address}/v1/rents/guide?f=csv").read().decode("utf-8-sig")
    offices = [row for row in csv.DictReader(guide.splitlines()) if (row["use"], row["level"]) == ("office", "community")]
    # the story of the thin cell: seventeen leases of a year are few, and what follows from two releases is hidden or rolled up
    assert offices
    assert all(row["basis"] != "direct" or row["flag"] == "few" for row in offices)
