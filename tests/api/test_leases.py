"""Leases over HTTP: parties, rents, filing, sublets."""

import uuid
from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.trail import statements, trail
from tests.drawn import Drawn


def new(**changes: Any) -> dict[str, Any]:
    rest = {"unit": "4403990010010000001000101", "rent": {"amount": 2500, "unit": "month"}, "lessor_name": "陈房东"}
    return {**rest, "valid_from": "2024-01-01", "valid_to": "2025-01-01", "signed_on": "2023-12-20", **changes}


def enter(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/leases", json=new(**changes))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_parties_and_units_out_of_sight_are_refused_like_none(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    hidden = {
        "lessee_id": str(drawn.places.people["east"]),
        "parent_id": str(drawn.places.leases["mill-let"]),
        "unit": "4403990020010000005000301",
    }
    for field, value in hidden.items():
        answer = worker.post("/v1/leases", json=new(**{field: value})).json()
        assert (answer["type"], answer["errors"][0]["field"]) == ("/problems/unknown-reference", field)


def test_values_that_cannot_be_are_refused(log_in: LogIn) -> None:
    worker = log_in("worker")
    wrong: list[dict[str, Any]] = [
        {"rent": {"amount": 0}}, {"rent": {"amount": 12.345}}, {"rent": {"amount": 1, "unit": "week"}}, {"valid_to": "2024-01-01"},
        {"deposit_fen": -1}, {"number": "has blanks"}, {"area_basis_m2": 0},
    ]  # fmt: skip
    assert [worker.post("/v1/leases", json=new(**change)).status_code for change in wrong] == [422] * 7


def test_unit_is_let_once_at_a_time(log_in: LogIn) -> None:
    worker = log_in("worker")
    first = enter(worker)
    second = worker.post("/v1/leases", json=new(valid_from="2024-12-31", valid_to="2025-12-31"))
    assert (second.status_code, second.json()["type"]) == (409, "/problems/unit-already-let")
    assert enter(worker, valid_from="2025-01-01", valid_to="2026-01-01")["state"] == "signed"
    # Ended early, it makes room from that day.
    ended = worker.post(f"/v1/leases/{first['id']}/end", json={"on": "2024-07-01", "reason": "moved"}, headers={"If-Match": '"v1"'})
    assert (ended.json()["state"], ended.json()["ended_on"]) == ("terminated", "2024-07-01")
    assert enter(worker, valid_from="2024-07-01", valid_to="2025-01-01")["state"] == "signed"


def test_rent_is_told_by_the_month_in_fen_and_as_the_contract_says_it(log_in: LogIn) -> None:
    worker = log_in("worker")
    # 2,500.00 a month; 10,000 a year is 833.333...; 35.50 a m2 on 35.25 m2 is 1,251.375: half a fen goes up.
    monthly = enter(worker)
    assert (monthly["rent_fen"], monthly["rent"]) == (250_000, {"amount": 2500.0, "unit": "month"})
    yearly = enter(worker, unit="4403990010010000001000102", rent={"amount": 10_000, "unit": "year"})
    assert (yearly["rent_fen"], yearly["rent"]) == (83_333, {"amount": 10_000.0, "unit": "year"})
    by_area = enter(
        worker, unit="4403990010010000001000102", valid_from="2025-01-01", valid_to="2026-01-01", area_basis_m2=35.25,
        rent={"amount": 35.5, "unit": "m2_month"},
    )  # fmt: skip
    assert (by_area["rent_fen"], by_area["area_basis_m2"]) == (125_138, 35.25)
    # Without an area of its own the unit's counts: 60 m2.
    corrected = worker.patch(f"/v1/leases/{yearly['id']}", json={"rent": {"amount": 20.0, "unit": "m2_month"}}, headers={"If-Match": "*"})
    assert corrected.json()["rent_fen"] == 120_000


def test_lease_is_filed_within_thirty_days_or_late(log_in: LogIn) -> None:
    worker = log_in("worker")
    lease = enter(worker, signed_on="2024-01-01")
    path = f"/v1/leases/{lease['id']}"
    # Never filed, and the thirty days are long over.
    assert (lease["filed_late"], lease["warnings"]) == (True, ["filed-late"])
    filed = worker.post(f"{path}/file", json={"on": "2024-01-31"}, headers={"If-Match": '"v1"'})
    assert (filed.json()["state"], filed.json()["filed_late"], filed.json()["warnings"]) == ("filed", False, [])
    other = enter(worker, unit="4403990010010000001000102", signed_on="2024-01-01")
    late = worker.post(f"/v1/leases/{other['id']}/file", json={"on": "2024-02-01"}, headers={"If-Match": "*"})
    assert late.json()["filed_late"] is True


