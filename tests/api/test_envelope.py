"""What every answer carries, and what the log and the counters hold of it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from api.app import create_app
from api.limits import Limits
from api.logs import make_log
from api.routing import DistrictRoute
from gridmgmt import settings
from gridmgmt.settings import Settings
from tests.api.conftest import GENEROUS, LogIn
from tests.drawn import Drawn
from tests.places import KEYS, PASSWORD

CANARY = "000001196606060061"
ADDRESSES = (
    "/healthz",
    "/v1/accounts/me",
    "/v1/buildings",
    "/ogc/",
    "/ogc/collections/communities/items",
    "/nowhere",
    "/",
    "/v1/audit?x=1",
    "/%00",
)


def test_every_answer_has_the_headers_of_security(client: TestClient) -> None:
    for address in ADDRESSES:
        headers = client.get(address).headers
        assert headers["strict-transport-security"].startswith("max-age=31536000"), address
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == ("public, no-cache" if address.startswith("/ogc/") else "no-store"), address
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in headers
        assert not any(name.startswith("access-control-") for name in headers), address


def test_other_origins_get_no_permission(client: TestClient) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    answer = client.options("/v1/buildings", headers=asked)
    assert answer.status_code == 405
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_pages_of_the_origins_that_are_named_may_read_the_layers_and_nothing_else(drawn: Drawn, configured: Settings) -> None:
    origins = "https://maps.example,http://localhost:8080"
    opened = replace(configured, access=configured.access.model_copy(update={"origins": origins}))
    app = create_app(opened, KEYS, drawn.database, limits=GENEROUS)
    layer, ours = "/ogc/collections/communities/items", {"Origin": "https://maps.example"}
    wanted = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    with TestClient(app) as asking:
        for origin in ("https://elsewhere.example", "https://maps.example.evil.example", "null"):
            assert "access-control-allow-origin" not in asking.get(layer, headers={"Origin": origin}).headers
            assert asking.options(layer, headers={"Origin": origin, **wanted}).status_code == 400
        for address in ("/v1/buildings", "/"):
            assert "access-control-allow-origin" not in asking.get(address, headers=ours).headers
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert asking.options(layer, headers=ours | wanted | {"Access-Control-Request-Method": method}).status_code == 400
        for landing in ("/ogc", "/ogc/"):
            assert asking.options(landing, headers=ours | wanted).status_code == 200
            found = asking.get(landing, headers=ours, follow_redirects=False)
            assert found.headers["access-control-allow-origin"] == "https://maps.example"
        assert asking.options(layer, headers=ours | wanted).headers["access-control-allow-origin"] == "https://maps.example"
        answer = asking.get(layer, headers=ours)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://maps.example")
        assert "access-control-allow-credentials" not in answer.headers
        assert {"Origin", "Authorization"} <= {one.strip() for one in answer.headers["vary"].split(",")}
        refused = asking.get(layer, headers=ours | {"Authorization": "Bearer x"})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://maps.example")


def test_request_id_of_the_client_is_kept_when_it_is_one(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    for bad in ("short", "x" * 65, "with space 123", "<script>alert(1)</script>"):
        given = client.get("/nowhere", headers={"X-Request-Id": bad})
        assert given.headers["x-request-id"] != bad
        assert given.json()["request_id"] == given.headers["x-request-id"]


def test_demonstration_says_so_in_every_answer(client: TestClient) -> None:
    assert {client.get(address).headers.get("x-demo-data") for address in ADDRESSES} == {"true"}
    assert "演示数据" in client.get("/").text
    for address in ("/ogc/", "/ogc/collections", "/ogc/collections/communities/items"):
        assert client.get(address).json()["notice"] == "演示数据"


def test_real_installation_does_not_call_itself_a_demonstration(drawn: Drawn, configured: Settings) -> None:
    real = Settings(configured.places, configured.database, configured.server, settings.Access(demo_mode=False))
    with TestClient(create_app(real, KEYS, drawn.database, limits=GENEROUS)) as client:
        for address in ("/", "/ogc/", "/ogc/collections/communities/items"):
            answer = client.get(address)
            assert "x-demo-data" not in answer.headers
            assert "演示" not in answer.text


@pytest.fixture
def failing(drawn: Drawn, configured: Settings) -> Iterator[tuple[TestClient, io.StringIO]]:
    """A client of an application with a route that fails on what it was sent, and the application's log."""
    stream = io.StringIO()
    app = create_app(configured, KEYS, drawn.database, limits=GENEROUS, log=make_log(stream))
    router = APIRouter(route_class=DistrictRoute)

    @router.get("/fails/{id}")
    def fail(id: str, q: str) -> None:  # pyright: ignore[reportUnusedFunction]  # noqa: A002 -- named as in the other routes
        raise LookupError(f"{id} {q}")

    app.include_router(router)
    with TestClient(app) as client:
        yield client, stream


