"""Releases that follow each other: what was published stays digit for digit, and new numbers continue it."""

import datetime as dt
import uuid

import numpy as np
import pytest

from gridmgmt.errors import ConflictError, InvalidError
from gridmgmt.rents.composing import compose
from gridmgmt.rents.quarterly import compose_once, publish
from gridmgmt.rents.releases import Figure, figures_of, newest_release, runs_of
from gridmgmt.rents.repeating import repeat
from gridmgmt.settings import Rents
from tests.drawn import Drawn
from tests.gridmgmt.rents.observed import ask, change, let, operator, survey, tell
from tests.places import SOUTH, WEST
from tests.rented import take_steps

FIRST_YEAR = dt.date(2023, 1, 1)


Said = tuple[str, str, int, str, str, dt.date]


def published(drawn: Drawn, quarter: str, *, publish: bool = True) -> dict[Said, Figure]:
    """A quarter composed, and published by two persons; its figures by what they are of."""
    with drawn.database.transaction(operator(drawn)) as session:
        release: uuid.UUID = compose(session, quarter)["id"]
    if publish:
        take_steps(drawn.database, drawn.places, release)
    with drawn.database.transaction(operator(drawn)) as session:
        figures = [one for _, one in figures_of(session, release)]
    found = {(one.product, one.frequency, one.area_id, one.use, one.lets, one.period): one for one in figures}
    assert len(found) == len(figures)
    return found


def draft(drawn: Drawn, quarter: str) -> uuid.UUID:
    with drawn.database.transaction(operator(drawn)) as session:
        return compose_once(session, quarter, rents=Rents()).release["id"]


@pytest.mark.parametrize(("first", "second"), [("2022Q4", "2022Q4"), ("2022Q4", "2023Q1"), ("2023Q1", "2022Q4")])
def test_release_that_knows_nothing_of_another_one_is_computed_again(drawn: Drawn, first: str, second: str) -> None:
    """Two drafts were judged each by itself. Published both, they would tell what one late lease changes."""
    let(drawn, 40, months=15)
    one = draft(drawn, first)
    survey(drawn, "late", rent_fen=290_000, begins=dt.date(2022, 11, 3), ends=dt.date(2023, 11, 3))
    other = draft(drawn, second)
    assert one != other
    take_steps(drawn.database, drawn.places, one, ["reviewed", "approved"])
    take_steps(drawn.database, drawn.places, other, ["reviewed", "approved"])
    take_steps(drawn.database, drawn.places, one, ["published"])
    with pytest.raises(ConflictError, match="another release was published since") as refused:
        take_steps(drawn.database, drawn.places, other, ["published"])
    assert refused.value.slug == "state-step"
    if second >= first:
        again = draft(drawn, second)  # though it may say the same
        assert again != other
        take_steps(drawn.database, drawn.places, again)


def test_quarter_is_published_by_its_approved_draft_though_a_newer_one_waits(drawn: Drawn) -> None:
    let(drawn, 40, months=12)
    approved = draft(drawn, "2022Q4")
    take_steps(drawn.database, drawn.places, approved, ["reviewed", "approved"])
    survey(drawn, "late", rent_fen=290_000, begins=dt.date(2022, 11, 3), ends=dt.date(2023, 11, 3))
    assert draft(drawn, "2022Q4") != approved
    with drawn.database.transaction(operator(drawn)) as session:
        assert publish(session, "2022Q4")["id"] == approved


