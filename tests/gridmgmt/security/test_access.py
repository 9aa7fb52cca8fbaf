"""The road from an actor to a row."""

import threading
import uuid

import pytest
from sqlalchemy import update

from gridmgmt.errors import BusyError, NotFoundError, StaleError
from gridmgmt.models import Building, Lease
from gridmgmt.security.access import find, lock
from tests.drawn import Drawn


def test_unseen_unknown_and_deleted_rows_are_told_alike(drawn: Drawn) -> None:
    worker, leases = drawn.places.accounts["worker"], drawn.places.leases
    with drawn.database.transaction(worker) as session:
        session.execute(update(Lease).where(Lease.id == leases["village-sublet"]).values(deleted_at="2024-01-01T00:00:00Z"))
    told: set[str] = set()
    with drawn.database.transaction(worker) as session:
        for identifier in (leases["mill-let"], uuid.uuid4(), leases["village-sublet"]):
            with pytest.raises(NotFoundError) as refusal:
                find(session, Lease, identifier)
            told.add(refusal.value.detail)
            with pytest.raises(NotFoundError):
                lock(session, Lease, identifier, None)
        assert find(session, Lease, leases["village-let"]).number == "ZL-2023-0001"
    assert len(told) == 1


def test_stale_writer_is_told_the_present_version(drawn: Drawn) -> None:
    tower = drawn.places.buildings["tower"]
    with drawn.database.transaction(drawn.places.accounts["worker"]) as session:
        for read in (frozenset({2}), frozenset[int](), frozenset({0, 7})):
            with pytest.raises(StaleError) as refusal:
                lock(session, Building, tower, read)
            assert refusal.value.facts == {"version": 1}
        for read in (frozenset({1}), frozenset({1, 5}), None):
            assert lock(session, Building, tower, read).id == tower


def test_second_writer_waits_for_the_first_and_then_finds_the_row_moved_on(drawn: Drawn) -> None:
    tower, worker = drawn.places.buildings["tower"], drawn.places.accounts["worker"]
    outcome: list[object] = []

    def second() -> None:
        try:
            with drawn.database.transaction(worker) as session:
                outcome.append(lock(session, Building, tower, frozenset({1})).version)
        except StaleError as error:
            outcome.append(error.facts["version"])

    with drawn.database.transaction(worker) as session:
        lock(session, Building, tower, frozenset({1})).name = "renamed"
        session.flush()
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(5)
    assert outcome == [2]


def test_writer_does_not_wait_longer_than_two_seconds(drawn: Drawn) -> None:
    tower, worker = drawn.places.buildings["tower"], drawn.places.accounts["worker"]
    with drawn.database.transaction(worker) as first:
        lock(first, Building, tower, None)
        with pytest.raises(BusyError), drawn.database.transaction(worker) as second:
            lock(second, Building, tower, None)
