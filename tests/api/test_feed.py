"""What a handheld reads over HTTP: refusals first, then pulls, snapshots that are cut and gone on with, comparisons and pokes."""

import binascii
import gzip
import time
import zlib
from contextlib import ExitStack
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import LISTENERS_EACH, SNAPSHOTS_EACH, create_app
from gridmgmt.settings import Settings
from tests import horizon
from tests.api.conftest import GENEROUS, LogIn
from tests.api.syncing import EVENTS, PULL, VERIFY, as_superuser, asked, crowd, lines_of
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled, speaking
from tests.places import KEYS

ZEROS = "0" * 16


@pytest.fixture
def device(drawn: Drawn) -> Device:
    horizon.settle(drawn.address)
    return enrolled(drawn)


@pytest.fixture
def handheld(app: FastAPI, client: TestClient, device: Device) -> TestClient:
    return speaking(app, client, device)


@pytest.fixture
def home(drawn: Drawn) -> int:
    return drawn.places.grids["south-west"]


@pytest.fixture
def east(drawn: Drawn) -> int:
    return drawn.places.grids["east-inner"]


def read(handheld: TestClient, scope: int, **query: str) -> list[dict[str, Any]]:
    """Every line of a snapshot."""
    answer = handheld.get(f"/v1/sync/snapshot/{scope}", params=query)
    assert answer.status_code == 200, answer.text
    return lines_of(answer)


def test_nobody_and_no_browser_reads_the_feed(client: TestClient, log_in: LogIn) -> None:
    for method, path in (("POST", PULL), ("POST", VERIFY), ("GET", EVENTS), ("GET", "/v1/sync/snapshot/1")):
        body = {"scopes": []} if method == "POST" else None
        assert client.request(method, path, json=body).status_code == 401
        for name in ("worker", "district", "auditor"):
            assert log_in(name).request(method, path, json=body).status_code == 403, name


def test_device_that_is_shut_out_gets_nothing(app: FastAPI, client: TestClient, drawn: Drawn, home: int) -> None:
    for status, expected in (("revoked", [403] * 4), ("wiped", [401] * 4), ("draining", [403, 200, 403, 403])):
        shut_out = speaking(app, client, enrolled(drawn, status=status))
        answers = [
            shut_out.post(PULL, json=asked((home, None))),
            shut_out.post(VERIFY, json={"scopes": []}),
            shut_out.get(EVENTS),
            shut_out.get(f"/v1/sync/snapshot/{home}"),
        ]
        assert [answer.status_code for answer in answers] == expected
        if status != "wiped":
            assert answers[0].json()["wipe"] is True


REFUSED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({}, 422, "scopes"),
    ({"scopes": [{"scope_id": 0}]}, 422, "scopes.0.scope_id"),
    ({"scopes": [{"scope_id": "1"}]}, 422, "scopes.0.scope_id"),
    ({"scopes": [{"scope_id": 2**31}]}, 422, "scopes.0.scope_id"),
    ({"scopes": [{"scope_id": 1}, {"scope_id": 1}]}, 422, "scopes"),
    ({"scopes": [{"scope_id": n} for n in range(1, 52)]}, 422, "scopes"),
    ({"scopes": [], "limit": 0}, 422, "limit"),
    ({"scopes": [], "wait_s": 26}, 422, "wait_s"),
    ({"scopes": [], "more": 1}, 422, "more"),
    ({"scopes": [], "migration": {"tables": ["person"]}}, 422, "migration"),
    ({"scopes": [{"scope_id": 1, "cursor": ""}]}, 422, "scopes.0.cursor"),
    ({"scopes": [{"scope_id": 1, "cursor": "made-up"}]}, 400, "scopes"),
    ({"scopes": [{"scope_id": 1, "cursor": "\u4e2d.0"}]}, 400, "scopes"),
)


def test_pull_that_cannot_be_is_refused_naming_the_field(handheld: TestClient) -> None:
    for body, status, field in REFUSED:
        answer = handheld.post(PULL, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), body


def test_cursor_of_another_scope_or_of_a_strange_hand_is_refused_naming_the_scope(handheld: TestClient, home: int, east: int) -> None:
    cursor = read(handheld, home)[-1]["cursor"]
    body, _, mac = cursor.partition(".")
    for scope, shown in ((east, cursor), (home, f"{body}.{mac[::-1]}"), (home, f"{body}.{ZEROS}")):
        answer = handheld.post(PULL, json=asked((scope, shown)))
        assert (answer.status_code, answer.json()["type"], answer.json()["scope_id"]) == (400, "/problems/malformed-request", scope)


