"""Two writers at the same moment: what one of them may not do because of the other is refused, whoever comes first."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from gridmgmt.database import Actor
from gridmgmt.errors import ConflictError
from gridmgmt.registers import buildings, residences, units
from tests.drawn import Drawn

DAY = dt.date(2026, 1, 1)
Work = Callable[[Session, Actor], object]


def second_waits_for_first(drawn: Drawn, first: Work, second: Work) -> ConflictError:
    """Run `first` up to its commit, start `second`, commit: `second`, which waited, must be refused. Gives its refusal."""
    actor, started = drawn.places.accounts["district"], threading.Event()

    def late() -> None:
        with drawn.database.transaction(actor) as session:
            started.set()
            second(session, actor)

    with ThreadPoolExecutor(1) as pool:
        with drawn.database.transaction(actor) as session:
            first(session, actor)
            waiting: Future[None] = pool.submit(late)
            assert started.wait(5)
            time.sleep(0.3)
            assert not waiting.done(), "the second writer did not wait for the first"
        error = waiting.exception(10)
    assert isinstance(error, ConflictError), error
    return error


def moves_in(drawn: Drawn, unit: str = "tower-102", person: str = "wang") -> Work:
    def work(session: Session, actor: Actor) -> object:
        place, who = drawn.places.units[unit], drawn.places.people[person]
        return residences.create(session, actor, person_id=who, unit_id=place, valid_from=DAY)

    return work


def retires_unit(drawn: Drawn) -> Work:
    return lambda session, actor: units.end(session, actor, drawn.places.units["tower-102"], on=DAY, versions=None)


def enters_unit(drawn: Drawn) -> Work:
    def work(session: Session, actor: Actor) -> object:
        village, code = drawn.places.buildings["village"], "4403990010010000002000202"
        return units.create(session, actor, building_id=village, code=code, floor=2, room="202", area_m2=Decimal(40), use="residential")

    return work


def retires_building(drawn: Drawn) -> Work:
    return lambda session, actor: buildings.end(session, actor, drawn.places.buildings["village"], on=DAY, versions=None)


@pytest.fixture
def empty_village(drawn: Drawn) -> Drawn:
    """The village without people and without units."""
    actor = drawn.places.accounts["district"]
    with drawn.database.transaction(actor) as session:
        residences.end(session, actor, drawn.places.residences["li-at-village"], on=dt.date(2025, 1, 1), versions=None)
        units.end(session, actor, drawn.places.units["village-201"], on=dt.date(2025, 1, 1), versions=None)
    return drawn


def test_second_main_residence_written_at_the_same_moment_is_refused(drawn: Drawn) -> None:
    assert second_waits_for_first(drawn, moves_in(drawn), moves_in(drawn, "shop-1")).slug == "second-main-residence"


def test_unit_into_which_somebody_is_moving_is_not_retired(drawn: Drawn) -> None:
    assert second_waits_for_first(drawn, moves_in(drawn), retires_unit(drawn)).slug == "unit-occupied"


def test_nobody_moves_into_a_unit_that_is_being_retired(drawn: Drawn) -> None:
    assert second_waits_for_first(drawn, retires_unit(drawn), moves_in(drawn)).slug == "place-retired"


def test_building_that_is_getting_a_unit_is_not_retired(empty_village: Drawn) -> None:
    assert second_waits_for_first(empty_village, enters_unit(empty_village), retires_building(empty_village)).slug == "building-has-units"


def test_no_unit_is_entered_in_a_building_that_is_being_retired(empty_village: Drawn) -> None:
    assert second_waits_for_first(empty_village, retires_building(empty_village), enters_unit(empty_village)).slug == "place-retired"
