"""The queues of conflicts and dead letters, and the rules by which fields are decided."""

import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from gridmgmt.registers.masks import mask_number
from tests.api.conftest import LogIn
from tests.api.deciding import decide
from tests.api.syncing import as_superuser
from tests.places import SPARE_NUMBER
from tests.pushing import Pusher, rows


def collide(hand: Pusher, office: TestClient, use: str = "shop") -> dict[str, Any]:
    """The office lets tower-102 as an office, the worker as a shop."""
    home = hand.drawn.places.units["tower-102"]
    office.patch(f"/v1/units/{home}", json={"use": "office"}, headers={"If-Match": "*"})
    return dict(hand.results(hand.update("unit", home, 1, use=use))[0])


def test_conflict_is_not_for_strangers(hand: Pusher, office: TestClient, log_in: LogIn) -> None:
    conflict = collide(hand, office)["conflict_id"]
    stranger = log_in("worker-east")
    assert stranger.get(f"/v1/sync/conflicts/{conflict}").status_code == 404
    assert decide(stranger, conflict, take="theirs").status_code == 404
    assert [log_in(name).get("/v1/sync/conflicts").json()["items"] for name in ("worker-east", "subdistrict-east")] == [[], []]
    assert [len(log_in(name).get("/v1/sync/conflicts").json()["items"]) for name in ("worker", "community", "subdistrict")] == [1, 1, 1]


def test_decision_needs_a_key_and_a_choice_that_fits(hand: Pusher, office: TestClient) -> None:
    conflict = collide(hand, office)["conflict_id"]
    assert office.post(f"/v1/sync/conflicts/{conflict}/resolve", json={"take": "theirs"}).status_code == 400
    bodies: list[dict[str, Any]] = [
        {"take": "merge"},
        {"take": "set"},
        {"take": "theirs", "set": {"use": "shop"}},
        {"take": "set", "set": {"use": "castle"}},
    ]
    for body in bodies:
        assert decide(office, conflict, "k1", **body).status_code == 422, body
    assert decide(office, conflict, take="set", set={"code": "1"}).json()["type"] == "/problems/unknown-field"


@pytest.mark.parametrize(
    ("body", "use", "version"),
    [({"take": "theirs"}, "office", 4), ({"take": "yours"}, "shop", 4), ({"take": "set", "set": {"use": "plant"}}, "plant", 4)],
)
def test_decision_writes_the_row_and_closes_the_conflict(
    hand: Pusher, office: TestClient, body: dict[str, Any], use: str, version: int
) -> None:
    told = collide(hand, office)
    answer = decide(office, told["conflict_id"], **body)
    assert (answer.status_code, answer.json()["version"]) == (200, version)
    home = hand.drawn.places.units["tower-102"]
    assert rows(hand.drawn, "SELECT use, conflict_open FROM reg.unit WHERE id = %s", home) == [(use, False)]
    shown = office.get(f"/v1/sync/conflicts/{told['conflict_id']}").json()
    assert (shown["state"], shown["theirs"], shown["yours"]) == ("resolved", {"use": "office"}, {"use": "shop"})