def test_states_go_by_the_steps_that_there_are(log_in: LogIn) -> None:
    worker = log_in("worker")
    draft = enter(worker, signed_on=None)
    path = f"/v1/leases/{draft['id']}"
    assert draft["state"] == "drafted"
    refused = worker.post(f"{path}/file", json={"on": "2024-01-05"}, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/state-step")
    assert worker.patch(path, json={"state": "signed"}, headers={"If-Match": "*"}).json()["errors"][0]["field"] == "signed_on"
    assert worker.patch(path, json={"state": "signed", "signed_on": "2024-01-02"}, headers={"If-Match": "*"}).json()["state"] == "signed"
    assert worker.patch(path, json={"state": "terminated"}, headers={"If-Match": "*"}).status_code == 422
    cancelled = worker.post(f"{path}/end", json={"on": "2024-01-03", "state": "cancelled"}, headers={"If-Match": "*"})
    assert (cancelled.json()["state"], cancelled.json()["ended_on"]) == ("cancelled", None)
    assert worker.post(f"{path}/end", json={"on": "2024-01-04"}, headers={"If-Match": "*"}).status_code == 409


def test_sublet_lies_within_its_head_lease_and_a_second_one_is_flagged(log_in: LogIn) -> None:
    worker = log_in("worker")
    head = enter(worker)
    outlasts = worker.post("/v1/leases", json=new(parent_id=head["id"], valid_from="2024-03-01", valid_to="2025-01-02"))
    assert (outlasts.status_code, outlasts.json()["type"]) == (409, "/problems/sublet-outlasts-head")
    sublet = enter(worker, parent_id=head["id"], valid_from="2024-03-01", signed_on="2024-03-01")
    second = enter(worker, parent_id=sublet["id"], valid_from="2024-06-01", signed_on=None)
    told = [(lease["sublet_depth"], "second-sublet" in lease["warnings"]) for lease in (head, sublet, second)]
    assert told == [(0, False), (1, False), (2, True)]
    early = worker.post(f"/v1/leases/{head['id']}/end", json={"on": "2024-08-01"}, headers={"If-Match": "*"})
    assert early.json()["type"] == "/problems/sublet-outlasts-head"
    assert worker.delete(f"/v1/leases/{head['id']}", headers={"If-Match": "*"}).json()["type"] == "/problems/lease-has-sublets"
    cancelled = worker.post(f"/v1/leases/{head['id']}/end", json={"on": "2024-08-01", "state": "cancelled"}, headers={"If-Match": "*"})
    assert (cancelled.status_code, cancelled.json()["type"]) == (409, "/problems/lease-has-sublets")


def test_names_of_people_are_masked_and_of_companies_shown(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")
    lease = enter(worker, lessee_id=str(drawn.places.people["zhang"]))
    assert (lease["lessor_name"], lease["lessee_name"]) == ("陈**", "张**")
    company = enter(worker, unit="4403990010010000001000102", lessor_name="测试物业管理有限公司", lessee_id=str(drawn.places.people["li"]))
    assert (company["lessor_name"], company["lessee_name"]) == ("测试物业管理有限公司", "李**")


def test_same_creation_twice_makes_one_lease_with_one_number(log_in: LogIn, drawn: Drawn) -> None:
    worker, body = log_in("worker"), new(id=str(uuid.uuid4()), deposit_fen=500_000)
    first, second = worker.post("/v1/leases", json=body), worker.post("/v1/leases", json=body)
    assert [first.status_code, second.status_code] == [201, 200]
    assert first.json() == second.json()
    assert first.json()["number"] == f"GL-{uuid.UUID(body['id']).hex}"
    taken = worker.post("/v1/leases", json=new(number="ZL-2024-0004"))
    # A number of the east: taken all the same.
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/code-taken")


def test_leases_are_found_by_state_number_unit_and_day(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")

    def numbers(**params: str) -> list[str]:
        return [one["number"][-4:] for one in district.get("/v1/leases", params=params).json()["items"]]

    assert numbers(state="filed") == ["0001", "0004"]
    assert numbers(number="ZL-2022") == ["0003"]
    assert numbers(unit="4403990010010000002") == ["0001", "0002"]
    assert numbers(lessee_id=str(drawn.places.people["east"])) == ["0004"]
    # The last day of the sublet is 31 December 2024.
    assert numbers(valid_on="2024-12-31", area="440399001001") == ["0001", "0002", "0003"]
    assert numbers(valid_on="2025-01-01", area="440399001001") == ["0001", "0003"]


def test_leases_that_end_soon_are_found(log_in: LogIn) -> None:
    district = log_in("district")

    def numbers(**params: str) -> list[str]:
        return [lease["number"][-1] for lease in district.get("/v1/leases", params=params).json()["items"]]

    # 1 ends on 1 September 2026, 2 on 1 January 2025, 3 on 1 January 2027, 4 on 1 February 2026.
    assert numbers(ends_from="2026-02-01", ends_before="2026-09-01") == ["4"]
    assert numbers(ends_from="2026-02-02") == ["1", "3"]
    assert numbers(ends_before="2025-01-02") == ["2"]


def test_lease_as_it_was_believed_can_be_read_and_every_look_is_written_down(log_in: LogIn, drawn: Drawn) -> None:
    worker, own = log_in("worker"), f"/v1/leases/{drawn.places.leases['village-let']}"
    before = worker.get(own).json()
    worker.patch(own, json={"rent": {"amount": 1900}}, headers={"If-Match": '"v1"'})
    assert worker.get(own).json()["rent_fen"] == 190_000
    assert worker.get(own, params={"as_of": before["recorded_from"]}).json()["rent_fen"] == 180_000
    with statements(drawn.database, "field") as sent:
        assert len(worker.get("/v1/leases").json()["items"]) == 2
    # The signed context, the page, the row of the trail.
    assert len(sent) == 3
    assert [(row[0], row[4]) for row in trail(drawn.address, "read", "list", "correct")] == [
        ("read", 1), ("correct", None), ("read", 1), ("read", 1), ("list", 2),
    ]  # fmt: skip
