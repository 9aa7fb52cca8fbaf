"""Log-in, bearer tokens and personal access keys, as clients meet them."""

import base64
import time

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.limits import Limits
from gridmgmt.security import accounts
from gridmgmt.security.tokens import Tokens
from gridmgmt.settings import Settings
from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import KEYS, PASSWORD


def basic(username: str, key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{key}".encode()).decode()}


def issue_key(drawn: Drawn, username: str) -> str:
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        return accounts.issue_key(session, username, label="QGIS")[1]


def test_stranger_is_told_how_to_log_in(client: TestClient) -> None:
    answer = client.get("/v1/accounts/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="gridmgmt", Basic realm="gridmgmt", charset="UTF-8"'
    assert answer.json() | {"request_id": ""} == {
        "type": "/problems/unauthenticated",
        "title": "Authentication required",
        "title_zh": "需要登录",
        "status": 401,
        "detail": "log in first: POST /v1/auth/token gives a bearer token",
        "instance": "/v1/accounts/me",
        "request_id": "",
        "errors": [],
    }


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x.y.z", "Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Digest a=b", "x" * 9000, "Bearer é"]
)
def test_header_that_proves_nobody_is_refused_where_anonymous_callers_are_welcome_too(client: TestClient, header: str) -> None:
    for path in ("/v1/accounts/me", "/ogc/collections"):
        assert client.get(path, headers=[(b"authorization", header.encode())]).status_code == 401, path


def test_two_authorization_headers_are_refused(client: TestClient, app: FastAPI, drawn: Drawn) -> None:
    token = app.state.parts.tokens.issue(drawn.places.accounts["worker"])
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert client.get("/v1/accounts/me", headers=headers).status_code == 401


def test_wrong_password_and_unknown_name_get_one_answer(client: TestClient) -> None:
    answers = [
        client.post("/v1/auth/token", json={"username": username, "password": password})
        for username, password in (("worker", "wrong"), ("nobody", PASSWORD), ("local-admin", ""), ("WORKER", PASSWORD))
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 422, 401]
    assert len({answer.json()["detail"] for answer in answers if answer.status_code == 401}) == 1
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="gridmgmt"'


def test_log_in_gives_a_token_for_a_quarter_of_an_hour(client: TestClient) -> None:
    answer = client.post("/v1/auth/token", json={"username": "worker", "password": PASSWORD})
    assert answer.status_code == 200
    issued = answer.json()
    assert {name: issued[name] for name in ("token_type", "expires_in", "role")} == {
        "token_type": "Bearer",
        "expires_in": 900,
        "role": "worker",
    }
    me = client.get("/v1/accounts/me", headers={"Authorization": f"Bearer {issued['access_token']}"})
    assert me.json() == {
        "username": "worker",
        "display_name": "Worker",
        "role": "worker",
        "areas": [],
        "grids": [{"code": "440399001001001", "name": "south-west"}],
    }


def test_expired_token_is_refused(client: TestClient, drawn: Drawn) -> None:
    old = Tokens(KEYS.token, 900, now=lambda: time.time() - 901)
    token = old.issue(drawn.places.accounts["worker"])
    assert client.get("/v1/accounts/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_disabled_account_is_refused_at_its_next_request_whatever_it_holds(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    worker, key = log_in("worker"), issue_key(drawn, "worker")
    paths = ("/v1/accounts/me", "/v1/buildings", "/ogc/collections/buildings/items")
    assert [worker.get(path).status_code for path in paths] == [200, 200, 200]
    with drawn.database.transaction(drawn.places.accounts["admin"]) as session:
        accounts.disable_account(session, "worker")
    assert [worker.get(path).status_code for path in paths] == [401, 401, 401]
    assert [client.get(path, headers=basic("worker", key)).status_code for path in paths] == [401, 401, 401]
    assert client.post("/v1/auth/token", json={"username": "worker", "password": PASSWORD}).status_code == 401


def test_token_does_not_outlive_a_change_of_role_in_its_claims(client: TestClient, app: FastAPI, drawn: Drawn) -> None:
    """The token's role chooses the pool; PostgreSQL looks up the account's own."""
    worker = drawn.places.accounts["worker"]
    for role in ("district", "admin", "auditor", "subdistrict"):
        forged = type(worker)(worker.account_id, "worker", role, "field", worker.epoch)
        token = app.state.parts.tokens.issue(forged)
        assert client.get("/v1/accounts/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401, role


def test_access_key_reads_and_writes_nothing(client: TestClient, drawn: Drawn) -> None:
    key = issue_key(drawn, "worker")
    assert client.get("/v1/accounts/me", headers=basic("worker", key)).json()["username"] == "worker"
    seen = client.get("/ogc/collections/buildings/items", headers=basic("worker", key))
    assert {feature["properties"]["name"] for feature in seen.json()["features"]} == {"tower", "village"}
    assert client.get("/v1/accounts/me", headers=basic("worker", key + "x")).status_code == 401
    assert client.get("/v1/accounts/me", headers=basic("worker", PASSWORD)).status_code == 401
    refused = client.post("/v1/buildings", json={}, headers=basic("worker", key))
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="gridmgmt"'
    told = client.options("/ogc/collections/buildings/items", headers=basic("worker", key))
    assert (told.status_code, told.headers["allow"]) == (200, "GET, HEAD, OPTIONS")
    refused = client.post("/ogc/collections/buildings/items", json={}, headers=basic("worker", key))
    assert (refused.status_code, refused.json()["detail"][:26]) == (403, "this access key only reads")


def test_name_waits_after_ten_refusals_in_a_minute(drawn: Drawn, configured: Settings) -> None:
    limits = Limits(anonymous_second=10_000, anonymous_minute=10_000, log_ins_minute=10)
    with TestClient(create_app(configured, KEYS, drawn.database, limits=limits)) as client:
        wrong = {"username": "worker", "password": "wrong"}
        assert [client.post("/v1/auth/token", json=wrong).status_code for _ in range(11)] == [401] * 10 + [429]
        right = client.post("/v1/auth/token", json={"username": "worker", "password": PASSWORD})
        assert (right.status_code, right.json()["type"], right.headers["retry-after"]) == (429, "/problems/too-many-requests", "60")
        assert client.post("/v1/auth/token", json={"username": "community", "password": PASSWORD}).status_code == 200


def test_strangers_crowd_is_held_up_whatever_header_it_sends(drawn: Drawn, configured: Settings) -> None:
    limits = Limits(anonymous_second=10_000, anonymous_minute=3)
    with TestClient(create_app(configured, KEYS, drawn.database, limits=limits)) as client:
        key = issue_key(drawn, "worker")
        wrong = [client.get("/v1/accounts/me", headers=basic(f"name-{number}", "wrong")).status_code for number in range(5)]
        assert wrong == [401, 401, 401, 429, 429]
        assert client.get("/v1/accounts/me", headers=basic("worker", key)).status_code == 429
        tried = [
            client.post("/v1/auth/token", json={"username": f"name-{number}", "password": "x"}, headers={"Authorization": "Bearer x"})
            for number in range(5)
        ]
        assert [answer.status_code for answer in tried] == [401, 401, 401, 429, 429]


def test_auditor_reads_the_trail_page_by_page_newest_first(client: TestClient, log_in: LogIn) -> None:
    for _ in range(3):
        client.post("/v1/auth/token", json={"username": "worker", "password": "wrong"})
    auditor = log_in("auditor")
    refused = {"action": "log-in", "limit": "2"}
    first = auditor.get("/v1/audit", params=refused)
    second = auditor.get("/v1/audit", params={**refused, "cursor": first.json()["next"]})
    ids = [row["id"] for row in first.json()["items"] + second.json()["items"]]
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)
    assert second.json()["next"] is None
    assert first.json()["items"][0] | {"id": 0, "at": ""} == {
        "id": 0, "at": "", "actor_id": 0, "db_role": "api_auth", "action": "log-in", "object_type": "account",
        "object_id": first.json()["items"][0]["object_id"], "purpose": None, "outcome": "refused", "n_rows": None, "detail": None,
    }  # fmt: skip
    reads = auditor.get("/v1/audit", params={"action": "read", "object_type": "audit"}).json()["items"]
    assert [row["n_rows"] for row in reads] == [1, 2]
