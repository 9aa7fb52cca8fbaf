"""What a handheld is told before it syncs."""

import datetime as dt
import json
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.api.trail import as_superuser
from tests.drawn import Drawn
from tests.handhelds import enrolled, speaking

ASSIGN = (
    b"INSERT INTO reg.grid_assignment (account_id, grid_id, post_id, stand_in, valid_from, valid_to)"
    b" SELECT %s, %s, min(id), true, reg.today() + %s, reg.today() + 9 FROM reg.post"
)


@pytest.fixture
def handheld(app: FastAPI, client: TestClient, drawn: Drawn) -> TestClient:
    return speaking(app, client, enrolled(drawn))


def told(handheld: TestClient) -> dict[str, Any]:
    answer = handheld.get("/v1/sync/bootstrap")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_bootstrap_and_codes_are_for_handhelds(client: TestClient, log_in: LogIn, handheld: TestClient, drawn: Drawn) -> None:
    # who is outdated is told how it stands, and hands in what it has
    for path, outdated in (("/v1/sync/bootstrap", 200), ("/v1/sync/codes", 409)):
        assert [client.get(path).status_code, log_in("worker").get(path).status_code] == [401, 403]
        assert handheld.get(path, headers={"X-Schema-Version": "0"}).status_code == outdated
        as_superuser(drawn.address, b"UPDATE sync.device SET status = 'revoked'")
        answer = handheld.get(path)
        assert (answer.status_code, answer.json()["wipe"]) == (403, True)
        as_superuser(drawn.address, b"UPDATE sync.device SET status = 'active'")


def test_limits_schema_and_grids_are_told(handheld: TestClient, drawn: Drawn) -> None:
    said = told(handheld)
    assert abs(dt.datetime.fromisoformat(said["server_time"]) - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert said["limits"] == {
        "push": {"max_mutations": 200, "max_bytes": 1_048_576, "max_inflated": 8_388_608, "max_item_bytes": 65_536},
        "pull": {"limit": 500, "max_bytes": 4_194_304},
        "files": {"max_bytes": 20_971_520, "min_chunk": 524_288, "max_chunk": 5_242_880},
        "offline_days": 7, "silent_days": 30, "late_hours": 72,
    }  # fmt: skip
    assert said["schema"] == {"min": 1, "max": 1}
    assert [(one["scope_id"], one["until"], one["stand_in"]) for one in said["scopes"]] == [(drawn.places.grids["south-west"], None, False)]
    assert said["lost"] == []
    assert (said["device"]["status"], said["device"]["last_seq"]) == ("active", 0)


def test_history_is_told_as_a_snapshot_tells_it(handheld: TestClient, drawn: Drawn) -> None:
    def begun() -> str:
        return json.loads(handheld.get(f"/v1/sync/snapshot/{drawn.places.grids['south-west']}").text.partition("\n")[0])["epoch"]

    before = told(handheld)["epoch"]
    assert before == begun()
    as_superuser(drawn.address, b"UPDATE sync.feed_meta SET generation = gen_random_uuid()")
    assert told(handheld)["epoch"] == begun() != before


def test_draining_device_is_told_so(handheld: TestClient, drawn: Drawn) -> None:
    as_superuser(drawn.address, b"UPDATE sync.device SET status = 'draining'")
    assert told(handheld)["device"]["status"] == "draining"


def test_assignments_begin_end_and_change_the_number(handheld: TestClient, drawn: Drawn) -> None:
    worker, places = drawn.places.accounts["worker"].account_id, drawn.places
    versions = [told(handheld)["assignment_version"]]
    as_superuser(drawn.address, ASSIGN, worker, places.grids["north-west"], 3)
    assert told(handheld)["assignment_version"] == versions[0]  # it begins in three days
    as_superuser(drawn.address, ASSIGN, worker, places.grids["south-east"], 0)
    said = told(handheld)
    versions.append(said["assignment_version"])
    until = (dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).date() + dt.timedelta(days=9)).isoformat()
    assert [(one["scope_id"], one["until"], one["stand_in"]) for one in said["scopes"]] == [
        (places.grids["south-west"], None, False), (places.grids["south-east"], until, True),
    ]  # fmt: skip
    as_superuser(drawn.address, b"UPDATE reg.grid_assignment SET valid_to = reg.today() WHERE grid_id = %s", places.grids["south-west"])
    said = told(handheld)
    versions.append(said["assignment_version"])
    assert [one["scope_id"] for one in said["scopes"]] == [places.grids["south-east"]]
    (lost,) = said["lost"]
    assert lost["scope_id"] == places.grids["south-west"]
    span = dt.datetime.fromisoformat(lost["accepted_until"]) - dt.datetime.fromisoformat(lost["lost_at"])
    assert span == dt.timedelta(hours=72)
    assert len(set(versions)) == 3
    assert all(0 <= version < 2**48 for version in versions)


def test_codes_are_those_that_the_register_takes_and_told_again_only_when_new(handheld: TestClient) -> None:
    answer = handheld.get("/v1/sync/codes")
    lists = answer.json()["lists"]
    assert lists["unit.use"] == ["residential", "shop", "office", "plant", "warehouse", "other"]
    assert lists["inspection.outcome"] == ["ok", "hazard", "no_entry"]
    assert lists["resident.sex"] == ["male", "female"]
    assert told(handheld)["codes_etag"] == answer.headers["ETag"]
    assert handheld.get("/v1/sync/codes", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
