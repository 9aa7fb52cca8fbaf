"""Two pushes at the same moment: of one device, of two, and beside the office."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from gridmgmt.errors import ConflictError
from tests.drawn import Drawn
from tests.places import SPARE_NUMBER
from tests.pushing import Pusher, rows, word


def held(drawn: Drawn, hand: Pusher) -> psycopg.Connection[Any]:
    """A transaction that has the device's turn, as a push has that still runs."""
    connection = psycopg.connect(drawn.address.conninfo("postgres"))
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(hand.device.id)])
    return connection


def change(hand: Pusher, room: str) -> dict[str, Any]:
    return hand.update("unit", hand.drawn.places.units["tower-102"], 1, room=room)


def test_push_that_finds_another_of_its_device_running_is_told_to_come_back(drawn: Drawn) -> None:
    hand = Pusher.of(drawn)
    with held(drawn, hand), pytest.raises(ConflictError) as refused:
        hand.push(change(hand, "x"))
    assert (refused.value.slug, refused.value.facts["retry_after"]) == ("push-in-progress", 2)


def test_waiting_push_holds_no_transaction_id(drawn: Drawn) -> None:
    hand = Pusher.of(drawn)
    body = change(hand, "x")
    with ThreadPoolExecutor(1) as pool:
        with held(drawn, hand):
            future = pool.submit(hand.push, body)
            waiting = "SELECT backend_xid FROM pg_stat_activity WHERE wait_event = 'advisory' AND usename = 'api_field'"
            found: list[tuple[Any, ...]] = []
            while not found:
                found = rows(drawn, waiting)
            assert found == [(None,)]
        assert word(future.result(20).results[0]) == "applied"


def test_same_push_many_times_at_once_is_taken_once(drawn: Drawn) -> None:
    hand = Pusher.of(drawn)
    batch = [change(hand, "x"), hand.update("unit", drawn.places.units["tower-102"], after=1, room="y"), hand.create("dragon")]
    with ThreadPoolExecutor(4) as pool:
        told = [future.result(30).results for future in [pool.submit(hand.push, *batch) for _ in range(4)]]
    fresh = [results for results in told if "replayed" not in results[0]]
    assert len(fresh) == 1
    assert all(
        [{**result, "replayed": True} for result in fresh[0]] == [dict(result) for result in results]
        for results in told
        if results is not fresh[0]
    )
    assert rows(drawn, "SELECT count(*), max(client_seq) FROM sync.mutation") == [(3, 3)]
    assert rows(drawn, "SELECT version FROM reg.unit WHERE id = %s", drawn.places.units["tower-102"]) == [(3,)]


def test_one_person_entered_by_two_devices_at_once_is_one(drawn: Drawn) -> None:
    hands = [Pusher.of(drawn) for _ in range(2)]
    barrier = threading.Barrier(2)

    def enter(hand: Pusher) -> dict[str, Any]:
        made = hand.create(
            "resident", scope=drawn.places.grids["south-west"], name="新人", registration="floating", identity_number=SPARE_NUMBER
        )
        barrier.wait(10)
        return dict(hand.results(made)[0])

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(enter, hands), key=lambda result: result["status"])
    assert [result["status"] for result in told] == ["applied", "duplicate_of"]
    assert told[1]["canonical_id"] == told[0]["id"]
    assert rows(drawn, "SELECT count(*) FROM reg.person WHERE name = '新人'") == [(1,)]


def test_many_devices_change_the_same_rows_in_any_order(drawn: Drawn) -> None:
    """Rows are held in one order whatever order they are sent in, so nobody waits in a ring."""
    homes = [drawn.places.units[name] for name in ("tower-101", "tower-102", "village-201")]
    hands = [Pusher.of(drawn) for _ in range(3)]
    batches = [
        [hand.update("unit", home, floor=number + 2) for home in (homes[number:] + homes[:number])] for number, hand in enumerate(hands)
    ]
    with ThreadPoolExecutor(3) as pool:
        told = [
            future.result(30).results for future in [pool.submit(hand.push, *batch) for hand, batch in zip(hands, batches, strict=True)]
        ]
    assert {word(result) for results in told for result in results} <= {"applied", "conflict", "noop"}
    assert rows(drawn, "SELECT count(*) FROM sync.mutation") == [(9,)]
