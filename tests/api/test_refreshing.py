"""A handheld goes on by tokens that change with each use, and no lost answer shuts it out."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx2 import Response
from starlette.testclient import TestClient

from gridmgmt.security import accounts
from tests.api.conftest import LogIn
from tests.api.test_enrolment import problem
from tests.api.trail import as_superuser, trail
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled, signature

PATH = "/v1/devices/token"


@pytest.fixture
def device(drawn: Drawn) -> Device:
    return enrolled(drawn)


def ask(client: TestClient, device: Device, token: str, **changes: Any) -> Response:
    body = {"device_id": str(device.id), "refresh_token": token, "signature": device.sign("token", device.id, token)}
    return client.post(PATH, json=body | changes)


def following(client: TestClient, device: Device, token: str) -> str:
    answer = ask(client, device, token)
    assert answer.status_code == 200, answer.text
    return answer.json()["refresh_token"]


def codes(log_in: LogIn, device: Device) -> list[str]:
    return [one["code"] for one in log_in("district").get(f"/v1/devices/{device.id}/incidents").json()["items"]]


def test_token_without_the_device_s_own_signature_is_refused(client: TestClient, log_in: LogIn, drawn: Drawn, device: Device) -> None:
    token = device.refresh_token
    other = Ed25519PrivateKey.generate()
    stranger = uuid.uuid4()
    answers = [
        ask(client, device, token, signature=signature(other, "token", device.id, token)),
        ask(client, device, token, signature=device.sign("enrol", device.id, token)),
        ask(client, device, token, signature=device.sign("token", device.id, "another")),
        ask(client, device, token, device_id=str(stranger), signature=device.sign("token", stranger, token)),
        ask(client, device, "x" * 43, device_id=str(stranger), signature=signature(other, "token", stranger, "x" * 43)),
    ]
    assert {problem(answer) for answer in answers} == {(401, "unauthenticated")}
    assert codes(log_in, device) == ["signature"] * 3
    assert [row[3] for row in trail(drawn.address, "refresh")] == ["refused"] * 5
    assert ask(client, device, token).status_code == 200  # and none of it hurt the device


@pytest.mark.parametrize("change", [{"device_id": "x"}, {"signature": ""}, {"refresh_token": ""}, {"more": 1}])
def test_member_that_cannot_be_is_named(client: TestClient, device: Device, change: dict[str, Any]) -> None:
    answer = ask(client, device, "t", **change)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, next(iter(change)))


def test_shut_out_devices_and_holders_get_their_words(client: TestClient, drawn: Drawn, device: Device) -> None:
    told: dict[str, tuple[int, str, bool | None]] = {}
    for name, statement in {
        "revoked": "status = 'revoked'", "wiped": "status = 'wiped'", "silent": "status = 'active', seen_at = now() - interval '31 days'",
    }.items():  # fmt: skip
        as_superuser(drawn.address, f"UPDATE sync.device SET {statement}".encode())
        answer = ask(client, device, device.refresh_token)
        told[name] = (*problem(answer), answer.json().get("wipe"))
    assert told == {
        "revoked": (403, "device-revoked", True),
        "wiped": (401, "unauthenticated", None),
        "silent": (403, "reauthorisation-required", None),
    }
    as_superuser(drawn.address, b"UPDATE sync.device SET seen_at = now() - interval '29 days'")
    assert ask(client, device, device.refresh_token).status_code == 200
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        accounts.disable_account(session, "worker")
    assert problem(ask(client, device, device.refresh_token)) == (401, "unauthenticated")


def test_each_use_gives_the_next_token_and_a_bearer_token_of_the_device(client: TestClient, drawn: Drawn, device: Device) -> None:
    answer = ask(client, device, device.refresh_token)
    made = answer.json()
    assert (made["token_type"], made["expires_in"], made["refresh_token"] != device.refresh_token) == ("Bearer", 900, True)
    headers = device.headers | {"Authorization": f"Bearer {made['access_token']}"}
    assert client.get("/v1/sync/bootstrap", headers=headers).json()["device"]["id"] == str(device.id)
    token = made["refresh_token"]
    seen = {token}
    for _ in range(5):
        token = following(client, device, token)
        seen.add(token)
    assert len(seen) == 6


def test_lost_answer_is_given_again_however_often_until_the_next_token_is_used(client: TestClient, device: Device) -> None:
    second = following(client, device, device.refresh_token)
    assert [following(client, device, device.refresh_token) for _ in range(3)] == [second] * 3
    third = following(client, device, second)
    assert following(client, device, second) == third


def test_refreshes_at_once_get_one_token(client: TestClient, device: Device) -> None:
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(ask, client, device, device.refresh_token) for _ in range(8)]
        answers = [one.result() for one in sent]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_token_that_was_replaced_and_used_locks_the_device_until_a_supervisor_lets_it_in(
    client: TestClient, log_in: LogIn, drawn: Drawn, device: Device
) -> None:
    first, second = device.refresh_token, following(client, device, device.refresh_token)
    third = following(client, device, second)
    assert problem(ask(client, device, first)) == (401, "unauthenticated")
    assert codes(log_in, device) == ["refresh-reused"]
    assert [problem(ask(client, device, token)) for token in (first, second, third)] == [(403, "reauthorisation-required")] * 3
    admin = log_in("admin")
    assert admin.get(f"/v1/devices/{device.id}").json()["locked"] is True
    assert admin.post(f"/v1/devices/{device.id}/reauthorise").json()["locked"] is False
    fourth = following(client, device, third)
    assert following(client, device, third) == fourth
    assert problem(ask(client, device, first)) == (401, "unauthenticated")  # the copy is found again


def test_made_up_token_is_an_incident_too(client: TestClient, log_in: LogIn, device: Device) -> None:
    assert problem(ask(client, device, "A" * 43)) == (401, "unauthenticated")
    assert codes(log_in, device) == ["refresh-reused"]


def test_silent_device_is_let_in_by_a_supervisor_with_the_token_that_it_has(
    client: TestClient, log_in: LogIn, drawn: Drawn, device: Device
) -> None:
    token = following(client, device, device.refresh_token)
    as_superuser(drawn.address, b"UPDATE sync.device SET seen_at = now() - interval '40 days'")
    assert problem(ask(client, device, token)) == (403, "reauthorisation-required")
    assert log_in("admin").post(f"/v1/devices/{device.id}/reauthorise").status_code == 200
    assert following(client, device, token) == following(client, device, token)


def test_register_that_was_restored_from_a_backup_takes_the_tokens_that_came_after(
    client: TestClient, log_in: LogIn, drawn: Drawn, device: Device
) -> None:
    token = following(client, device, device.refresh_token)
    as_superuser(drawn.address, b"CREATE TABLE public.kept AS SELECT * FROM sync.device")
    for _ in range(40):
        token = following(client, device, token)
    as_superuser(
        drawn.address,
        b"UPDATE sync.device d SET refresh_hash = k.refresh_hash, refresh_before = k.refresh_before FROM public.kept k WHERE k.id = d.id",
    )
    token = following(client, device, token)
    assert following(client, device, token)
    assert codes(log_in, device) == []


def test_draining_device_goes_on_refreshing_to_hand_in_what_it_holds(client: TestClient, drawn: Drawn, device: Device) -> None:
    as_superuser(drawn.address, b"UPDATE sync.device SET status = 'draining'")
    assert ask(client, device, device.refresh_token).status_code == 200
