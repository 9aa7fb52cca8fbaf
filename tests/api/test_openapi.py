"""The OpenAPI document: every problem that a route can answer is declared."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.problems import COMMON, KINDS, SCHEMAS, STATUSES, declares, status_of
from gridmgmt import errors
from gridmgmt.errors import RULES, DistrictError

OPEN = {"/healthz", "/readyz", "/metrics", "/problems", "/problems/{slug}", "/v1/auth/token"}


def operations(app: FastAPI) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{method.upper()} {path}", operation) for path, item in app.openapi()["paths"].items() for method, operation in item.items()]


def missing(operation: dict[str, Any], *statuses: int) -> list[int]:
    return [status for status in statuses if str(status) not in operation["responses"]]


def test_every_route_declares_what_any_route_may_answer(app: FastAPI) -> None:
    common = {KINDS[slug].status for slug in COMMON}
    assert [name for name, operation in operations(app) if missing(operation, *common)] == []


def test_every_route_declares_the_problems_of_its_kind(app: FastAPI) -> None:
    undeclared: dict[str, list[int]] = {}
    for name, operation in operations(app):
        method, _, path = name.partition(" ")
        expected: set[int] = set()
        if path not in OPEN and path not in {"/ogc/", "/ogc/conformance"}:
            expected.add(401)
        if "{" in path:
            expected.add(404)
        if "requestBody" in operation:
            expected |= {413, 415, 422}
        if any(parameter["name"].lower() == "if-match" for parameter in operation.get("parameters", [])):
            expected |= {412, 428}
        if method in {"POST", "PATCH", "DELETE"} and path.startswith("/v1/") and path != "/v1/auth/token":
            expected.add(403)
        if lacking := missing(operation, *sorted(expected)):
            undeclared[name] = lacking
    assert undeclared == {}


def test_problems_are_told_in_their_own_media_type(app: FastAPI) -> None:
    document = app.openapi()
    for name, operation in operations(app):
        for status, response in operation["responses"].items():
            if status >= "400" and name != "GET /readyz":
                assert list(response["content"]) == ["application/problem+json"], (name, status)
    assert document["components"]["schemas"]["Problem"] == SCHEMAS["Problem"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_refusal_of_the_register_has_its_title_in_both_languages() -> None:
    classes = [
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, DistrictError) and cls is not DistrictError
    ]
    slugs = {rule.slug for rule in RULES.values()} | {cls.slug for cls in classes}
    assert slugs <= set(KINDS)
    assert all(kind.title.isascii() and not kind.title_zh.isascii() for kind in KINDS.values())


def test_type_of_every_problem_leads_to_its_page(client: TestClient) -> None:
    listed = client.get("/problems").json()
    assert {kind["type"] for kind in listed} == {f"/problems/{slug}" for slug in KINDS}
    assert [client.get(kind["type"]).json() for kind in listed] == listed
    refused = client.get("/problems/no-such-problem")
    page = client.get(refused.json()["type"]).json()
    assert page == {"type": "/problems/not-found", "title": "Not found", "title_zh": "未找到", "status": 404}


def test_document_tells_of_tags_and_of_304(app: FastAPI) -> None:
    untold = [
        name
        for name, operation in operations(app)
        if name.startswith("GET /v1/") and name.endswith("/{id}")
        and ("304" not in operation["responses"] or "ETag" not in operation["responses"]["200"].get("headers", {}))
    ]  # fmt: skip
    assert untold == []


def test_slug_has_the_status_of_the_error_that_carries_it() -> None:
    for rule in RULES.values():
        assert KINDS[rule.slug].status == STATUSES[rule.kind], rule.slug
    for cls, status in STATUSES.items():
        assert status_of(cls("x")) == status


def test_slugs_of_one_status_are_declared_together() -> None:
    told = declares("code-taken", "not-found", "unit-already-let")
    assert set(told) == {404, 409}
    assert (
        told[409]["description"]
        == "code-taken: The code is taken 编码已被占用; unit-already-let: The unit is let in this period 该单元同期已出租"
    )


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
def test_no_page_loads_scripts_from_elsewhere(app: FastAPI, path: str) -> None:
    assert path not in {getattr(route, "path", "") for route in app.routes}