def test_second_release_continues_the_first_digit_for_digit(drawn: Drawn) -> None:
    change(drawn, "UPDATE reg.building SET built_year = NULL")  # the age of one building is the year itself
    let(drawn, 40, months=12)
    first = published(drawn, "2022Q4")
    index = {key: one for key, one in first.items() if one.product == "index"}
    assert {one.basis for one in index.values()} >= {"direct", "model"}

    root = drawn.places.areas["440399"]
    let(drawn, 25, seed=2, months=12)  # registered late, and at other rents than those that were known
    let(drawn, 40, seed=3, first=12, months=6)
    second = published(drawn, "2023Q2")
    assert {key: one for key, one in second.items() if one.product == "index" and one.period < FIRST_YEAR} == index

    district = ("residential", "all")
    series = {key[-1]: one for key, one in second.items() if key[:2] == ("index", "month") and key[2] == root and key[3:5] == district}
    waiting = {key[1:2] + key[-1:] for key, one in second.items() if one.flag == "held_back"}
    assert waiting == {("month", dt.date(2023, 6, 1)), ("quarter", dt.date(2023, 4, 1))}  # two thirds of the usual leases
    logs = [np.log(float(series[day].value or np.nan)) for day in sorted(series)]
    assert np.isfinite(logs).tolist() == [True] * 17 + [False]
    assert abs(np.mean(logs[12:17]) - np.mean(logs[:12]) - 8.5 / 300) < 0.03  # the rents climb by 1/300 a month, over the seam too

    again = published(drawn, "2023Q2", publish=False)
    assert again == second  # another edition of the same quarter says the same while nothing has changed
    with drawn.database.transaction(operator(drawn)) as session, pytest.raises(ConflictError):
        compose(session, "2022Q4")

    let(drawn, 20, seed=4, first=17, months=1)  # what June waited for
    let(drawn, 55, seed=5, first=18, months=3)
    third = published(drawn, "2023Q3")
    told = {key: one for key, one in second.items() if one.product == "index" and one.flag != "held_back"}
    assert told.items() <= third.items()
    assert third["index", "month", root, *district, dt.date(2023, 6, 1)].value is not None
    assert third["index", "quarter", root, *district, dt.date(2023, 4, 1)].value is not None


def test_number_that_rents_of_the_same_units_gainsay_is_marked_for_review(drawn: Drawn) -> None:
    """Over twelve months they moved more than two points otherwise: the note tells it, and the newest numbers of that area are marked."""
    change(drawn, "UPDATE reg.building SET built_year = NULL")
    let(drawn, 16, seed=9, months=15)
    told = published(drawn, "2023Q1")
    with drawn.database.transaction(operator(drawn)) as session:
        note = str(newest_release(session)["note"])
    gainsaid = {area for code, area in drawn.places.areas.items() if f"Review {code} residential: the index moved" in note}
    marked = {key for key, one in told.items() if one.flag == "review"}
    newest = {("month", dt.date(2023, 3, 1)), ("quarter", dt.date(2023, 1, 1))}
    assert marked
    assert marked == {
        key
        for key, one in told.items()
        if (key[0], key[4]) == ("index", "all") and key[2] in gainsaid and (key[1], key[5]) in newest and one.basis == "direct"
    }


def test_setting_of_the_band_is_kept_with_the_run(drawn: Drawn) -> None:
    let(drawn, 40, months=12)
    bands: list[tuple[float, float]] = []
    for rents in (Rents(), Rents(rents_band_low=0.05, rents_band_high=0.95)):
        with drawn.database.transaction(operator(drawn)) as session:
            release = compose_once(session, "2022Q4", rents=rents).release["id"]
            guided = [one for one in runs_of(session, release) if one["product"] == "guide"]
            assert {(one["parameters"]["low"], one["parameters"]["high"]) for one in guided} == {
                (rents.rents_band_low, rents.rents_band_high)
            }
            assert all(repeat(session, one["id"]).same for one in guided)
            figures = [one for _, one in figures_of(session, release) if one.product == "guide" and one.basis == "direct"]
            bands.append((float(figures[0].low or 0), float(figures[0].high or 0)))
    (low, high), (lower, higher) = bands
    assert lower < low < high < higher


def test_correction_has_the_band_of_the_edition_before_and_names_all_its_runs(drawn: Drawn) -> None:
    change(drawn, "UPDATE reg.building SET built_year = NULL")
    let(drawn, 60, months=12)
    published(drawn, "2022Q4")
    survey(drawn, "late", unit="mill-301", rent_fen=290_000, begins=dt.date(2022, 11, 20), ends=dt.date(2023, 11, 20))
    with drawn.database.transaction(operator(drawn)) as session:
        made = compose_once(session, "2022Q4", rents=Rents(rents_band_low=0.05, rents_band_high=0.95))
        runs = runs_of(session, made.release["id"])
        assert made.made
        assert {run for run, _ in figures_of(session, made.release["id"])} <= {one["id"] for one in runs}
    assert len({one["data_cut"] for one in runs}) == 2  # numbers of areas without a late lease stand as they were
    assert {(one["parameters"]["low"], one["parameters"]["high"]) for one in runs if one["product"] == "guide"} == {(0.2, 0.8)}