def test_scope_of_somebody_else_is_unknown(handheld: TestClient, east: int) -> None:
    strange, unknown = (handheld.get(f"/v1/sync/snapshot/{scope}") for scope in (east, 999_999))
    assert strange.status_code == unknown.status_code == 404
    same = [
        {name: value for name, value in answer.json().items() if name not in {"instance", "request_id"}} for answer in (strange, unknown)
    ]
    assert same[0] == same[1]
    assert handheld.post(PULL, json=asked((east, None), (999_999, None))).json()["removed_scopes"] == sorted([east, 999_999])


UNIT = "unit:01900002-0000-7000-8000-000000000001"
NO_SNAPSHOT: tuple[tuple[dict[str, str], int, str], ...] = (
    ({"after": UNIT}, 422, "start"),
    ({"after": "unit:x", "start": "{start}"}, 422, "after"),
    ({"after": UNIT.replace("unit", "person"), "start": "{start}"}, 422, "after"),
    ({"after": UNIT, "start": "{start}", "kinds": "lease"}, 422, "after"),
    ({"kinds": "unit,person"}, 422, "kinds"),
    ({"kinds": ""}, 422, "kinds"),
    ({"start": "x"}, 400, "scopes"),
    ({"page": "2"}, 422, "page"),
)


def test_snapshot_that_cannot_be_is_refused(handheld: TestClient, home: int) -> None:
    start = read(handheld, home)[0]["start_cursor"]
    for query, status, field in NO_SNAPSHOT:
        answer = handheld.get(f"/v1/sync/snapshot/{home}", params={name: value.format(start=start) for name, value in query.items()})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field), query


def test_snapshot_from_a_cursor_of_another_time_begins_anew(handheld: TestClient, drawn: Drawn, home: int) -> None:
    start = read(handheld, home)[0]["start_cursor"]
    as_superuser(drawn, "UPDATE sync.feed_meta SET generation = gen_random_uuid()")
    answer = handheld.get(f"/v1/sync/snapshot/{home}", params={"start": start})
    assert (answer.status_code, answer.json()["type"], answer.json()["reason"]) == (410, "/problems/cursor-expired", "epoch")
    [told] = handheld.post(PULL, json=asked((home, start))).json()["scopes"]
    assert told == {"scope_id": home, "resync": True, "reason": "epoch", "snapshot": f"/v1/sync/snapshot/{home}"}


EMPTY = gzip.compress(b'{"scopes":[]}')
BODIES = (
    ("br", b"{}", 415),
    ("gzip", b'{"scopes":[]}', 400),
    ("gzip", EMPTY[:-6], 400),
    ("gzip", EMPTY + b"x", 400),
    ("gzip", gzip.compress(b" " * 9_000_000), 413),
    ("gzip", EMPTY, 200),
    ("identity", b'{"scopes":[]}', 200),
)


def test_body_is_taken_as_gzip_and_no_bomb_is(handheld: TestClient) -> None:
    for encoding, body, status in BODIES:
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        assert handheld.post(PULL, content=body, headers=headers).status_code == status, (encoding, body[:30])


def test_first_sync_then_changes(handheld: TestClient, drawn: Drawn, home: int) -> None:
    assert handheld.post(PULL, json=asked((home, None))).json()["scopes"] == [{"scope_id": home, "snapshot": f"/v1/sync/snapshot/{home}"}]
    lines = read(handheld, home)
    cursor = lines[-1]["cursor"]
    quiet = handheld.post(PULL, json=asked((home, cursor)))
    assert quiet.json()["scopes"][0]["items"] == []
    assert quiet.json()["scopes"][0]["checksum"] is None
    assert quiet.json()["acked_seq"] == 0
    assert quiet.json()["device_status"] == "active"
    assert abs(int(quiet.headers["X-Server-Time-Ms"]) / 1000 - time.time()) < 5
    unit = drawn.places.units["village-201"]
    as_superuser(drawn, f"UPDATE reg.unit SET room = '2-1' WHERE id = '{unit}'")
    [told] = handheld.post(PULL, json=asked((home, quiet.json()["scopes"][0]["cursor"]))).json()["scopes"]
    [item] = told["items"]
    assert (item["op"], item["kind"], item["id"], item["version"]) == ("upsert", "unit", str(unit), 2)
    assert item["data"] == {
        "building_id": str(drawn.places.buildings["village"]), "code": "4403990010010000002000201", "floor": 2, "room": "2-1",
        "area_m2": 35.25, "use": "residential", "max_occupants": 3, "retired_on": None, "conflict_open": False,
    }  # fmt: skip
    # what the two sides compare
    claim = {"scope_id": home, "cursor": told["cursor"], "count": 17, "checksum": told["checksum"]}
    assert handheld.post(VERIFY, json={"scopes": [claim]}).json()["scopes"] == [{"scope_id": home, "result": "match"}]


