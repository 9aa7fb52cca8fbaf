"""The refusals that every noun has alike: stranger, wrong grid, missing, stale. What is particular to a noun stands in its own file."""

import uuid
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.drawn import Drawn
from tests.places import Places


@dataclass(frozen=True)
class Noun:
    """One that the worker of south-west sees, one that only the east sees, and a harmless correction."""

    path: str
    writer: str
    own: tuple[str, str]
    other: tuple[str, str]
    change: dict[str, Any]


NOUNS = (
    Noun("grids", "district", ("grids", "south-west"), ("grids", "east-inner"), {"name": "renamed"}),
    Noun("buildings", "worker", ("buildings", "tower"), ("buildings", "mill"), {"name": "renamed"}),
    Noun("units", "worker", ("units", "tower-101"), ("units", "mill-301"), {"room": "1-01"}),
    Noun("persons", "worker", ("people", "zhang"), ("people", "east"), {"registration": "registered"}),
    Noun("residences", "worker", ("residences", "zhang-at-tower"), ("residences", "east-at-mill"), {"basis": "relative"}),
    Noun("leases", "worker", ("leases", "village-let"), ("leases", "mill-let"), {"deposit_fen": 100}),
    Noun("managers", "worker", ("managers", "zhang-for-village"), ("managers", "east-for-mill"), {"archive_number": "A-1"}),
)


def address(places: Places, noun: Noun, which: tuple[str, str]) -> str:
    return f"/v1/{noun.path}/{getattr(places, which[0])[which[1]]}"


def requests(client: TestClient, path: str, one: str, change: dict[str, Any]) -> dict[str, int]:
    """Status of every request that a noun takes, as this client."""
    match = {"If-Match": '"v1"'}
    return {
        "list": client.get(f"/v1/{path}").status_code,
        "create": client.post(f"/v1/{path}", json={}).status_code,
        "read": client.get(one).status_code,
        "history": client.get(f"{one}/history").status_code,
        "correct": client.patch(one, json=change, headers=match).status_code,
        "delete": client.delete(one, headers=match).status_code,
    }


def test_stranger_is_asked_to_log_in(client: TestClient, drawn: Drawn) -> None:
    for noun in NOUNS:
        statuses = requests(client, noun.path, address(drawn.places, noun, noun.own), noun.change)
        assert set(statuses.values()) == {401}, noun.path


def test_roles_that_see_no_rows_are_refused_before_any_is_looked_for(log_in: LogIn, drawn: Drawn) -> None:
    for noun in NOUNS:
        for username in ("admin", "auditor"):
            statuses = requests(log_in(username), noun.path, address(drawn.places, noun, noun.own), noun.change)
            assert set(statuses.values()) == {403}, (noun.path, username)


def test_row_of_another_grid_is_answered_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    for noun in NOUNS:
        hidden = address(drawn.places, noun, noun.other)
        unknown = f"/v1/{noun.path}/{2_000_000 if noun.path == 'grids' else uuid.uuid4()}"
        answers = [worker.get(path).json() for path in (hidden, unknown)]
        for answer in answers:
            assert answer["status"] == 404, noun.path
            del answer["instance"], answer["request_id"]
        assert answers[0] == answers[1]
        assert worker.get(f"{hidden}/history").status_code == 404
        writer, gone = (log_in("district"), unknown) if noun.writer == "district" else (worker, hidden)
        match = {"If-Match": "*"}
        assert [writer.patch(gone, json=noun.change, headers=match).status_code, writer.delete(gone, headers=match).status_code] == [
            404,
            404,
        ]


def test_correction_without_the_version_that_was_read_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    for noun in NOUNS:
        writer, own = log_in(noun.writer), address(drawn.places, noun, noun.own)
        assert [writer.patch(own, json=noun.change).status_code, writer.delete(own).status_code] == [428, 428], noun.path


def test_stale_correction_names_the_present_version(log_in: LogIn, drawn: Drawn) -> None:
    for noun in NOUNS:
        writer, own = log_in(noun.writer), address(drawn.places, noun, noun.own)
        first = writer.get(own).headers["ETag"]
        corrected = writer.patch(own, json=noun.change, headers={"If-Match": first})
        assert (corrected.status_code, corrected.json()["version"]) == (200, 2), noun.path
        late = writer.patch(own, json=noun.change, headers={"If-Match": first})
        assert (late.status_code, late.json()["type"], late.json()["version"]) == (412, "/problems/stale-version", 2)
        assert writer.delete(own, headers={"If-Match": first}).status_code == 412


def test_correction_takes_no_unknown_member_and_no_null_where_a_value_must_be(log_in: LogIn, drawn: Drawn) -> None:
    required = {"grids": "name", "buildings": "name", "units": "room", "persons": "name", "residences": "basis", "leases": "new_let"}
    for noun in NOUNS:
        writer, own = log_in(noun.writer), address(drawn.places, noun, noun.own)
        match, member = {"If-Match": '"v1"'}, required.get(noun.path, "kind")
        assert writer.patch(own, json={"grid_id": 1}, headers=match).status_code == 422, noun.path
        assert writer.patch(own, json={member: None}, headers=match).json()["errors"][0]["field"] == member


def test_reader_who_has_the_present_form_gets_nothing_new(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    for noun in NOUNS:
        own = address(drawn.places, noun, noun.own)
        again = worker.get(own, headers={"If-None-Match": worker.get(own).headers["ETag"]})
        assert (again.status_code, again.content) == (304, b""), noun.path


def test_correction_of_nothing_changes_nothing(log_in: LogIn, drawn: Drawn) -> None:
    for noun in NOUNS:
        writer, own = log_in(noun.writer), address(drawn.places, noun, noun.own)
        assert writer.patch(own, json={}, headers={"If-Match": '"v1"'}).json()["version"] == 1, noun.path


def test_pages_together_are_the_whole_list(log_in: LogIn) -> None:
    district = log_in("district")
    for noun in NOUNS:
        whole = district.get(f"/v1/{noun.path}").json()["items"]
        seen, page = [], district.get(f"/v1/{noun.path}?limit=1").json()
        while page["next"] is not None:
            seen += page["items"]
            page = district.get(f"/v1/{noun.path}?limit=1&cursor={page['next']}").json()
        assert seen + page["items"] == whole, noun.path
        assert len(whole) >= 2


def test_page_of_more_than_a_thousand_rows_is_refused(log_in: LogIn) -> None:
    for noun in NOUNS:
        assert [log_in("worker").get(f"/v1/{noun.path}?limit={limit}").status_code for limit in (0, 1001)] == [422, 422], noun.path
