"""/v1/sync/push over HTTP: who may, envelopes, compression, turns."""

import gzip
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.turns import Queue
from gridmgmt.database import Database
from gridmgmt.errors import BusyError
from gridmgmt.security.context import signer
from gridmgmt.settings import Settings, Sync
from tests.api.conftest import GENEROUS, LogIn
from tests.drawn import Drawn
from tests.handhelds import enrolled, speaking
from tests.places import KEYS
from tests.pushing import Pusher, rows


@pytest.fixture
def handheld(app: FastAPI, client: TestClient, hand: Pusher) -> TestClient:
    return speaking(app, client, hand.device)


def envelope(hand: Pusher, *mutations: Any, **more: Any) -> dict[str, Any]:
    told = {"device_id": str(hand.device.id), "batch_id": str(uuid.uuid4()), "sent_at_device": "2026-11-23T09:00:00.120+08:00"}
    return {**told, "mutations": list(mutations), **more}


def change(hand: Pusher, room: str = "x") -> dict[str, Any]:
    return hand.update("unit", hand.drawn.places.units["tower-101"], 1, room=room)


def test_nobody_and_people_without_handheld_are_refused(client: TestClient, log_in: LogIn, hand: Pusher) -> None:
    assert client.post("/v1/sync/push", json=envelope(hand)).status_code == 401
    assert log_in("worker").post("/v1/sync/push", json=envelope(hand)).status_code == 403


def test_revoked_handheld_is_told_to_wipe(app: FastAPI, client: TestClient, drawn: Drawn, hand: Pusher) -> None:
    revoked = speaking(app, client, enrolled(drawn, status="revoked")).post("/v1/sync/push", json=envelope(hand))
    assert (revoked.status_code, revoked.json()["wipe"]) == (403, True)


def test_outdated_app_hands_in_what_it_holds(app: FastAPI, handheld: TestClient, hand: Pusher) -> None:
    """It gets nothing that it could not read, and what it sends and we cannot read becomes a letter."""
    old = {"X-Schema-Version": "0"}
    told = handheld.post("/v1/sync/push", json=envelope(hand, change(hand), hand.create("dragon")), headers=old).json()
    assert [one["status"] for one in told["results"]] == ["applied", "rejected"]
    assert handheld.post("/v1/sync/pull", json={"scopes": []}, headers=old).status_code == 409


def test_draining_handheld_hands_in_what_it_holds(app: FastAPI, client: TestClient, drawn: Drawn) -> None:
    hand = Pusher(drawn, enrolled(drawn, status="draining"))
    answer = speaking(app, client, hand.device).post("/v1/sync/push", json=envelope(hand, change(hand)))
    assert (answer.status_code, answer.json()["results"][0]["status"]) == (200, "applied")


def test_body_for_another_handheld_is_refused(drawn: Drawn, handheld: TestClient, hand: Pusher) -> None:
    assert handheld.post("/v1/sync/push", json=envelope(Pusher.of(drawn))).status_code == 403


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"batch_id": "x"}, "batch_id"),
        ({"sent_at_device": "now"}, "sent_at_device"),
        ({"mutations": {}}, "mutations"),
        ({"mutations": [1]}, "mutations.0"),
        ({"mutations": [{"seq": 2}, {"seq": 2}]}, "mutations.1.seq"),
        ({"mutations": [{"seq": 0}]}, "mutations.0.seq"),
        ({"mutations": [{"seq": "1"}]}, "mutations.0.seq"),
        ({"mutations": [{"seq": 2**63}]}, "mutations.0.seq"),
    ],
)
def test_envelope_that_cannot_be_read_is_malformed(handheld: TestClient, hand: Pusher, more: dict[str, Any], field: str) -> None:
    answer = handheld.post("/v1/sync/push", json=envelope(hand, **more))
    assert (answer.status_code, answer.json()["type"], answer.json()["errors"][0]["field"]) == (400, "/problems/malformed-request", field)


