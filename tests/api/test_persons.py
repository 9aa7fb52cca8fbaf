"""Persons over HTTP: masked, uniform, revealed only for a purpose."""

import json
import uuid
from typing import Any

from tests.api.conftest import LogIn
from tests.api.trail import as_superuser, statements, trail
from tests.drawn import Drawn
from tests.places import NUMBERS, SPARE_NUMBER

WHY = {"purpose": "residence_check", "reason": "door check on 3 May"}


def new(**changes: Any) -> dict[str, Any]:
    return {"name": "孙小圣", "registration": "floating", "identity_number": SPARE_NUMBER, "unit": "4403990010010000001000101", **changes}


def test_number_that_cannot_be_is_refused_and_not_repeated(log_in: LogIn) -> None:
    worker = log_in("worker")
    # 0061 ends in a right check digit, 0062 does not; 30 February; too short.
    wrong = {"000001196606060062": "check-digit", "000001196602300061": "birth-date", "00000119660606006": "length"}
    for number, reason in wrong.items():
        for path, body in (("/v1/persons", new(identity_number=number)), ("/v1/persons/lookup", WHY | {"identity_number": number})):
            answer = worker.post(path, json=body)
            assert (answer.status_code, answer.json()["reason"]) == (422, reason)
            assert number not in answer.text


def test_person_is_placed_only_where_the_writer_works(log_in: LogIn) -> None:
    worker = log_in("worker")
    for place in ({"unit": "4403990020010000005000301"}, {"unit": "4403990020010000005000999"}, {"grid": "440399001001002", "unit": None}):
        assert worker.post("/v1/persons", json=new(**place)).json()["type"] == "/problems/unknown-reference"
    assert worker.post("/v1/persons", json=new(unit=None)).json()["errors"][0]["field"] == "unit"


