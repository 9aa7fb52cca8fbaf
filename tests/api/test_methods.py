"""HEAD and OPTIONS: what a client may ask before it asks."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.test_matrix import routes
from tests.drawn import Drawn
from tests.places import SOUTH

READING = "GET, HEAD, OPTIONS"


def public(app: FastAPI) -> Iterator[str]:
    """Every address below /ogc, of a layer that everybody sees."""
    for route in routes(app):
        if route.path.startswith("/ogc"):
            yield route.path.replace("{collection}", "communities").replace("{fid}", "4")


def test_hidden_layer_is_missing_for_every_method(client: TestClient, log_in: LogIn) -> None:
    for asking, name in ((client, "grids"), (client, "no-such-layer"), (log_in("auditor"), "buildings")):
        for method in ("OPTIONS", "HEAD", "PUT", "DELETE", "POST"):
            for address in (f"/ogc/collections/{name}", f"/ogc/collections/{name}/items", f"/ogc/collections/{name}/items/1"):
                assert asking.request(method, address).status_code == 404, (method, address)


def test_method_that_nobody_has_is_refused_and_says_which_there_are(client: TestClient, app: FastAPI) -> None:
    for address in public(app):
        for method in ("TRACE", "BREW", "DELETE"):
            answer = client.request(method, address)
            assert (answer.status_code, answer.headers.get("allow")) == (405, READING), (method, address)
            assert answer.json()["type"] == "/problems/method-not-allowed"


def test_every_page_of_layers_tells_its_methods(client: TestClient, app: FastAPI) -> None:
    for address in public(app):
        answer = client.options(address)
        assert (answer.status_code, answer.headers.get("allow"), answer.content) == (200, READING, b""), address


@pytest.mark.parametrize(
    "address",
    ["/", "/healthz", "/openapi.json", "/static/map.js", "/ogc/", "/ogc/collections/grids/items?limit=1", f"/v1/areas?code={SOUTH}",
     "/v1/buildings", "/v1/accounts/me", "/v1/persons", "/v1/nowhere", "/v1/persons?x=1"],
)  # fmt: skip
def test_head_is_get_without_the_body(log_in: LogIn, address: str) -> None:
    worker = log_in("worker")
    head, get = worker.head(address), worker.get(address)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length", "etag", "cache-control"):
        # The text of a problem holds the id of its request.
        assert head.headers.get(name) == get.headers.get(name), name


def test_head_of_what_only_writes_is_refused(client: TestClient) -> None:
    answer = client.head("/v1/auth/token")
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


def test_head_is_304_when_nothing_is_new(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    for address in (f"/v1/buildings/{drawn.places.buildings['tower']}", "/ogc/collections/buildings/items"):
        tag = worker.head(address).headers["etag"]
        assert worker.head(address, headers={"If-None-Match": tag}).status_code == 304, address