def test_repeated_decision_gets_the_same_answer_and_another_is_refused(hand: Pusher, office: TestClient) -> None:
    conflict = collide(hand, office)["conflict_id"]
    first = decide(office, conflict, take="yours")
    assert decide(office, conflict, take="yours").json() == first.json()
    reused = decide(office, conflict, take="theirs")
    assert (reused.status_code, reused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    late = decide(office, conflict, key="k2", take="theirs")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/already-resolved")


def test_row_that_was_struck_out_is_restored_by_taking_the_workers_word(hand: Pusher, office: TestClient) -> None:
    lived = hand.drawn.places.residences["li-before"]
    office.delete(f"/v1/residences/{lived}", headers={"If-Match": "*"})
    (told,) = hand.results(hand.update("residence", lived, 1, basis="own"))
    assert decide(office, told["conflict_id"], take="yours").json()["version"] == 3
    assert rows(hand.drawn, "SELECT deleted_at, basis FROM reg.residence WHERE id = %s", lived) == [(None, "own")]


def test_phone_of_a_record_that_was_struck_out_is_kept_sealed_and_restored(hand: Pusher, office: TestClient) -> None:
    drawn = hand.drawn
    made = hand.create("resident", scope=drawn.places.grids["south-west"], name="孙", registration="floating")
    hand.push(made)
    office.delete(f"/v1/persons/{made['id']}", headers={"If-Match": "*"})
    (told,) = hand.results(hand.update("resident", made["id"], 1, phone="13912345678"))
    assert office.get(f"/v1/sync/conflicts/{told['conflict_id']}").json()["yours"] == {"phone": "139****5678"}
    assert decide(office, told["conflict_id"], take="yours").status_code == 200
    reveal = {"purpose": "correction", "reason": "asked at the counter", "fields": ["phone"]}
    assert office.post(f"/v1/persons/{made['id']}/reveal", json=reveal).json()["phone"] == "13912345678"


def test_row_that_was_struck_out_after_a_conflict_is_not_restored_by_it(hand: Pusher, office: TestClient) -> None:
    lived = hand.drawn.places.residences["li-before"]
    office.patch(f"/v1/residences/{lived}", json={"basis": "dormitory"}, headers={"If-Match": "*"})
    (told,) = hand.results(hand.update("residence", lived, 1, basis="own"))
    office.delete(f"/v1/residences/{lived}", headers={"If-Match": "*"})
    bodies: list[dict[str, Any]] = [{"take": "yours"}, {"take": "set", "set": {"basis": "own"}}]
    for number, body in enumerate(bodies):
        refused = decide(office, told["conflict_id"], f"k{number}", **body)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/target-deleted")
    assert decide(office, told["conflict_id"], take="theirs").status_code == 200
    assert rows(hand.drawn, "SELECT deleted_at IS NULL, basis FROM reg.residence WHERE id = %s", lived) == [(False, "dormitory")]


def test_nobody_who_was_erased_is_restored(hand: Pusher, office: TestClient) -> None:
    drawn, li = hand.drawn, hand.drawn.places.people["li"]
    erased = "deleted_at = now() - interval '31 days', name = '已删除', sex = NULL, birth_year = NULL, id_mask = NULL, phone_mask = NULL"
    as_superuser(drawn, f"UPDATE reg.residence SET deleted_at = now() WHERE person_id = '{li}'")
    as_superuser(drawn, f"UPDATE reg.person SET {erased} WHERE id = '{li}'")
    said, empty = hand.results(*(hand.update("resident", li, 1, phone="13912345678") for _ in range(2)))
    as_superuser(drawn, f"UPDATE sync.conflict SET yours = NULL WHERE id = '{empty['conflict_id']}'")
    for told in (said, empty):
        refused = decide(office, told["conflict_id"], take="yours")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/target-deleted")
    resolving = {**hand.update("resident", li, 2, registration="lodging"), "resolves": said["conflict_id"]}
    assert hand.statuses(resolving) == ["conflict"]
    assert rows(drawn, "SELECT deleted_at IS NULL FROM reg.person WHERE id = %s", li) == [(False,)]


def twins(hand: Pusher) -> tuple[dict[str, Any], str]:
    """A record like 张大山's, without a number, with a photo, and where he lives by it."""
    places = hand.drawn.places
    made = hand.create("resident", scope=places.grids["south-west"], name="张大山", registration="floating", birth_year=1985)
    made["files"] = [str(uuid.uuid4())]
    lived = hand.create("residence", resident_id=made["id"], unit_id=places.units["tower-102"], main=False, valid_from="2026-01-01")
    told, _ = hand.results(made, lived)
    return dict(told), lived["id"]


def test_two_records_of_one_person_are_merged_by_the_office_only(hand: Pusher, office: TestClient, log_in: LogIn) -> None:
    told, lived = twins(hand)
    zhang = hand.drawn.places.people["zhang"]
    assert decide(log_in("worker"), told["conflict_id"], take="merge").status_code == 403
    assert decide(log_in("community"), told["conflict_id"], take="yours").status_code == 422
    assert decide(log_in("community"), told["conflict_id"], take="merge").status_code == 200
    assert rows(hand.drawn, "SELECT person_id FROM reg.residence WHERE id = %s", lived) == [(zhang,)]
    assert rows(hand.drawn, "SELECT entity_id FROM sync.file_link") == [(zhang,)]
    assert rows(hand.drawn, "SELECT deleted_at IS NOT NULL FROM reg.person WHERE id = %s", told["id"]) == [(True,)]
    (late,) = hand.results(hand.update("resident", told["id"], 1, phone="13912345678"))
    assert (late["status"], late["id"]) == ("merged", str(zhang))
    assert rows(hand.drawn, "SELECT phone_mask FROM reg.person WHERE id = %s", zhang) == [("139****5678",)]


def test_two_namesakes_are_told_apart(hand: Pusher, office: TestClient) -> None:
    told, _ = twins(hand)
    assert decide(office, told["conflict_id"], take="apart").status_code == 200
    assert rows(hand.drawn, "SELECT conflict_open, deleted_at FROM reg.person WHERE id = %s", told["id"]) == [(False, None)]


def test_names_are_masked_in_the_list_and_told_to_who_decides(hand: Pusher, office: TestClient) -> None:
    li = hand.drawn.places.people["li"]
    office.patch(f"/v1/persons/{li}", json={"name": "李小花"}, headers={"If-Match": "*"})
    (told,) = hand.results(hand.update("resident", li, 1, name="李晓红"))
    (item,) = office.get("/v1/sync/conflicts", params={"kind": "resident", "state": "open"}).json()["items"]
    assert (item["theirs"], item["yours"]) == ({"name": "李**"}, {"name": "李**"})
    assert office.get(f"/v1/sync/conflicts/{told['conflict_id']}").json()["yours"] == {"name": "李晓红"}
    assert rows(hand.drawn, "SELECT action, n_rows FROM reg.audit WHERE object_type = 'conflict' ORDER BY at") == [("list", 1), ("read", 1)]


def bad(hand: Pusher) -> dict[str, Any]:
    said = {"name": "孙", "registration": "nonsense", "identity_number": SPARE_NUMBER, "phone": "13912345678"}
    return hand.create("resident", scope=hand.drawn.places.grids["south-west"], **said)


def test_letter_is_opened_for_its_sender_and_the_office_and_shows_no_number(hand: Pusher, office: TestClient, log_in: LogIn) -> None:
    letter = bad(hand)
    hand.push(letter)
    path = f"/v1/sync/letters/{letter['mutation_id']}"
    assert log_in("worker-east").get(path).status_code == 404
    for reader in (log_in("worker"), log_in("subdistrict"), office):
        told = reader.get(path).json()
        assert told["problem"]["type"] == "/problems/invalid-value"
        assert told["body"]["set"] == {
            "name": "孙",
            "registration": "nonsense",
            "identity_number": "000001********0061",
            "phone": "139****5678",
        }
        assert "body" not in reader.get("/v1/sync/letters").json()["items"][0]


def test_letter_shows_no_number_in_whatever_form_it_was_sent(hand: Pusher, office: TestClient) -> None:
    """A porter's mistake or a worker's: a number that is no text, one in a member of its own, one in a note."""
    whole, phone = int(SPARE_NUMBER), 13912345678
    odd = {"identity_number": whole, "phone": {"of": [phone, str(phone)]}, "name": f"孙 {SPARE_NUMBER}, {phone}, 4403990010010000001"}
    letter = hand.create("resident", scope=hand.drawn.places.grids["south-west"], registration="floating", **odd)
    hand.push(letter)
    told = office.get(f"/v1/sync/letters/{letter['mutation_id']}").json()["body"]["set"]
    masked = {"identity_number": mask_number(str(whole)), "phone": {"of": ["139****5678"] * 2}}
    assert told == {"registration": "floating", "name": "孙 000001********0061, 139****5678, 4403990010010000001"} | masked


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("\ud800 \U0001f3e0", "? \U0001f3e0"),
        ({"\udc00": ["x\ud800y"]}, {"?": ["x?y"]}),
        (10**29, 10**29),
        (["\ud800", 1e400], ["?", "Infinity"]),
    ],
)
def test_letter_that_no_database_holds_is_opened_all_the_same(hand: Pusher, office: TestClient, sent: object, told: object) -> None:
    letter = hand.create("resident", scope=hand.drawn.places.grids["south-west"], name=sent, registration="floating")
    assert hand.statuses(letter) == ["invalid-value"]
    opened = office.get(f"/v1/sync/letters/{letter['mutation_id']}")
    assert (opened.status_code, opened.json()["body"]["set"]) == (200, {"name": told, "registration": "floating"})


