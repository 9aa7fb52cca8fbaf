"""Residences over HTTP: who lived where, and what was believed of it."""

import uuid
from typing import Any

from tests.api.conftest import LogIn
from tests.api.trail import statements, trail
from tests.drawn import Drawn


def new(drawn: Drawn, person: str = "wang", **changes: Any) -> dict[str, Any]:
    rest = {"unit": "4403990010010000001000102", "basis": "lease", "valid_from": "2024-05-01"}
    return {"person_id": str(drawn.places.people[person]), **rest, **changes}


def test_person_or_unit_out_of_sight_is_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    hidden = [
        new(drawn, "east"),
        new(drawn) | {"person_id": str(uuid.uuid4())},
        new(drawn, "zhang", unit="4403990020010000005000301"),
        new(drawn, "zhang", unit="4403990020010000005000999"),
    ]
    answers = [worker.post("/v1/residences", json=body).json() for body in hidden]
    assert [answer["type"] for answer in answers] == ["/problems/unknown-reference"] * 4
    assert answers[0]["errors"] == answers[1]["errors"]
    assert answers[2]["errors"] == answers[3]["errors"]


def test_second_main_residence_in_a_period_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    answer = worker.post("/v1/residences", json=new(drawn, "zhang"))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/second-main-residence")
    assert worker.post("/v1/residences", json=new(drawn, "zhang", main=False)).status_code == 201


def test_residence_may_start_the_day_another_ends(log_in: LogIn, drawn: Drawn) -> None:
    worker, old = log_in("worker"), f"/v1/residences/{drawn.places.residences['zhang-at-tower']}"
    ended = worker.post(f"{old}/end", json={"on": "2024-05-01", "reason": "moved next door"}, headers={"If-Match": '"v1"'})
    assert (ended.status_code, ended.json()["valid_to"]) == (200, "2024-05-01")
    assert worker.post("/v1/residences", json=new(drawn, "zhang")).status_code == 201
    twice = worker.post(f"{old}/end", json={"on": "2024-06-01"}, headers={"If-Match": "*"})
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/already-ended")


def test_period_that_ends_before_it_begins_is_refused(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    assert worker.post("/v1/residences", json=new(drawn, "zhang", valid_to="2024-05-01")).status_code == 422
    own = f"/v1/residences/{drawn.places.residences['zhang-at-tower']}"
    assert worker.post(f"{own}/end", json={"on": "2022-03-01"}, headers={"If-Match": "*"}).status_code == 422


def test_record_of_a_person_follows_the_main_residence(log_in: LogIn, drawn: Drawn) -> None:
    community, worker = log_in("community"), log_in("worker")
    wang = f"/v1/persons/{drawn.places.people['wang']}"
    # Wang is written in south-east; the community sees both grids of the South, the worker only south-west.
    assert [worker.get(wang).status_code, community.get(wang).status_code] == [404, 200]
    body = new(drawn, id=str(uuid.uuid4()))
    assert [community.post("/v1/residences", json=body).status_code for _ in range(2)] == [201, 200]
    assert worker.get(wang).json()["grid_id"] == drawn.places.grids["south-west"]


def test_what_was_believed_before_a_correction_is_kept_and_can_be_read(log_in: LogIn, drawn: Drawn) -> None:
    worker, own = log_in("worker"), f"/v1/residences/{drawn.places.residences['zhang-at-tower']}"
    before = worker.get(own).json()
    assert before["valid_from"] == "2022-03-01"
    corrected = worker.patch(own, json={"valid_from": "2021-11-15", "basis": "lease"}, headers={"If-Match": '"v1"'}).json()
    assert (corrected["version"], corrected["valid_from"]) == (2, "2021-11-15")
    assert worker.get(own, params={"as_of": before["recorded_from"]}).json() == before
    # In December 2021: now we know that Zhang lived there, then we did not.
    day = {"valid_on": "2021-12-01", "person_id": str(drawn.places.people["zhang"])}
    assert len(worker.get("/v1/residences", params=day).json()["items"]) == 1
    assert worker.get("/v1/residences", params=day | {"as_of": before["recorded_from"]}).json()["items"] == []
    forms = worker.get(f"{own}/history").json()
    assert [(form["version"], form["valid_from"], form["basis"]) for form in forms] == [
        (2, "2021-11-15", "lease"),
        (1, "2022-03-01", "own"),
    ]
    assert forms[1]["recorded_to"] == forms[0]["recorded_from"] == corrected["recorded_from"]


def test_verification_says_who_saw_it(log_in: LogIn, drawn: Drawn) -> None:
    worker, own = log_in("worker"), f"/v1/residences/{drawn.places.residences['zhang-at-tower']}"
    verified = worker.post(f"{own}/verify", headers={"If-Match": '"v1"'}).json()
    assert verified["verified_by"] == drawn.places.accounts["worker"].account_id
    assert verified["verified_at"] == verified["recorded_from"]
    items = worker.get("/v1/residences?verified=true").json()["items"]
    assert [item["id"] for item in items] == [verified["id"]]


def test_struck_out_residence_makes_room_and_is_still_in_the_past(log_in: LogIn, drawn: Drawn) -> None:
    worker, own = log_in("worker"), f"/v1/residences/{drawn.places.residences['zhang-at-tower']}"
    before = worker.get(own).json()
    assert worker.delete(own, headers={"If-Match": '"v1"'}).status_code == 204
    assert worker.get(own).status_code == 404
    assert worker.get(own, params={"as_of": before["recorded_from"]}).json() == before
    assert worker.post("/v1/residences", json=new(drawn, "zhang")).status_code == 201


def test_residences_are_found_by_unit_and_day_and_every_look_is_written_down(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    assert worker.get("/v1/residences").status_code == 200
    with statements(drawn.database, "field") as sent:
        items = worker.get("/v1/residences", params={"unit": "4403990010010000001", "valid_on": "2022-05-01"}).json()["items"]
    assert [(item["unit"][-3:], item["person_name"]) for item in items] == [("101", "张**"), ("102", "李**")]
    # The signed context, the page, the row of the trail.
    assert len(sent) == 3
    worker.get(f"/v1/residences/{drawn.places.residences['east-at-mill']}")
    assert [row[:2] + row[3:] for row in trail(drawn.address, "list", "read_residence")] == [
        ("list", "residence", "ok", 3), ("list", "residence", "ok", 2), ("read_residence", "residence", "refused", None),
    ]  # fmt: skip