def test_known_and_new_numbers_are_answered_alike(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    answers = [
        worker.post("/v1/persons", json=new()),
        worker.post("/v1/persons", json=new(identity_number=NUMBERS["zhang"])),
        worker.post("/v1/persons", json=new(identity_number=NUMBERS["east"])),
        worker.post("/v1/persons", json=new(identity_number=None, sex="male", birth_year=1966)),
    ]
    assert {answer.status_code for answer in answers} == {202}
    shapes = [{**answer.json(), "id": uuid.UUID(answer.json()["id"]).version} for answer in answers]
    assert shapes == [{"result": "accepted", "id": 7}] * 4
    changing = {"x-request-id", "date"}
    headers = [{name: value for name, value in answer.headers.items() if name not in changing} for answer in answers]
    assert headers[1:] == headers[:1] * 3
    assert [row[:2] for row in trail(drawn.address, "create")] == [("create", "person")] * 4


def test_creation_repeated_is_accepted_again_and_with_other_content_refused(log_in: LogIn) -> None:
    worker, body = log_in("worker"), new(id=str(uuid.uuid4()))
    answers = [
        worker.post("/v1/persons", json=body),
        worker.post("/v1/persons", json=body),
        worker.post("/v1/persons", json=body | {"name": "x"}),
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 409]
    assert len(worker.get("/v1/persons", params={"name": "孙"}).json()["items"]) == 1


def test_person_is_shown_masked_and_every_look_is_written_down(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    made = worker.post("/v1/persons", json=new(phone="+86 138-0000-0099")).json()["id"]
    shown = worker.get(f"/v1/persons/{made}").json()
    del shown["recorded_from"], shown["grid_id"], shown["subdistrict_id"]
    assert shown == {
        "id": made, "version": 1, "name": "孙**", "sex": "female", "birth_year": 1966, "id_mask": "000001********0061",
        "phone_mask": "138****0099", "registration": "floating",
    }  # fmt: skip
    assert len(worker.get("/v1/persons").json()["items"]) == 3
    worker.get(f"/v1/persons/{drawn.places.people['east']}")
    assert trail(drawn.address, "read", "list", "read_person") == [
        ("read", "person", made, "ok", 1),
        ("list", "person", None, "ok", 3),
        ("read_person", "person", str(drawn.places.people["east"]), "refused", None),
    ]


def test_reveal_needs_a_purpose_of_the_list_and_a_reason(log_in: LogIn, drawn: Drawn) -> None:
    worker, path = log_in("worker"), f"/v1/persons/{drawn.places.people['zhang']}/reveal"
    for change in ({"purpose": "curiosity"}, {"reason": "why"}, {"fields": []}, {"fields": ["ethnicity"]}):
        assert worker.post(path, json=WHY | {"fields": ["phone"]} | change).status_code == 422
    hidden = worker.post(f"/v1/persons/{drawn.places.people['east']}/reveal", json=WHY | {"fields": ["phone"]})
    assert hidden.status_code == 404
    assert [row[3] for row in trail(drawn.address, "reveal_person")] == ["refused"]
    assert trail(drawn.address, "reveal") == []


def test_reveal_opens_what_was_asked_for_and_leaves_a_trace(log_in: LogIn, drawn: Drawn) -> None:
    worker, person = log_in("worker"), str(drawn.places.people["zhang"])
    fields = ["name", "identity_number", "phone", "birth_date"]
    full = worker.post(f"/v1/persons/{person}/reveal", json=WHY | {"fields": fields})
    assert full.json() == {
        "id": person, "name": "张大山", "identity_number": NUMBERS["zhang"], "phone": "13800000001", "birth_date": "1985-03-12",
    }  # fmt: skip
    assert worker.post(f"/v1/persons/{person}/reveal", json=WHY | {"fields": ["phone"]}).json() == {"id": person, "phone": "13800000001"}
    assert trail(drawn.address, "reveal") == [("reveal", "person", person, "ok", 1)] * 2


def test_used_up_quota_is_told_with_the_seconds_to_wait(log_in: LogIn, drawn: Drawn) -> None:
    as_superuser(drawn.address, b"UPDATE sec.quota SET per_hour = 2")
    worker, path = log_in("worker"), f"/v1/persons/{drawn.places.people['zhang']}/reveal"
    answers = [worker.post(path, json=WHY | {"fields": ["name"]}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 3_500 < int(answers[2].headers["Retry-After"]) <= 3_600
    look_ups = [
        worker.post("/v1/persons/lookup", json=WHY | {"identity_number": number}) for number in (SPARE_NUMBER, NUMBERS["li"], NUMBERS["li"])
    ]
    # A miss counts like a hit.
    assert [answer.status_code for answer in look_ups] == [200, 200, 429]


def test_look_up_finds_the_own_and_is_silent_on_the_others(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    answers = {name: worker.post("/v1/persons/lookup", json=WHY | {"identity_number": NUMBERS[name]}).json() for name in ("zhang", "east")}
    answers["nobody"] = worker.post("/v1/persons/lookup", json=WHY | {"identity_number": SPARE_NUMBER}).json()
    assert [one["name"] for one in answers["zhang"]["items"]] == ["张**"]
    assert answers["east"] == answers["nobody"] == {"items": []}
    assert [(row[3], row[4]) for row in trail(drawn.address, "lookup")] == [("ok", 1), ("ok", 0), ("ok", 0)]


def test_corrected_phone_is_sealed_anew(log_in: LogIn, drawn: Drawn) -> None:
    worker, person = log_in("worker"), f"/v1/persons/{drawn.places.people['zhang']}"
    corrected = worker.patch(person, json={"phone": "１３９００００１２３４", "name": "张小山"}, headers={"If-Match": '"v1"'}).json()
    assert (corrected["version"], corrected["phone_mask"], corrected["name"]) == (2, "139****1234", "张**")
    assert worker.post(f"{person}/reveal", json=WHY | {"fields": ["phone", "name"]}).json()["phone"] == "13900001234"
    assert worker.patch(person, json={"phone": None}, headers={"If-Match": '"v2"'}).json()["phone_mask"] is None
    refused = [worker.patch(person, json=change, headers={"If-Match": "*"}) for change in ({"phone": "call me"}, {"sex": "female"})]
    assert [answer.json()["errors"][0]["field"] for answer in refused] == ["phone", "sex"]


def test_move_is_answered_alike_wherever_it_goes(log_in: LogIn, drawn: Drawn) -> None:
    worker, east, places = log_in("worker"), log_in("worker-east"), drawn.places
    answers = [
        worker.post(f"/v1/persons/{places.people[who]}/move", json={"unit": unit, "on": "2026-02-01"}, headers={"If-Match": '"v1"'})
        for who, unit in (("zhang", "4403990020010000005000301"), ("li", "4403990020010000005000999"))
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"result": "accepted"})] * 2
    assert worker.get(f"/v1/persons/{places.people['zhang']}").status_code == 404
    assert east.get(f"/v1/persons/{places.people['zhang']}").json()["name"] == "张**"
    ended = worker.get(f"/v1/residences/{places.residences['zhang-at-tower']}").json()
    assert ended["valid_to"] == "2026-02-01"
    again = worker.post(
        f"/v1/persons/{places.people['zhang']}/move",
        json={"unit": "4403990020010000005000301", "on": "2026-02-01"},
        headers={"If-Match": "*"},
    )
    assert again.status_code == 404


def test_whoever_lives_somewhere_is_not_struck_out(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    answer = worker.delete(f"/v1/persons/{drawn.places.people['zhang']}", headers={"If-Match": "*"})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/person-lives-somewhere")
    mistake = worker.post("/v1/persons", json=new()).json()["id"]
    assert worker.delete(f"/v1/persons/{mistake}", headers={"If-Match": '"v1"'}).status_code == 204
    assert worker.get(f"/v1/persons/{mistake}").status_code == 404


def test_people_are_found_by_the_beginning_of_the_name_and_by_where_they_live(log_in: LogIn) -> None:
    district = log_in("district")

    def masks(**params: str) -> list[str]:
        return [one["id_mask"][-4:] for one in district.get("/v1/persons", params=params).json()["items"]]

    assert masks(name="欧阳") == ["0059"]
    assert masks(name="张大") == ["0016"]
    assert masks(unit="4403990010010000001") == ["0016"]
    # In May 2022 Li still lived in the tower.
    assert masks(unit="4403990010010000001", valid_on="2022-05-01") == ["0016", "0027"]
    assert masks(area="440399001002") == ["0046"]
    assert masks(grid="440399001001002") == ["0033"]


def test_people_as_they_were_known_can_be_listed(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    zhang = worker.get(f"/v1/persons/{drawn.places.people['zhang']}").json()
    worker.patch(f"/v1/persons/{zhang['id']}", json={"registration": "registered"}, headers={"If-Match": "*"})
    then = {"as_of": zhang["recorded_from"], "unit": "4403990010010000001000101"}
    assert worker.get("/v1/persons", params=then | {"registration": "floating"}).json()["items"] == [zhang]
    assert worker.get("/v1/persons", params=then | {"registration": "registered"}).json()["items"] == []


def test_trail_counts_the_rows_that_were_shown_and_not_the_one_that_tells_of_a_next_page(log_in: LogIn, drawn: Drawn) -> None:
    for noun in ("persons", "residences", "leases", "managers"):
        assert len(log_in("district").get(f"/v1/{noun}?limit=1").json()["items"]) == 1
    assert [row[4] for row in trail(drawn.address, "list")] == [1, 1, 1, 1]


def test_list_takes_two_statements_however_long_and_holds_no_full_value(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    assert district.get("/v1/persons").status_code == 200
    with statements(drawn.database, "district") as sent:
        answer = district.get("/v1/persons")
    # The signed context, the page, the row of the trail.
    assert (len(answer.json()["items"]), len(sent)) == (5, 3)
    whole = json.dumps(answer.json(), ensure_ascii=False)
    assert not [value for value in (*NUMBERS.values(), "张大山", "欧阳东", "13800000001") if value in whole]