def test_every_letter_under_a_number_that_was_used_again_is_kept(hand: Pusher, office: TestClient) -> None:
    first = bad(hand)
    others = [{**bad(hand), "seq": 1} for _ in range(2)]
    assert hand.statuses(first) == ["invalid-value"]
    for other in (*others, others[0]):
        assert hand.statuses(other) == ["seq-reused"]
    items = office.get("/v1/sync/letters").json()["items"]
    assert [one["client_seq"] for one in items] == [1, 1, 1]
    bodies = [office.get(f"/v1/sync/letters/{one['mutation_id']}").json()["body"]["id"] for one in items]
    assert bodies == [one["id"] for one in (first, *others)]


def test_letter_is_closed_once(hand: Pusher, office: TestClient, log_in: LogIn) -> None:
    letter = bad(hand)
    hand.push(letter)
    path = f"/v1/sync/letters/{letter['mutation_id']}/close"
    assert log_in("worker-east").post(path, json={"note": "n"}).status_code == 404
    closed = office.post(path, json={"note": "entered by hand"}).json()
    assert (closed["state"], closed["note"]) == ("closed", "entered by hand")
    assert office.post(path, json={"note": "again"}).status_code == 409
    assert office.get("/v1/sync/letters", params={"state": "open"}).json()["items"] == []