def test_too_many_mutations_are_told_how_many_may_be(handheld: TestClient, hand: Pusher) -> None:
    answer = handheld.post("/v1/sync/push", json=envelope(hand, *({"seq": n} for n in range(1, 202))))
    told = answer.json()
    assert (answer.status_code, told["type"], told["max_mutations"], told["max_bytes"]) == (
        413,
        "/problems/batch-too-large",
        200,
        1_048_576,
    )


def test_gap_says_what_is_expected(handheld: TestClient, hand: Pusher) -> None:
    hand.seq = 6
    answer = handheld.post("/v1/sync/push", json=envelope(hand, change(hand)))
    assert (answer.status_code, answer.json()["type"], answer.json()["expected_seq"]) == (409, "/problems/sequence-gap", 1)


def test_compressed_push_is_taken_and_cut_or_other_encodings_are_not(handheld: TestClient, hand: Pusher) -> None:
    body = gzip.compress(json.dumps(envelope(hand, change(hand))).encode())
    json_in_gzip = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert handheld.post("/v1/sync/push", content=body[:-9], headers=json_in_gzip).status_code == 400
    assert handheld.post("/v1/sync/push", content=b"{}", headers=json_in_gzip).status_code == 400
    assert handheld.post("/v1/sync/push", content=body, headers=json_in_gzip | {"Content-Encoding": "br"}).status_code == 415
    bomb = gzip.compress(b" " * 9_000_000)
    assert handheld.post("/v1/sync/push", content=bomb, headers=json_in_gzip).status_code == 413
    assert handheld.post("/v1/sync/push", content=body, headers=json_in_gzip).json()["results"][0]["status"] == "applied"


def test_results_are_told_with_their_problems(handheld: TestClient, hand: Pusher) -> None:
    body = envelope(hand, change(hand), hand.create("dragon"))
    answer = handheld.post("/v1/sync/push", json=body).json()
    applied, rejected = answer["results"]
    assert applied == {"seq": 1, "status": "applied", "id": str(hand.drawn.places.units["tower-101"]), "version": 2, "clock": "flagged"}
    problem = rejected.pop("problem")
    assert (problem["type"], problem["status"], problem["errors"][0]["field"]) == ("/problems/kind-not-writable", 422, "kind")
    assert (answer["last_seq"], rejected["status"]) == (2, "rejected")
    again = handheld.post("/v1/sync/push", json={**body, "batch_id": str(uuid.uuid4())}).json()["results"]
    assert again == [{**result, "replayed": True} for result in [applied, {**rejected, "problem": problem}]]


@pytest.mark.parametrize("moment", ["2300-01-01T00:00:00+08:00", "9999-12-31T23:59:59.999999-15:00"])
def test_clock_that_stands_in_another_age_is_flagged_and_costs_nothing(
    drawn: Drawn, handheld: TestClient, hand: Pusher, moment: str
) -> None:
    body = envelope(hand, {**change(hand), "captured_at": moment}, sent_at_device=moment)
    (result,) = handheld.post("/v1/sync/push", json=body).json()["results"]
    assert (result["status"], result["clock"]) == ("applied", "flagged")
    kept = "SELECT captured_at = %s::timestamptz, captured_at_corrected <= now() FROM sync.mutation"
    assert rows(drawn, kept, moment) == [(True, True)]


def test_push_is_audited_with_what_became_of_it(drawn: Drawn, handheld: TestClient, hand: Pusher) -> None:
    handheld.post("/v1/sync/push", json=envelope(hand, change(hand), hand.create("dragon")))
    ((actor, rows_told, detail),) = rows(drawn, "SELECT actor_id, n_rows, detail FROM reg.audit WHERE action = 'push'")
    assert (actor, rows_told, detail["applied"], detail["rejected"]) == (hand.device.actor.account_id, 2, 1, 1)


