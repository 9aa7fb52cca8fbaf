"""One request, one transaction, committed before the answer leaves; two writers who collide are tried again."""

import ast
import itertools
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import text, update
from starlette.testclient import TestClient

from api import dependencies
from api.dependencies import ReadSessionDep, SessionDep
from api.routing import TRIES, DistrictRoute
from gridmgmt.errors import ConflictError
from gridmgmt.models import Building, Lease
from tests.api.conftest import LogIn
from tests.drawn import Drawn

API = Path(dependencies.__file__).parent


def test_session_is_asked_for_by_its_alias_only() -> None:
    """A second spelling of the Depends would open a second transaction."""
    spelt: list[str] = []
    for file in API.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and node.id in {"_session", "_read_session", "_open_session"} and file.name != "dependencies.py":
                spelt.append(str(file))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"commit", "rollback"}:
                spelt.append(f"{file}: {node.func.attr}")
    source = Path(dependencies.__file__).read_text(encoding="utf-8")
    assert spelt == []
    assert [source.count(f"Depends({one}") for one in ("_session", "_read_session", "_open_session")] == [1, 1, 1]
    assert source.count('scope="function"') == 3


@pytest.fixture
def extra(app: FastAPI) -> dict[str, Any]:
    """Routes that do what a careless one might, and what they noted."""
    router = APIRouter(prefix="/extra", route_class=DistrictRoute)
    noted: dict[str, Any] = {"tries": itertools.count(1)}

    @router.post("/sublet-that-outlasts")
    def outlast(session: SessionDep) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        session.execute(update(Lease).where(Lease.number == "ZL-2024-0002").values(valid_to="2030-01-01"))
        return {"said": "done"}

    @router.post("/rename-and-fail")
    def fail(session: SessionDep) -> None:  # pyright: ignore[reportUnusedFunction]
        session.execute(update(Building).values(name="renamed"))
        session.flush()
        raise ZeroDivisionError

    @router.post("/collide/{times}")
    def collide(session: SessionDep, times: int) -> dict[str, int]:  # pyright: ignore[reportUnusedFunction]
        session.execute(update(Building).where(Building.name == "tower").values(floors_above=Building.floors_above + 1))
        attempt = next(noted["tries"])
        if attempt <= times:
            raise ConflictError("as PostgreSQL tells of a serialization failure", slug="write-conflict")
        return {"attempt": attempt}

    @router.get("/write-while-reading")
    def write(session: ReadSessionDep) -> None:  # pyright: ignore[reportUnusedFunction]
        session.execute(update(Building).values(name="renamed"))

    @router.get("/timeouts")
    def timeouts(session: SessionDep) -> str:  # pyright: ignore[reportUnusedFunction]
        return session.execute(text("SHOW statement_timeout")).scalar_one()

    app.include_router(router)
    return noted


def test_constraint_that_fails_at_the_commit_is_a_problem_and_not_a_success(log_in: LogIn, extra: dict[str, Any], drawn: Drawn) -> None:
    answer = log_in("worker").post("/extra/sublet-that-outlasts")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/sublet-outlasts-head")
    with drawn.database.transaction(drawn.places.accounts["worker"]) as session:
        assert str(session.get_one(Lease, drawn.places.leases["village-sublet"]).valid_to) == "2025-01-01"


def test_route_that_fails_has_written_nothing(log_in: LogIn, extra: dict[str, Any], drawn: Drawn) -> None:
    answer = log_in("worker").post("/extra/rename-and-fail")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "division" not in answer.text
    with drawn.database.transaction(drawn.places.accounts["worker"]) as session:
        assert session.get_one(Building, drawn.places.buildings["tower"]).name == "tower"


def test_collision_is_tried_again_and_each_try_begins_anew(log_in: LogIn, extra: dict[str, Any], drawn: Drawn) -> None:
    answer = log_in("worker").post("/extra/collide/2")
    assert answer.json() == {"attempt": TRIES}
    with drawn.database.transaction(drawn.places.accounts["worker"]) as session:
        assert session.get_one(Building, drawn.places.buildings["tower"]).floors_above == 31


def test_collision_without_end_is_told_after_three_tries(log_in: LogIn, extra: dict[str, Any]) -> None:
    answer = log_in("worker").post("/extra/collide/9")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/write-conflict")
    assert next(extra["tries"]) == TRIES + 1


def test_reader_cannot_write(log_in: LogIn, extra: dict[str, Any]) -> None:
    assert log_in("worker").get("/extra/write-while-reading").status_code == 500


def test_each_class_of_user_has_its_own_patience(log_in: LogIn, extra: dict[str, Any]) -> None:
    assert [log_in(name).get("/extra/timeouts").json() for name in ("worker", "subdistrict", "district")] == ["5s", "5s", "30s"]


def test_anonymous_caller_reaches_no_session(client: TestClient, extra: dict[str, Any]) -> None:
    assert client.post("/extra/collide/0").status_code == 401
    assert next(extra["tries"]) == 1
