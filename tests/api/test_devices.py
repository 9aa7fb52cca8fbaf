"""The administration looks after handhelds: lists them, drains, revokes, and hears that they are empty."""

import uuid

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.test_enrolment import problem
from tests.api.trail import as_superuser, trail
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled, signature

STEPS = ("drain", "activate", "revoke", "reauthorise")
AT = "2026-11-23T09:00:00+08:00"


@pytest.fixture
def device(drawn: Drawn) -> Device:
    return enrolled(drawn)


def acknowledge(client: TestClient, device: Device, **changes: str) -> tuple[int, str]:
    body = {"device_id": str(device.id), "at": AT, "signature": device.sign("wipe-ack", device.id, AT)}
    answer = client.post("/v1/sync/wipe-ack", json=body | changes)
    return (204, "") if answer.status_code == 204 else problem(answer)


def test_only_the_administration_takes_steps(log_in: LogIn, device: Device) -> None:
    for name in ("worker", "community", "subdistrict", "district", "auditor"):
        assert [log_in(name).post(f"/v1/devices/{device.id}/{step}").status_code for step in STEPS] == [403] * 4, name


def test_handheld_of_another_and_one_that_never_was_are_told_alike(log_in: LogIn, drawn: Drawn, device: Device) -> None:
    other = enrolled(drawn, "worker-east")
    for identifier in (other.id, uuid.uuid4()):
        assert problem(log_in("worker").get(f"/v1/devices/{identifier}")) == (404, "not-found")
    assert [problem(log_in("admin").post(f"/v1/devices/{uuid.uuid4()}/{step}")) for step in STEPS] == [(404, "not-found")] * 4
    assert log_in("worker").get(f"/v1/devices/{device.id}").json()["username"] == "worker"
    assert log_in("worker").get(f"/v1/devices/{device.id}/incidents").status_code == 403


def test_list_is_read_by_the_office_and_own_by_the_worker(log_in: LogIn, drawn: Drawn, device: Device) -> None:
    other = enrolled(drawn, "worker-east", status="draining")

    def ids(name: str, **params: str) -> list[str]:
        return [one["id"] for one in log_in(name).get("/v1/devices", params=params).json()["items"]]

    for name in ("admin", "district"):
        assert ids(name) == [str(device.id), str(other.id)]
        assert ids(name, username="worker-east") == ids(name, status="draining") == [str(other.id)]
        assert ids(name, username="community") == []
        assert [one["username"] for one in log_in(name).get("/v1/devices").json()["items"]] == ["worker", "worker-east"]
    assert ids("worker") == ids("worker", username="worker") == [str(device.id)]
    assert ids("worker", username="worker-east") == []
    assert [log_in(name).get("/v1/devices").status_code for name in ("community", "subdistrict", "auditor")] == [403] * 3
    first = log_in("admin").get("/v1/devices", params={"limit": "1"}).json()
    assert [one["id"] for one in first["items"]] == [str(device.id)]
    assert ids("admin", limit="1", cursor=first["next"]) == [str(other.id)]


def test_device_is_told_with_a_tag_that_changes_with_it(log_in: LogIn, device: Device) -> None:
    admin = log_in("admin")
    answer = admin.get(f"/v1/devices/{device.id}")
    told = answer.json()
    assert set(told) == {
        "id", "username", "label", "status", "locked", "last_seq", "app_version", "schema_version", "enrolled_at", "seen_at",
        "last_push_at", "last_pull_at", "clock_skew_ms", "wiped_at",
    }  # fmt: skip
    assert (told["status"], told["locked"], told["label"], told["last_seq"]) == ("active", False, "worker's", 0)
    same = admin.get(f"/v1/devices/{device.id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert same.status_code == 304
    admin.post(f"/v1/devices/{device.id}/drain")
    changed = admin.get(f"/v1/devices/{device.id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (changed.status_code, changed.json()["status"]) == (200, "draining")


def test_steps_lead_from_standing_to_standing(log_in: LogIn, drawn: Drawn, device: Device) -> None:
    admin, reached = log_in("admin"), dict[str, list[str]]()
    for before in ("active", "draining", "revoked", "wiped"):
        for step in STEPS:
            as_superuser(drawn.address, b"UPDATE sync.device SET status = %s", before)
            answer = admin.post(f"/v1/devices/{device.id}/{step}")
            reached.setdefault(before, []).append(answer.json()["status"] if answer.is_success else problem(answer)[1])
    assert reached == {
        "active": ["draining", "active", "revoked", "active"],
        "draining": ["draining", "active", "revoked", "draining"],
        "revoked": ["state-step", "state-step", "revoked", "state-step"],
        "wiped": ["state-step"] * 4,
    }
    assert {row[:4] for row in trail(drawn.address, *STEPS)} == {(step, "device", str(device.id), "ok") for step in STEPS}


def test_wipe_is_believed_of_the_device_alone(client: TestClient, log_in: LogIn, drawn: Drawn, device: Device) -> None:
    other = enrolled(drawn)
    as_superuser(drawn.address, b"UPDATE sync.device SET status = 'revoked'")
    assert acknowledge(client, device, signature=other.sign("wipe-ack", device.id, AT)) == (401, "unauthenticated")
    assert acknowledge(client, device, at="2026-11-24T09:00:00+08:00") == (401, "unauthenticated")
    stranger = str(uuid.uuid4())
    assert acknowledge(client, device, device_id=stranger, signature=device.sign("wipe-ack", stranger, AT)) == (401, "unauthenticated")
    assert acknowledge(client, device, at="yesterday")[0] == 422
    incidents = log_in("admin").get(f"/v1/devices/{device.id}/incidents").json()["items"]
    assert [(one["code"], one["detail"]) for one in incidents] == [("signature", {"at": "wipe-ack"})] * 2
    assert log_in("admin").get(f"/v1/devices/{device.id}").json()["status"] == "revoked"


def test_active_device_was_told_nothing_and_its_word_changes_nothing(client: TestClient, log_in: LogIn, device: Device) -> None:
    assert acknowledge(client, device) == (409, "state-step")
    assert log_in("admin").get(f"/v1/devices/{device.id}").json()["status"] == "active"


@pytest.mark.parametrize("status", ["revoked", "draining"])
def test_device_that_says_it_is_empty_is_wiped_and_may_say_so_twice(
    client: TestClient, log_in: LogIn, drawn: Drawn, device: Device, status: str
) -> None:
    as_superuser(drawn.address, b"UPDATE sync.device SET status = %s", status)
    assert [acknowledge(client, device) for _ in range(2)] == [(204, "")] * 2
    told = log_in("admin").get(f"/v1/devices/{device.id}").json()
    assert (told["status"], told["wiped_at"] is not None) == ("wiped", True)
    assert [client.get(path, headers=device.headers).status_code for path in ("/v1/sync/bootstrap", "/v1/buildings")] == [401, 401]
    refused = {"device_id": str(device.id), "refresh_token": device.refresh_token}
    signed = signature(device.key, "token", device.id, device.refresh_token)
    assert client.post("/v1/devices/token", json=refused | {"signature": signed}).status_code == 401
    assert trail(drawn.address, "wipe") == [("wipe", "device", str(device.id), "ok", None)] * 2
