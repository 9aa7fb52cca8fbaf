"""A handheld comes in by a code that is good once, and proves that it has its key."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from api.app import create_app
from api.limits import Limits
from gridmgmt.security import accounts
from gridmgmt.settings import Settings
from tests.api.conftest import LogIn
from tests.api.trail import as_superuser, trail
from tests.drawn import Drawn
from tests.handhelds import encoded, signature
from tests.places import KEYS

PATH = "/v1/devices/enrol"


def issued(log_in: LogIn, username: str = "worker") -> str:
    answer = log_in("admin").post("/v1/devices/enrolments", json={"username": username})
    assert answer.status_code == 201, answer.text
    return answer.json()["code"]


def form(code: str, key: Ed25519PrivateKey | None = None) -> dict[str, Any]:
    key = key or Ed25519PrivateKey.generate()
    public = encoded(key.public_key().public_bytes_raw())
    said = {"code": code, "public_key": public, "label": "Huawei 7", "app_version": "1.2.0", "schema_version": 1}
    return {**said, "signature": signature(key, "enrol", code, public)}


def ask(client: TestClient, body: dict[str, Any], key: str = "first") -> Response:
    return client.post(PATH, json=body, headers={"Idempotency-Key": key})


def problem(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_code_is_issued_by_the_administration_for_workers_only(log_in: LogIn) -> None:
    for name in ("worker", "community", "subdistrict", "district", "auditor"):
        assert log_in(name).post("/v1/devices/enrolments", json={"username": "worker"}).status_code == 403, name
    for username in ("district", "community", "nobody", "local-operator"):
        assert problem(log_in("admin").post("/v1/devices/enrolments", json={"username": username})) == (404, "not-found")
    for days in (0, 91, "7"):
        assert log_in("admin").post("/v1/devices/enrolments", json={"username": "worker", "days": days}).status_code == 422


def test_request_without_a_key_of_its_own_is_refused(client: TestClient, log_in: LogIn) -> None:
    body = form(issued(log_in))
    for headers in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 201}, {"Idempotency-Key": "two words"}):
        assert problem(client.post(PATH, json=body, headers=headers)) == (400, "malformed-request")


@pytest.mark.parametrize(("member", "value"), [
    ("public_key", "x"), ("public_key", "A" * 42), ("public_key", "A" * 42 + "B"), ("public_key", "+" * 43), ("signature", "A" * 43),
    ("signature", 5), ("label", ""), ("schema_version", -1), ("schema_version", "1"), ("surprise", 1), ("code", ""),
])  # fmt: skip
def test_member_that_cannot_be_is_named(client: TestClient, member: str, value: object) -> None:
    answer = ask(client, form("0" * 20) | {member: value})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, member)


def test_codes_that_do_not_open_are_refused_alike(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    unknown = form("ABCDE-FGHJK-MNPQR-STVWX")
    expired, used, disabled = issued(log_in), issued(log_in), issued(log_in, "worker-east")
    as_superuser(
        drawn.address,
        b"UPDATE sync.enrolment SET expires_at = now() - interval '1 s' WHERE issued_at = (SELECT min(issued_at) FROM sync.enrolment)",
    )
    assert ask(client, form(used)).status_code == 201
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        accounts.disable_account(session, "worker-east")
    fresh = issued(log_in)
    stolen = form(fresh) | {"public_key": form(fresh)["public_key"]}
    answers = [
        ask(client, body, key)
        for body, key in ((unknown, "a"), (form(expired), "b"), (form(used), "c"), (form(disabled), "d"), (stolen, "e"), (form("x"), "f"))
    ]
    assert {problem(answer) for answer in answers} == {(401, "unauthenticated")}
    told = [{name: value for name, value in answer.json().items() if name != "request_id"} for answer in answers]
    assert told == told[:1] * 6
    assert [row[3] for row in trail(drawn.address, "enrol")] == ["ok"] + ["refused"] * 6
    assert ask(client, form(fresh), "g").status_code == 201  # it was not used up by the stranger


def test_address_waits_after_ten_wrong_codes_in_a_minute(drawn: Drawn, configured: Settings) -> None:
    limits = Limits(anonymous_second=10_000, anonymous_minute=10_000, log_ins_minute=10)
    with TestClient(create_app(configured, KEYS, drawn.database, limits=limits)) as client:
        answers = [ask(client, form("0" * 20)) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]


def test_public_key_that_another_device_has_is_refused(client: TestClient, log_in: LogIn) -> None:
    key = Ed25519PrivateKey.generate()
    assert ask(client, form(issued(log_in), key)).status_code == 201
    second = form(issued(log_in, "worker-east"), key)
    assert problem(ask(client, second, "other")) == (409, "conflict")


def test_worker_s_handheld_is_let_in_and_speaks_for_the_worker(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    code = issued(log_in)
    assert [len(group) for group in code.split("-")] == [5] * 4
    body = form(code)
    answer = ask(client, body)
    made = answer.json()
    assert answer.status_code == 201
    assert made | {"access_token": "", "refresh_token": "", "device_id": ""} == {
        "access_token": "", "token_type": "Bearer", "expires_in": 900, "refresh_token": "", "device_id": "",
        "account": {"username": "worker", "display_name": "Worker"},
        "scopes": [
            {
                "scope_id": drawn.places.grids["south-west"], "code": "440399001001001", "name": "south-west", "until": None,
                "stand_in": False,
            }
        ],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {made['access_token']}", "X-Device-Id": made["device_id"], "X-Schema-Version": "1"}
    told = client.get("/v1/sync/bootstrap", headers=headers).json()["device"]
    assert (told["id"], told["label"], told["app_version"]) == (made["device_id"], "Huawei 7", "1.2.0")
    assert client.get("/v1/accounts/me", headers=headers).json()["username"] == "worker"
    assert trail(drawn.address, "enrol") == [("enrol", "device", made["device_id"], "ok", None)]
    assert trail(drawn.address, "issue") == [("issue", "enrolment", None, "ok", None)]


def test_code_is_read_as_people_write_it(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    code = issued(log_in)
    written = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert ask(client, form(written)).status_code == 201


def test_lost_answer_is_given_again_and_other_requests_get_nothing(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    key = Ed25519PrivateKey.generate()
    code = issued(log_in)
    body = form(code, key)
    first, again = ask(client, body), ask(client, body)
    assert (again.status_code, again.json()["device_id"]) == (201, first.json()["device_id"])
    assert again.json()["refresh_token"] == first.json()["refresh_token"]
    other = ask(client, body | {"label": "Other"})
    assert problem(other) == (422, "idempotency-key-reused")
    assert problem(ask(client, body, "second")) == (401, "unauthenticated")
    device, token = first.json()["device_id"], first.json()["refresh_token"]
    refreshed = client.post(
        "/v1/devices/token", json={"device_id": device, "refresh_token": token, "signature": signature(key, "token", device, token)}
    )
    assert refreshed.status_code == 200
    assert problem(ask(client, body)) == (401, "unauthenticated")  # it came back: the answer was not lost


def test_of_two_handhelds_with_one_code_one_is_let_in(app: FastAPI, client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    code = issued(log_in)
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(ask, client, form(code), f"key-{number}") for number in range(4)]
        answers = [one.result() for one in sent]
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401]


def test_one_request_sent_at_once_makes_one_device(client: TestClient, log_in: LogIn) -> None:
    body = form(issued(log_in))
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(ask, client, body) for _ in range(4)]
        answers = [one.result() for one in sent]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({(answer.json()["device_id"], answer.json()["refresh_token"]) for answer in answers}) == 1


def test_code_is_kept_as_its_hash_only(log_in: LogIn, drawn: Drawn) -> None:
    code = issued(log_in)
    with psycopg.connect(drawn.address.conninfo("postgres")) as superuser:
        ((row, kept),) = superuser.execute("SELECT e::text, code_hash FROM sync.enrolment e").fetchall()
    assert kept == hashlib.sha256(code.replace("-", "").encode()).digest()
    assert not [group for group in code.split("-") if group in row]