@pytest.fixture
def narrow(drawn: Drawn, configured: Settings) -> Iterator[tuple[FastAPI, TestClient]]:
    app = create_app(
        replace(configured, sync=Sync(push_mutations=1, push_bytes=65_536, push_item_bytes=1_024, pushes=1)),
        KEYS,
        drawn.database,
        limits=GENEROUS,
    )
    with TestClient(app) as client:
        yield app, client


def test_limits_are_settings(narrow: tuple[FastAPI, TestClient], hand: Pusher) -> None:
    handheld = speaking(*narrow, hand.device)
    assert handheld.post("/v1/sync/push", json=envelope(hand, {"seq": 1}, {"seq": 2})).status_code == 413
    assert handheld.post("/v1/sync/push", json=envelope(hand, change(hand, "x" * 70_000))).json()["max_bytes"] == 65_536
    hand.seq = 0
    (result,) = handheld.post("/v1/sync/push", json=envelope(hand, {**change(hand), "was": {"room": "x" * 2_000}})).json()["results"]
    assert result["problem"]["type"] == "/problems/too-large"


def test_one_handheld_pushes_so_often_and_the_others_go_on(drawn: Drawn, configured: Settings, hand: Pusher) -> None:
    rare = replace(configured, sync=Sync(push_burst=3, push_minute=600))
    with TestClient(create_app(rare, KEYS, drawn.database, limits=GENEROUS)) as client:
        often, other = (TestClient(client.app, headers=one.device.headers) for one in (hand, Pusher.of(drawn)))
        often.portal = other.portal = client.portal
        answers = [often.post("/v1/sync/push", json=envelope(hand)) for _ in range(4)]
        while answers[-1].status_code == 200:  # a slow machine fills the bucket meanwhile
            answers.append(often.post("/v1/sync/push", json=envelope(hand)))
        assert (answers[-1].status_code, answers[-1].json()["type"]) == (429, "/problems/too-many-requests")
        assert answers[-1].headers["Retry-After"] == "1"
        assert other.post("/v1/sync/push", json=envelope(hand)).status_code == 403  # not its own, but served
        time.sleep(0.3)
        assert often.post("/v1/sync/push", json=envelope(hand)).status_code == 200


def test_push_that_finds_no_connection_is_told_to_come_back_and_is_taken_then(drawn: Drawn, configured: Settings, hand: Pusher) -> None:
    database = Database(drawn.address, signer(KEYS.context_kid, KEYS.context), pool_size=1)
    app = create_app(configured, KEYS, database, limits=GENEROUS)
    with TestClient(app) as client, closing(database):
        handheld, sent = speaking(app, client, hand.device), envelope(hand, change(hand))
        with database.engine("field").connect():
            refused = handheld.post("/v1/sync/push", json=sent)
        assert (refused.status_code, refused.headers["Retry-After"].isdigit()) == (503, True)
        assert handheld.post("/v1/sync/push", json=sent).json()["results"][0]["status"] == "applied"


@pytest.mark.anyio
async def test_whoever_gets_no_turn_in_time_is_told_to_come_back() -> None:
    queue = Queue(1, 0.05, "busy", line=9)
    async with queue.taken():
        with pytest.raises(BusyError):
            async with queue.taken():
                pass
    with anyio.fail_after(1):
        async with queue.taken():
            pass


@pytest.mark.anyio
async def test_whoever_comes_to_a_full_line_is_told_at_once() -> None:
    queue = Queue(1, 9.0, "busy", line=1)
    queue.require_room()
    async with queue.taken(), anyio.create_task_group() as waiting:
        queue.require_room()

        async def wait() -> None:
            async with queue.taken():
                pass

        waiting.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BusyError):
            queue.require_room()
        waiting.cancel_scope.cancel()
    queue.require_room()


def test_push_to_a_full_line_is_not_read(app: FastAPI, handheld: TestClient) -> None:
    app.state.parts = replace(app.state.parts, pushes=Queue(1, 0.05, "busy", line=0))
    answer = handheld.post("/v1/sync/push", content=b"nothing that can be read")
    assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"].isdigit()) == (503, "/problems/busy", True)