def test_quarter_that_has_not_ended_is_refused(drawn: Drawn) -> None:
    with drawn.database.transaction(operator(drawn)) as session, pytest.raises(InvalidError):
        compose(session, "2999Q4")


def test_what_one_late_lease_changes_is_not_told_by_two_releases(drawn: Drawn) -> None:
    """The difference of two numbers of one cell would tell its rent: of two editions, and of windows of twelve months that share some."""
    change(drawn, "UPDATE reg.building SET built_year = NULL")
    around = {drawn.places.areas[code] for code in ("440399", WEST, SOUTH)}
    let(drawn, 60, months=12)
    first = published(drawn, "2022Q4")
    survey(drawn, "late", rent_fen=290_000, begins=dt.date(2022, 11, 20), ends=dt.date(2023, 11, 20))
    edition = published(drawn, "2022Q4")
    assert {key[:2] for key in told_of(first, around)} >= {("guide", "quarter"), ("index", "month"), ("index", "quarter")}
    november = {"guide": dt.date(2022, 10, 1), "quarter": dt.date(2022, 10, 1), "month": dt.date(2022, 11, 1)}
    for key in told_of(first, around):
        if key[-1] == november["guide" if key[0] == "guide" else key[1]]:
            assert edition[key].basis != "direct", key
    # the cells that it is not in say what they said
    assert {key: edition[key] for key in first if key[0] == "index" and key[-1] < november["guide"]} == {
        key: one for key, one in first.items() if key[0] == "index" and key[-1] < november["guide"]
    }

    let(drawn, 60, seed=3, first=12, months=6)
    second = published(drawn, "2023Q2")  # nothing was published of the quarter between
    assert any(key[0] == "guide" for key in told_of(second, around))
    survey(drawn, "later", rent_fen=160_000, begins=dt.date(2022, 12, 20), ends=dt.date(2023, 12, 20))
    third = published(drawn, "2023Q2")
    assert not {key for key in told_of(second, around) & told_of(third, around) if key[0] == "guide"}


def test_by_how_much_one_lease_was_corrected_is_not_told_by_two_editions(drawn: Drawn) -> None:
    """The one version of it went and the other came: neither is known, but the difference of two numbers is what the correction was."""
    change(drawn, "UPDATE reg.building SET built_year = NULL")
    let(drawn, 60, months=12)
    first = published(drawn, "2022Q4")
    ((community, subdistrict),) = ask(drawn, "SELECT community_id, subdistrict_id FROM reg.rent_observation WHERE reference = '1-10-7'")
    around = {drawn.places.areas["440399"], subdistrict, community}
    corrected = """
        SELECT source, reference, unit_id, landlord_id, new_let, related, sublet, begins, ends, rent_fen * 23 / 20 AS rent_fen, area_m2
          FROM reg.rent_observation WHERE reference = '1-10-7'"""
    tell(drawn, corrected)
    edition = published(drawn, "2022Q4")
    days = {"guide": dt.date(2022, 10, 1), "quarter": dt.date(2022, 10, 1), "month": dt.date(2022, 11, 1)}
    touched = {key for key in told_of(first, around) if key[-1] == days["guide" if key[0] == "guide" else key[1]]}
    assert {key[:2] for key in touched} == {("guide", "quarter"), ("index", "month"), ("index", "quarter")}
    assert {key: edition[key].basis for key in touched if edition[key].basis == "direct"} == {}
    # what it is not in says what it said, to the last digit
    untouched = {key for key in first if key[2] not in around or (key[0] == "index" and key[-1] != days[key[1]])}
    assert {key: edition[key] for key in untouched} == {key: first[key] for key in untouched}
    rules = ask(drawn, "SELECT DISTINCT (parameters->'disclosure'->>'few')::int FROM reg.rent_run")
    assert rules == [(10,)]


def told_of(said: dict[Said, Figure], areas: set[int]) -> set[Said]:
    """What was told of these areas' dwellings as their own."""
    return {key for key, one in said.items() if one.basis == "direct" and key[2] in areas and key[3] == "residential"}
