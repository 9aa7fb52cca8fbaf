"""A number at a door against the whole register: three words, a quota, a trace, and the same steps for everybody."""

from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.api.conftest import LogIn
from tests.api.test_enrolment import problem
from tests.api.trail import as_superuser, trail
from tests.drawn import Drawn
from tests.places import NUMBERS, SPARE_NUMBER

WHY = {"purpose": "spot_check", "reason": "door check on 3 May"}
TOWER, MILL, NOWHERE = "4403990010010000001000101", "4403990020010000005000301", "4403990020010000005000999"


def test_comparison_is_for_those_who_look_after_people(log_in: LogIn) -> None:
    for name in ("admin", "auditor"):
        assert problem(log_in(name).post("/v1/compare", json=WHY | {"identity_number": SPARE_NUMBER})) == (403, "forbidden")


def test_number_that_cannot_be_is_refused_and_not_repeated(log_in: LogIn, drawn: Drawn) -> None:
    for number, reason in {"000001196606060062": "check-digit", "000001196602300061": "birth-date", "00000119660606006": "length"}.items():
        answer = log_in("worker").post("/v1/compare", json=WHY | {"identity_number": number})
        assert (answer.status_code, answer.json()["reason"]) == (422, reason)
        assert number not in answer.text
    assert trail(drawn.address, "compare") == []
    assert [row[3] for row in trail(drawn.address, "compare_number")] == ["refused"] * 3


@pytest.mark.parametrize("change", [
    {"purpose": "correction"}, {"purpose": None}, {"reason": "why"}, {"reason": None}, {"unit": "12"}, {"grid": 1}, {"identity_number": 5},
])  # fmt: skip
def test_question_without_its_reason_is_refused(log_in: LogIn, change: dict[str, Any]) -> None:
    answer = log_in("worker").post("/v1/compare", json=WHY | {"identity_number": SPARE_NUMBER} | change)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, next(iter(change)))


def test_used_up_quota_is_told_with_the_seconds_to_wait(log_in: LogIn, drawn: Drawn) -> None:
    as_superuser(drawn.address, b"UPDATE sec.quota SET per_hour = 2 WHERE name = 'compare'")
    worker = log_in("worker")
    answers = [worker.post("/v1/compare", json=WHY | {"identity_number": number}) for number in (SPARE_NUMBER, NUMBERS["li"], SPARE_NUMBER)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 3_500 < int(answers[2].headers["Retry-After"]) <= 3_600
    assert log_in("community").post("/v1/compare", json=WHY | {"identity_number": SPARE_NUMBER}).status_code == 200


@pytest.mark.parametrize("name", ["worker", "community", "subdistrict", "district"])
def test_register_answers_in_three_words_whoever_asks(log_in: LogIn, drawn: Drawn, name: str) -> None:
    asking = log_in(name)

    def ask(who: str, unit: str | None = None) -> tuple[bool, bool | None, bool | None]:
        number = NUMBERS.get(who, SPARE_NUMBER)
        answer = asking.post("/v1/compare", json=WHY | {"identity_number": number} | ({"unit": unit} if unit else {}))
        assert set(answer.json()) == {"registered", "expired", "address_differs"}
        return answer.json()["registered"], answer.json()["expired"], answer.json()["address_differs"]

    assert ask("nobody") == ask("nobody", TOWER) == (False, None, None)
    assert ask("zhang") == (True, False, None)
    assert ask("zhang", TOWER) == (True, False, False)
    assert ask("zhang", MILL) == ask("zhang", NOWHERE) == (True, False, True)
    assert ask("east", MILL) == (True, False, False)  # of another subdistrict
    assert ask("wang", TOWER) == (True, True, None)  # lives nowhere today
    assert [row[3:] for row in trail(drawn.address, "compare")] == [("ok", 0)] * 2 + [("ok", 1)] * 6
    as_superuser(drawn.address, b"UPDATE reg.person SET deleted_at = now() WHERE name = '\xe7\x8e\x8b\xe4\xba\x94'")
    assert ask("wang") == (False, None, None)


def test_known_and_unknown_numbers_take_the_same_steps(log_in: LogIn, drawn: Drawn) -> None:
    worker = log_in("worker")

    def steps(number: str) -> list[str]:
        said: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            said.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        worker.post("/v1/compare", json=WHY | {"identity_number": number, "unit": TOWER})
        event.remove(Engine, "before_cursor_execute", note)
        return said

    assert steps(NUMBERS["zhang"]) == (unknown := steps(SPARE_NUMBER))
    assert any("sec.compare" in statement for statement in unknown)
