"""What every request of a handheld must bring, and how a device stands that is shut out."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from api.device_access import ActiveDeviceDep, DeviceDep, SchemaDep
from api.routing import DistrictRoute
from gridmgmt.security import accounts
from tests.api.conftest import LogIn
from tests.api.trail import as_superuser
from tests.api.uploads import TUS
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled, speaking


@pytest.fixture
def routes(app: FastAPI) -> None:
    """A route that hands in and one that gives away."""
    router = APIRouter(prefix="/v1/sync/extra", route_class=DistrictRoute)

    @router.get("/in")
    async def hand_in(device: DeviceDep, schema: SchemaDep) -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        return {"device": str(device.id), "draining": device.draining, "account": device.actor.username, "schema": schema}

    @router.get("/out")
    async def give(device: ActiveDeviceDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return str(device.id)

    app.include_router(router)


@pytest.fixture
def device(drawn: Drawn, routes: None) -> Device:
    return enrolled(drawn)


def test_token_of_no_handheld_is_refused(client: TestClient, log_in: LogIn, device: Device) -> None:
    assert client.get("/v1/sync/extra/in").status_code == 401
    for name in ("worker", "community", "district", "admin"):
        answer = log_in(name).get("/v1/sync/extra/in", headers={"X-Device-Id": str(device.id), "X-Schema-Version": "1"})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden"), name


def test_device_of_the_header_must_be_that_of_the_token(client: TestClient, drawn: Drawn, device: Device) -> None:
    other = enrolled(drawn)
    answer = client.get("/v1/sync/extra/in", headers=device.headers | {"X-Device-Id": str(other.id)})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (403, "X-Device-Id")
    del (headers := device.headers)["X-Device-Id"]
    assert client.get("/v1/sync/extra/in", headers=headers).status_code == 400


@pytest.mark.parametrize(("version", "status", "slug"), [
    (None, 400, "malformed-request"), ("one", 400, "malformed-request"), ("-1", 400, "malformed-request"),
    ("0", 409, "schema-too-old"), ("2", 400, "malformed-request"),
])  # fmt: skip
def test_schema_that_is_not_spoken_is_refused(client: TestClient, device: Device, version: str | None, status: int, slug: str) -> None:
    headers = {name: value for name, value in device.headers.items() if name != "X-Schema-Version"}
    answer = client.get("/v1/sync/extra/in", headers=headers | ({} if version is None else {"X-Schema-Version": version}))
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    if status == 409:
        assert (answer.json()["min"], answer.json()["max"]) == (1, 1)


def test_how_a_device_stands_decides_what_it_gets(app: FastAPI, client: TestClient, drawn: Drawn, device: Device) -> None:
    told: dict[str, list[tuple[int, str | None, bool | None]]] = {}
    known = speaking(app, client, device)
    for status in ("active", "draining", "revoked", "wiped"):
        as_superuser(drawn.address, b"UPDATE sync.device SET status = %s", status)
        answers = [known.get(path) for path in ("/v1/sync/extra/in", "/v1/sync/extra/out", "/v1/buildings")]
        told[status] = [
            (one.status_code, None, None) if one.is_success else (one.status_code, one.json()["type"], one.json().get("wipe"))
            for one in answers
        ]
    fine, dead = (200, None, None), (401, "/problems/unauthenticated", None)
    draining, revoked = (403, "/problems/device-draining", True), (403, "/problems/device-revoked", True)
    assert told == {
        "active": [fine, fine, fine],
        "draining": [fine, draining, draining],
        "revoked": [revoked, revoked, revoked],
        "wiped": [dead, dead, dead],
    }


def test_draining_device_hands_in_files_and_gets_and_changes_nothing(
    app: FastAPI, client: TestClient, drawn: Drawn, device: Device
) -> None:
    known, unit, content = speaking(app, client, device), f"/v1/units/{drawn.places.units['tower-101']}", b"\xff\xd8\xff\xe0" + bytes(9)
    begun, sent = TUS | {"Upload-Length": "13"}, TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    as_superuser(drawn.address, b"UPDATE sync.device SET status = 'draining'")
    file = known.post("/v1/files", headers=begun).headers["Location"]
    assert (known.head(file, headers=TUS).status_code, known.patch(file, content=content, headers=sent).status_code) == (200, 204)
    assert (known.get("/v1/sync/bootstrap").status_code, known.post("/v1/sync/verify", json={"scopes": []}).status_code) == (200, 200)
    refused = [
        known.get(path)
        for path in (
            "/v1/persons", "/v1/leases", "/v1/sync/conflicts", "/v1/sync/letters", "/v1/areas", "/v1/rents/releases",
            "/ogc/collections/buildings/items", unit, file, f"{file}/info",
        )
    ]  # fmt: skip
    refused += [known.patch(unit, json={"room": "q"}, headers={"If-Match": "*"}), known.post("/v1/sync/pull", json={"scopes": []})]
    told = [(one.status_code, one.json()["type"]) for one in refused]
    assert told == [(403, "/problems/device-draining")] * 12


def test_device_of_somebody_else_and_of_nobody_is_no_device(app: FastAPI, client: TestClient, drawn: Drawn, device: Device) -> None:
    as_superuser(drawn.address, b"UPDATE sync.device SET account_id = %s", drawn.places.accounts["worker-east"].account_id)
    assert speaking(app, client, device).get("/v1/sync/extra/in").status_code == 401
    as_superuser(drawn.address, b"DELETE FROM sync.device")
    assert speaking(app, client, device).get("/v1/sync/extra/in").status_code == 401


def test_known_device_is_told_with_its_holder_and_the_servers_time(app: FastAPI, client: TestClient, device: Device) -> None:
    answer = speaking(app, client, device).get("/v1/sync/extra/in")
    assert answer.json() == {"device": str(device.id), "draining": False, "account": "worker", "schema": 1}
    assert int(answer.headers["X-Server-Time-Ms"]) > 1_700_000_000_000
    assert "X-Server-Time-Ms" in client.get("/v1/sync/extra/in").headers
    assert "X-Server-Time-Ms" not in client.get("/healthz").headers


def test_command_line_names_its_user_where_handhelds_name_themselves(drawn: Drawn) -> None:
    """The same word of the context; only a worker's is looked for among the devices."""
    admin = accounts.known_as(drawn.database, "local-admin")
    with drawn.database.transaction(type(admin)(admin.account_id, admin.username, admin.role, "admin", admin.epoch, "cli.root")) as session:
        assert accounts.list_accounts(session)