def test_answer_is_packed_when_the_client_takes_it(handheld: TestClient, home: int) -> None:
    plain = handheld.get(f"/v1/sync/snapshot/{home}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    refused = handheld.get(f"/v1/sync/snapshot/{home}", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers
    packed = handheld.get(f"/v1/sync/snapshot/{home}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    rows = [[line for line in lines_of(answer) if line["type"] == "row"] for answer in (plain, packed)]
    assert rows[0] == rows[1]


def test_newer_schema_reads_its_kinds_anew_and_loses_nothing_of_the_others(handheld: TestClient, drawn: Drawn, home: int) -> None:
    cursor = read(handheld, home)[-1]["cursor"]
    as_superuser(drawn, f"UPDATE reg.lease SET number = 'ZL-1' WHERE id = '{drawn.places.leases['village-let']}'")
    migration = {"tables": [], "columns": [{"table": "unit", "columns": ["room"]}]}
    [told] = handheld.post(PULL, json=asked((home, cursor), migration=migration)).json()["scopes"]
    assert (told["resync"], told["reason"]) == (True, "schema")
    lines = lines_of(handheld.get(told["snapshot"]))
    assert [line["kind"] for line in lines if line["type"] == "row"] == ["unit"] * 3
    assert lines[-1]["count"] == 3
    [told] = handheld.post(PULL, json=asked((home, lines[-1]["cursor"]))).json()["scopes"]
    assert [item["kind"] for item in told["items"]] == ["lease"]


def test_snapshot_that_was_cut_is_gone_on_with_behind_the_last_mark(handheld: TestClient, drawn: Drawn, home: int) -> None:
    crowd(drawn, home, 2600)
    whole = read(handheld, home)
    marks = [number for number, line in enumerate(whole) if line["type"] == "mark"]
    assert [sum(line["type"] == "row" for line in whole[:number]) for number in marks] == [500, 1000, 1500, 2000, 2500]
    assert whole[-1]["count"] == sum(line["type"] == "row" for line in whole) == 2617
    # cut behind the third mark; a row that was read already changes meanwhile, and comes by the pull
    held = {line["id"]: line["version"] for line in whole[: marks[2]] if line["type"] == "row"}
    as_superuser(drawn, "UPDATE reg.unit SET room = 'changed' WHERE room IN ('R1', 'R2599')")
    rest = read(handheld, home, after=whole[marks[2]]["after"], start=whole[0]["start_cursor"])
    assert rest[0] == {**whole[0], "estimate": 2617}
    assert not held.keys() & {line["id"] for line in rest if line["type"] == "row"}
    held |= {line["id"]: line["version"] for line in rest if line["type"] == "row"}
    [told] = handheld.post(PULL, json=asked((home, rest[-1]["cursor"]))).json()["scopes"]
    changed = {item["id"]: item["version"] for item in told["items"]}
    assert sorted(changed.values()) == [2, 2]
    now = {line["id"]: line["version"] for line in read(handheld, home) if line["type"] == "row"}
    assert held | changed == now
    assert told["checksum"] == rest[-1]["checksum"]


def test_marks_and_end_sum_up_what_stands_before_them(handheld: TestClient, drawn: Drawn, home: int) -> None:
    crowd(drawn, home, 1200)
    since = bytearray()
    told: list[tuple[str, bool]] = []
    for text in handheld.get(f"/v1/sync/snapshot/{home}").content.splitlines(keepends=True):
        line = orjson.loads(text)
        if line["type"] == "row":
            since += text
        elif line["type"] in {"mark", "end"}:
            said = line["after" if line["type"] == "mark" else "cursor"]
            told.append((line["type"], line["crc32"] == binascii.crc32(bytes(since) + said.encode())))
            since.clear()
    assert told == [("mark", True), ("mark", True), ("end", True)]


def test_packed_snapshot_can_be_unpacked_as_far_as_it_came(handheld: TestClient, drawn: Drawn, home: int) -> None:
    crowd(drawn, home, 1200)
    with handheld.stream("GET", f"/v1/sync/snapshot/{home}", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    half = zlib.decompressobj(31).decompress(raw[: len(raw) // 2])
    rows = half.splitlines()[:-1]
    assert len(rows) > 100
    assert all(orjson.loads(row)["type"] in {"begin", "row", "mark"} for row in rows)


def test_comparison_tells_behind_mismatch_and_resync_and_keeps_the_incident(
    handheld: TestClient, drawn: Drawn, device: Device, home: int, east: int
) -> None:
    end = read(handheld, home)[-1]
    wrong = {"scope_id": home, "cursor": end["cursor"], "count": end["count"], "checksum": ZEROS}
    link = {"resync": True, "snapshot": f"/v1/sync/snapshot/{home}"}
    for _ in range(2):
        answer = handheld.post(VERIFY, json={"scopes": [wrong]}).json()
        assert answer["scopes"] == [{"scope_id": home, "result": "mismatch", "count": end["count"], "checksum": end["checksum"], **link}]
    kept = as_superuser(drawn, "SELECT device_id, code, scope_id, detail -> 'device' ->> 'checksum' FROM sync.incident")
    assert kept == [(device.id, "checksum", home, ZEROS)]  # one, however often it is asked
    as_superuser(drawn, f"UPDATE reg.unit SET room = 'x' WHERE id = '{drawn.places.units['tower-101']}'")
    assert handheld.post(VERIFY, json={"scopes": [wrong]}).json()["scopes"] == [{"scope_id": home, "result": "behind"}]
    as_superuser(drawn, "UPDATE sync.feed_meta SET generation = gen_random_uuid()")
    assert handheld.post(VERIFY, json={"scopes": [wrong]}).json()["scopes"][0] == {
        "scope_id": home, "result": "resync", "reason": "epoch", **link,
    }  # fmt: skip
    assert handheld.post(VERIFY, json={"scopes": [wrong | {"scope_id": east}]}).status_code == 400


def test_every_read_leaves_its_trace_before_it(handheld: TestClient, drawn: Drawn, device: Device, home: int) -> None:
    read(handheld, home)
    handheld.post(PULL, json=asked((home, None)))
    rows = as_superuser(drawn, "SELECT action, object_id, detail FROM reg.audit WHERE object_type = 'sync' ORDER BY id")
    assert rows == [("snapshot", str(device.id), {"scopes": [home]}), ("pull", str(device.id), {"scopes": [home]})]


def test_snapshot_too_many_is_told_to_come_back(configured: Settings, drawn: Drawn, device: Device, home: int) -> None:
    app = create_app(configured, KEYS, drawn.database, limits=GENEROUS)
    with TestClient(app, headers=device.headers) as handheld:
        parts = app.state.parts
        with parts.snapshots.taken():
            for _ in range(15):
                parts.snapshots._free -= 1
            answer = handheld.get(f"/v1/sync/snapshot/{home}")
            parts.snapshots._free += 15
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
        assert 3 <= int(answer.headers["Retry-After"]) <= 7
        assert [handheld.get(f"/v1/sync/snapshot/{home}").status_code for _ in range(20)] == [200] * 20


def test_one_handheld_takes_no_more_turns_than_its_own(app: FastAPI, handheld: TestClient, drawn: Drawn, device: Device, home: int) -> None:
    path, other = f"/v1/sync/snapshot/{home}", speaking(app, handheld, enrolled(drawn))
    cursor = read(handheld, home)[-1]["cursor"]
    with ExitStack() as taken:
        for _ in range(SNAPSHOTS_EACH):
            taken.enter_context(app.state.parts.snapshots.taken(str(device.id)))
        for _ in range(LISTENERS_EACH):
            taken.enter_context(app.state.parts.listeners.taken(str(device.id)))
        assert [one.get(path).status_code for one in (handheld, other)] == [503, 200]
        waiting = [one.post(PULL, json=asked((home, cursor), wait_s=1)).status_code for one in (handheld, other)]
        assert (waiting, handheld.get(EVENTS).status_code) == ([503, 200], 503)
    assert handheld.get(path).status_code == 200
