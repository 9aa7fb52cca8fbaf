"""Published rents as layers: the release in force, earlier ones by day and by moment, and nothing of drafts, to anybody."""

import datetime as dt
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from gridmgmt.database import PUBLIC, Actor
from gridmgmt.rents.releases import Figure
from tests.drawn import Drawn
from tests.gridmgmt.layers.conftest import told
from tests.places import NORTH, SOUTH
from tests.rented import END, add_like, figure, release_all, take_steps


@pytest.fixture
def made(drawn: Drawn) -> dict[str, uuid.UUID]:
    return release_all(drawn.database, drawn.places, SOUTH)


def publish(drawn: Drawn, like: uuid.UUID, quarter: str, figures: list[Figure]) -> uuid.UUID:
    """Another release that goes all the way."""
    release = add_like(drawn.database, like, quarter, figures)
    take_steps(drawn.database, drawn.places, release)
    return release


def shown(drawn: Drawn, layer: str, *, actor: Actor = PUBLIC, on: dt.date | None = None, as_of: dt.datetime | None = None) -> list[object]:
    """Code, use, quarter, low, value and high of each feature."""
    names = ("code", "use", "quarter", "low", "value", "high")
    return [tuple(one[name] for name in names) for one in told(drawn, actor, layer, on=on, as_of=as_of)]


def test_everybody_sees_what_is_published_and_nobody_a_draft(drawn: Drawn, made: dict[str, uuid.UUID]) -> None:
    for actor in (PUBLIC, drawn.places.accounts["worker"], drawn.places.accounts["district"], drawn.places.accounts["auditor"]):
        assert shown(drawn, "guide-rents", actor=actor) == [(SOUTH, "residential", "2024Q1", 32.0, 40.0, 48.0)]
        assert shown(drawn, "rent-index", actor=actor) == [(SOUTH, "residential", "2024Q1", 80.0, 100.0, 120.0)]
    (guide,) = told(drawn, PUBLIC, "guide-rents")
    assert str(guide["value"]) == "40.00"  # which looks like no whole number
    assert [guide[name] for name in ("basis", "observations", "flag", "reason", "level")] == ["direct", 40, None, None, "community"]


def test_guidance_rents_hold_until_those_of_the_next_quarter_that_is_published(drawn: Drawn, made: dict[str, uuid.UUID]) -> None:
    south, north = (drawn.places.areas[code] for code in (SOUTH, NORTH))
    hidden = Figure("guide", "quarter", north, "shop", "all", END, None, None, None, None, None, "none", None, "suppressed")
    publish(drawn, made["published"], "2024Q2", [figure(south, "50.00", period=END), hidden])
    second = (SOUTH, "residential", "2024Q2", 40.0, 50.0, 60.0)
    assert shown(drawn, "guide-rents") == [second, (NORTH, "shop", "2024Q2", None, None, None)]
    assert told(drawn, PUBLIC, "guide-rents")[1]["reason"] == "suppressed"
    first = (SOUTH, "residential", "2024Q1", 32.0, 40.0, 48.0)
    assert shown(drawn, "guide-rents", on=dt.date(2024, 1, 1)) == [first]
    assert shown(drawn, "guide-rents", on=dt.date(2024, 3, 31)) == [first]
    assert shown(drawn, "guide-rents", on=dt.date(2024, 4, 1))[0] == second
    assert shown(drawn, "guide-rents", on=dt.date(2023, 12, 31)) == []


def test_index_is_the_newest_releases_alone_quarter_by_quarter(drawn: Drawn, made: dict[str, uuid.UUID]) -> None:
    south = drawn.places.areas[SOUTH]
    figures = [figure(south, "100.00", product="index"), figure(south, "104.00", product="index", period=END)]
    new = figure(south, "108.00", product="index", period=END)
    figures.append(replace(new, lets="new", low=None, high=None, se=None, n_told=None, basis="model"))
    publish(drawn, made["published"], "2024Q2", figures)
    second = (SOUTH, "residential", "2024Q2", Decimal("83.20"), 104, Decimal("124.80"))  # a fifth to either side
    assert shown(drawn, "rent-index") == [second]
    (both,) = told(drawn, PUBLIC, "rent-index")  # the one number is the area's own, the other a model's
    assert [both[name] for name in ("new_lets", "new_lets_basis", "basis")] == [108, "model", "direct"]
    assert shown(drawn, "rent-index", on=dt.date(2024, 3, 31)) == [(SOUTH, "residential", "2024Q1", 80.0, 100.0, 120.0)]
    assert [one["new_lets"] for one in told(drawn, PUBLIC, "rent-index", on=dt.date(2024, 3, 31))] == [None]
    assert shown(drawn, "rent-index", on=dt.date(2030, 1, 1)) == [second]


def test_correction_takes_the_place_of_what_it_corrects_and_that_is_still_told_as_of_then(drawn: Drawn, made: dict[str, uuid.UUID]) -> None:
    with drawn.database.transaction(PUBLIC, read_only=True) as session:
        before: dt.datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    publish(drawn, made["published"], "2024Q1", [figure(drawn.places.areas[SOUTH], "44.00")])
    corrected = [(SOUTH, "residential", "2024Q1", Decimal("35.20"), 44, Decimal("52.80"))]
    assert shown(drawn, "guide-rents") == corrected
    assert shown(drawn, "rent-index") == []
    assert shown(drawn, "guide-rents", as_of=before) == [(SOUTH, "residential", "2024Q1", 32.0, 40.0, 48.0)]
    assert shown(drawn, "guide-rents", as_of=before + dt.timedelta(days=1)) == corrected
    assert shown(drawn, "rent-index", as_of=before) == [(SOUTH, "residential", "2024Q1", 80.0, 100.0, 120.0)]
    assert shown(drawn, "guide-rents", as_of=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)) == []
