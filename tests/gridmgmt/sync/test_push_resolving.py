"""What a worker decides: only what was asked, and nothing that somebody else has changed meanwhile."""

import datetime as dt
from typing import Any

import psycopg

from gridmgmt.registers import units
from tests.drawn import Drawn
from tests.places import SPARE_NUMBER
from tests.pushing import Pusher, rows


def correct(drawn: Drawn, **changes: Any) -> None:
    """The office corrects tower-102."""
    actor = drawn.places.accounts["district"]
    with drawn.database.transaction(actor) as session:
        units.correct(session, actor, drawn.places.units["tower-102"], changes, versions=None)


def collided(hand: Pusher) -> tuple[str, int]:
    """A conflict about the room of tower-102, and the version that tells of it."""
    correct(hand.drawn, room="the office's")
    (told,) = hand.results(hand.update("unit", hand.drawn.places.units["tower-102"], 1, room="mine"))
    return told["conflict_id"], told["version"]


def test_flag_stands_while_a_conflict_of_the_same_push_waits(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    conflict, version = collided(hand)
    correct(drawn, use="office")
    another = hand.update("unit", home, version, use="shop")
    decided = {**hand.update("unit", home, version, room="mine"), "resolves": conflict}
    assert hand.statuses(another, decided) == ["conflict", "merged"]
    assert rows(drawn, "SELECT fields, state FROM sync.conflict ORDER BY id") == [(["room"], "resolved"), (["use"], "open")]
    assert rows(drawn, "SELECT conflict_open, room FROM reg.unit WHERE id = %s", home) == [(True, "mine")]


def test_who_decides_has_read_the_fields_of_the_conflict_alone(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    conflict, version = collided(hand)
    correct(drawn, use="office")
    beside = hand.update("unit", home, version, floor=7)
    decided = {**hand.update("unit", home, after=beside["seq"], room="mine", use="shop"), "resolves": conflict}
    _, told = hand.results(beside, decided)
    assert (told["status"], told["fields"]) == ("conflict", ["use"])
    assert rows(drawn, "SELECT room, use FROM reg.unit WHERE id = %s", home) == [("mine", "office")]


def test_conflict_that_was_decided_opens_nothing_again(drawn: Drawn, hand: Pusher) -> None:
    home = drawn.places.units["tower-102"]
    conflict, version = collided(hand)
    (told,) = hand.results({**hand.update("unit", home, version, room="mine"), "resolves": conflict})
    correct(drawn, room="the office's again")
    beside = hand.update("unit", home, told["version"], floor=7)
    late = {**hand.update("unit", home, after=beside["seq"], room="mine too"), "resolves": conflict}
    assert hand.statuses(beside, late) == ["merged", "conflict"]
    assert rows(drawn, "SELECT room FROM reg.unit WHERE id = %s", home) == [("the office's again",)]


def test_double_is_told_whom_it_stands_for_when_the_answer_is_not_kept_any_more(drawn: Drawn, hand: Pusher) -> None:
    said = {"name": "新人", "registration": "floating", "identity_number": SPARE_NUMBER}
    pair = [hand.create("resident", scope=drawn.places.grids["south-west"], **said) for _ in range(2)]
    first, second = hand.results(*pair)
    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute("UPDATE sync.mutation SET result = NULL")
    made, double = ({name: value for name, value in one.items() if name != "version"} for one in (first, second))
    told = [dict(one) for one in hand.results(*pair)]
    assert told == [{**made, "version": 1, "replayed": True}, {**double, "replayed": True}]
    assert double["canonical_id"] == pair[0]["id"]


def test_end_of_long_ago_that_is_corrected_opens_no_grid_again(drawn: Drawn, hand: Pusher) -> None:
    grid, who = drawn.places.grids["east-inner"], hand.device.actor.account_id
    recorded = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).isoformat()

    def newcomer() -> dict[str, Any]:
        return hand.create("resident", scope=grid, name="孙", registration="floating") | {"captured_at": recorded}

    with psycopg.connect(drawn.address.conninfo("postgres"), autocommit=True) as superuser:
        superuser.execute(
            "INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, valid_from, valid_to, recorded_by)"
            " SELECT %s, %s, min(id), '2020-01-01', '2024-01-01', 0 FROM reg.post",
            [who, grid],
        )
        superuser.execute("UPDATE reg.grid_assignment SET valid_to = '2023-12-31' WHERE account_id = %s AND grid_id = %s", [who, grid])
    assert hand.statuses(newcomer()) == ["out-of-scope"]