def test_unexpected_error_is_logged_once_and_without_what_was_sent(failing: tuple[TestClient, io.StringIO]) -> None:
    client, stream = failing
    answer = client.get(f"/fails/{CANARY}?q={CANARY}", headers={"X-Request-Id": "find-me-again"})
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "LookupError" not in answer.text
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    told = json.loads(lines[0])
    assert told["request_id"] == "find-me-again"
    assert told["route"] == "/fails/{id}"
    assert told["error"] == "builtins.LookupError"
    assert told["frames"][-1].endswith("fail")
    assert CANARY not in stream.getvalue()


def test_refusals_leave_nothing_in_the_log(failing: tuple[TestClient, io.StringIO]) -> None:
    client, stream = failing
    client.post("/v1/auth/token", json={"username": CANARY, "password": CANARY})
    client.get(f"/v1/persons?name={CANARY}")
    client.get(f"/ogc/collections/{CANARY}/items?bbox={CANARY}")
    assert stream.getvalue() == ""


def test_log_writes_nothing_that_is_not_listed() -> None:
    stream = io.StringIO()
    make_log(stream).error("something", request_id="r", body=CANARY, query=CANARY, username=CANARY)
    assert set(json.loads(stream.getvalue())) == {"event", "level", "timestamp", "request_id"}


def test_counters_know_routes_and_problems_and_nobody(app_here: TestClient, log_in: LogIn) -> None:
    log_in("worker").get("/v1/accounts/me")
    app_here.get(f"/v1/persons?name={CANARY}")
    app_here.get(f"/{CANARY}")
    counted = app_here.get("/metrics")
    assert counted.status_code == 200
    assert 'gridmgmt_requests_total{method="GET",route="/v1/accounts/me",status="200"} 1.0' in counted.text
    assert 'gridmgmt_requests_total{method="GET",route="(none)",status="404"} 1.0' in counted.text
    assert 'gridmgmt_problems_total{slug="unauthenticated"} 1.0' in counted.text
    assert 'gridmgmt_connections_in_use{class="field",pool="sessions"} 0.0' in counted.text
    assert "gridmgmt_job_seconds_since_success{" not in counted.text  # none ever ran
    assert "worker" not in counted.text
    assert CANARY not in counted.text


def test_processes_of_one_server_count_together(tmp_path: Path) -> None:
    script = (
        "from api.metrics import Metrics; from gridmgmt.database import Database\n"
        "m = Metrics(Database(None, None)); m.count('GET', '/x', 200, 0.1, None); print(m.text({}).decode())"
    )
    variables = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    said = [subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True) for _ in range(2)]
    assert 'gridmgmt_requests_total{method="GET",route="/x",status="200"} 2.0' in said[1].stdout


@pytest.fixture
def app_here(client: TestClient) -> TestClient:
    """A client on this machine."""
    here = TestClient(client.app, client=("127.0.0.1", 50_000))
    here.portal = client.portal
    return here


def test_counters_are_for_this_machine_only(client: TestClient) -> None:
    assert client.get("/metrics").status_code == 404


def test_anonymous_crowd_waits_and_a_known_user_does_not(drawn: Drawn, configured: Settings) -> None:
    app = create_app(configured, KEYS, drawn.database, limits=Limits(anonymous_second=1_000, anonymous_minute=5, ogc_minute=5))
    token = app.state.parts.tokens.issue(drawn.places.accounts["worker"])
    with TestClient(app) as client:
        statuses = [client.get("/ogc/conformance").status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert client.get("/ogc/conformance").headers["retry-after"] == "60"
        tile = "/ogc/collections/communities/tiles/WebMercatorQuad/0/0/0"
        assert client.get(tile).status_code == 200
        assert [client.get("/v1/accounts/me").status_code for _ in range(6)] == [401] * 5 + [429]
        assert client.post("/v1/auth/token", json={"username": "worker", "password": PASSWORD}).status_code == 429
        assert client.get("/healthz").status_code == 200
        assert client.get("/static/map.js").status_code == 200
        assert client.get("/ogc/conformance", headers={"Authorization": f"Bearer {token}"}).status_code == 200