def test_pages_of_both_queues_follow_one_another(hand: Pusher, office: TestClient) -> None:
    for _ in range(2):
        collide(hand, office)
        hand.push(bad(hand))
    for queue in ("conflicts", "letters"):
        first = office.get(f"/v1/sync/{queue}", params={"limit": 1}).json()
        second = office.get(f"/v1/sync/{queue}", params={"limit": 1, "cursor": first["next"]}).json()
        assert (len(first["items"]), len(second["items"]), second["next"]) == (1, 1, None)
        assert first["items"] != second["items"]


def test_policy_of_a_field_is_set_by_the_district_and_holds_from_then_on(hand: Pusher, office: TestClient, log_in: LogIn) -> None:
    rule = {"kind": "unit", "field": "use", "policy": "client_wins"}
    assert log_in("subdistrict").post("/v1/sync/policies", json=rule).status_code == 403
    for wrong in ({"kind": "dragon"}, {"field": "code"}, {"policy": "max"}, {"policy": "union"}):
        assert office.post("/v1/sync/policies", json=rule | wrong).status_code == 422
    assert office.post("/v1/sync/policies", json=rule).json()["version"] == 2
    assert collide(hand, office)["status"] == "merged"
    assert {(one["field"], one["policy"]) for one in log_in("worker").get("/v1/sync/policies").json() if one["kind"] == "unit"} >= {
        ("use", "client_wins")
    }


def test_unknown_letters_and_conflicts_are_not_found(office: TestClient) -> None:
    assert office.get(f"/v1/sync/letters/{uuid.uuid4()}").status_code == 404
    assert decide(office, uuid.uuid4(), take="theirs").status_code == 404
