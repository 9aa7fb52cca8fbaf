"""The whole road, as a worker's handheld goes it: let in, at work without signal, moved, taken away."""

import ast
import json
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clients.handheld import __main__ as command
from clients.handheld import identity, outbox, rows
from clients.handheld.identity import WipedError
from clients.handheld.store import Store
from clients.handheld.sync import Handheld
from clients.handheld.transport import RefusedError, Transport
from gridmgmt.security.tokens import Tokens
from tests import horizon
from tests.places import KEYS
from tests.sync import oracle
from tests.sync.clocks import WanderingClock
from tests.sync.proxy import Fault
from tests.sync.world import Gadget, World


def admin(world: World, path: str, body: dict[str, Any] | None = None) -> Any:
    token = Tokens(KEYS.token, 900).issue(world.actor("admin"))
    transport = Transport(world.ground.process.site)
    text = "{}" if body is None else json.dumps(body)
    told = transport.send("POST", path, body=text, headers={"Authorization": f"Bearer {token}"}).json()
    transport.close()
    return told


def grid(world: World, name: str) -> int:
    return world.drawn.places.grids[name]


def one(world: World, gadget: Gadget, kind: str, identifier: uuid.UUID) -> rows.Shown:
    row = rows.shown(gadget.store, kind, str(identifier))
    assert row is not None
    return row


def test_a_code_that_nobody_gave_lets_nobody_in(world: World, tmp_path: Path) -> None:
    store = Store(tmp_path / "device.sqlite")
    transport = Transport(world.ground.proxy.site)
    with pytest.raises(RefusedError) as refused:
        identity.enrol(store, transport, "7KQM-2XWR-9FHT-4CVD-8NPJ", label="terminal")
    assert refused.value.status == 401
    transport.close()
    store.close()


def test_a_device_is_let_in_by_a_code_though_the_answer_was_lost_and_renews_its_token(world: World, tmp_path: Path) -> None:
    code = admin(world, "/v1/devices/enrolments", {"username": "worker"})["code"]
    store = Store(tmp_path / "device.sqlite")
    transport = Transport(world.ground.proxy.site, sleep=lambda _: None)
    world.ground.proxy.plan.extend([Fault.DROP_ANSWER, Fault.CUT_ANSWER])
    identity.enrol(store, transport, code, label="terminal")
    device = Handheld(store, transport, WanderingClock())
    assert device.sync().snapshots == [grid(world, "south-west")]
    old = store.get("refresh_token")
    with store.transaction():
        store.put(access_token="a.token.that-ended")
    world.ground.proxy.plan.extend([Fault.NONE, Fault.DROP_ANSWER])
    device.sync()
    assert store.get("refresh_token") != old
    transport.close()
    store.close()


def test_a_device_can_be_tried_from_the_command_line(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = admin(world, "/v1/devices/enrolments", {"username": "worker"})["code"]
    home = ["--home", str(tmp_path)]
    assert command.main([*home, "list", "unit"]) == 1
    assert command.main([*home, "enrol", world.ground.process.site, code]) == 0
    assert command.main([*home, "sync"]) == 0
    assert command.main([*home, "update", "unit", str(world.drawn.places.units["tower-101"]), '{"room": "1-1"}']) == 0
    assert command.main([*home, "create", "resident", str(grid(world, "south-west")), '{"name": "周周", "registration": "floating"}']) == 0
    assert command.main([*home, "create", "unicorn", str(grid(world, "south-west")), "{}"]) == 0
    assert command.main([*home, "sync"]) == 0
    capsys.readouterr()
    assert [command.main([*home, *words]) for words in (["list", "unit"], ["inbox"], ["status"])] == [0, 0, 0]
    told = capsys.readouterr().out
    assert '"room": "1-1"' in told
    assert "3 rejected unicorn" in told
    assert "0 waiting, 1 to look at, device active" in told


def test_an_evening_in_a_basement(world: World) -> None:
    """Forty residences without signal, one of them wrong; the worker is moved and a colleague edits the same building; the server dies."""
    mine, colleague, _ = world.gadgets
    tower, village = world.drawn.places.buildings["tower"], world.drawn.places.units["village-201"]
    for gadget in world.gadgets:
        world.sync(gadget)
    people = [
        outbox.record(
            mine.store,
            mine.clock,
            "create",
            "resident",
            scope_id=grid(world, "south-west"),
            values={"name": f"钱{n}", "registration": "floating"},
        )[0]
        for n in range(40)
    ]
    for number, person in enumerate(people):
        values: dict[str, Any] = {"resident_id": person, "unit_id": str(village), "basis": "lease", "valid_from": "2024-01-01"}
        if number == 17:
            values["valid_from"] = "the day before yesterday"
        outbox.record(mine.store, mine.clock, "create", "residence", scope_id=grid(world, "south-west"), values=values)
    outbox.record(mine.store, mine.clock, "update", "building", str(tower), values={"name": "mine", "floors_above": 31})
    outbox.record(colleague.store, colleague.clock, "update", "building", str(tower), values={"name": "the colleague's"})
    world.sync(colleague)
    world.move_worker("worker", "south-west")
    world.move_worker("worker", "south-east")
    with world.ground.process.killing_itself("answer", "/v1/sync/push"):
        meeting = world.sync(mine, [Fault.NONE])
    assert meeting is not None
    assert meeting.sent == 81
    assert [(letter.kind, letter.result["status"]) for letter in meeting.letters] == [("residence", "rejected"), ("building", "conflict")]
    assert (meeting.left, meeting.snapshots) == ([grid(world, "south-west")], [grid(world, "south-east")])
    assert "current" not in meeting.letters[1].result
    [(yours, theirs)] = world.superuser.execute(
        "SELECT yours->>'name', theirs->>'name' FROM sync.conflict WHERE code = 'field-conflict'"
    ).fetchall()
    assert (yours, theirs) == ("mine", "the colleague's")
    assert oracle.one(world, "SELECT count(*) FROM reg.residence WHERE unit_id = %s AND valid_from = '2024-01-01'", village) == 39
    assert oracle.one(world, "SELECT floors_above FROM reg.building WHERE id = %s", tower) == 31
    content = mine.store.path.read_bytes()
    assert "张大山".encode() not in content
    world.settle()
    oracle.judge(world)


def test_what_was_recorded_after_a_grid_was_lost_waits_among_the_letters(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    world.move_worker("worker", "south-west")
    outbox.record(
        mine.store, mine.clock, "create", "resident", scope_id=grid(world, "south-west"), values={"name": "钱", "registration": "floating"}
    )
    meeting = world.sync(mine)
    assert meeting is not None
    assert [letter.result["problem"]["type"] for letter in meeting.letters] == ["/problems/out-of-scope"]
    assert oracle.one(world, "SELECT count(*) FROM sync.dead_letter") == 1


def test_somebody_whom_two_workers_enter_is_there_once(world: World) -> None:
    first, second, _ = world.gadgets
    values = {"name": "吴双", "registration": "floating", "identity_number": "000001196606060061"}
    made: list[str] = []
    for gadget in (first, second):
        world.sync(gadget)
        person, _ = outbox.record(gadget.store, gadget.clock, "create", "resident", scope_id=grid(world, "south-west"), values=values)
        home = {
            "resident_id": person,
            "unit_id": str(world.drawn.places.units["tower-102"]),
            "main": gadget is first,
            "valid_from": "2024-01-01",
        }
        outbox.record(gadget.store, gadget.clock, "create", "residence", scope_id=grid(world, "south-west"), values=home)
        made.append(person)
    for gadget in (first, second, first):
        assert world.sync(gadget) is not None
    world.settle()
    for gadget in (first, second):
        assert [row.id for row in world.shown(gadget, "resident") if row.data["name"] == "吴双"] == [made[0]]
        assert {row.data["resident_id"] for row in world.shown(gadget, "residence") if row.data["valid_from"] == "2024-01-01"} == {made[0]}
    oracle.judge(world)


def test_a_worker_decides_a_conflict(world: World) -> None:
    first, second, _ = world.gadgets
    unit = world.drawn.places.units["tower-101"]
    for gadget in (first, second):
        world.sync(gadget)
    for gadget, use in ((first, "shop"), (second, "office")):
        outbox.record(gadget.store, gadget.clock, "update", "unit", str(unit), values={"use": use})
    world.sync(first)
    meeting = world.sync(second)
    assert meeting is not None
    [letter] = meeting.letters
    assert (letter.result["status"], letter.result["fields"], letter.result["current"]["use"]) == ("conflict", ["use"], "shop")
    catch_up(world, second)
    assert one(world, second, "unit", unit).data["conflict_open"] is True
    conflict = letter.result["conflict_id"]
    outbox.record(second.store, second.clock, "update", "unit", str(unit), values={"use": "office"}, resolves=conflict)
    world.sync(second)
    catch_up(world, second)
    row = one(world, second, "unit", unit)
    assert (row.data["use"], row.data["conflict_open"]) == ("office", False)
    assert oracle.one(world, "SELECT state FROM sync.conflict WHERE id = %s", conflict) == "resolved"


class Outdated(Transport):
    """What an app of long ago says of itself."""

    def send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        return super().send(method, path, headers={**(headers or {}), "X-Schema-Version": "0"}, **more)


def test_an_outdated_app_hands_in_what_it_recorded(world: World) -> None:
    mine, home = world.gadgets[0], world.drawn.places.units["tower-101"]
    world.sync(mine)
    outbox.record(mine.store, mine.clock, "update", "unit", str(home), values={"room": "mine"})
    transport = Outdated(world.ground.process.site)
    with pytest.raises(RefusedError) as refused:
        Handheld(mine.store, transport, mine.clock).sync()
    transport.close()
    assert (refused.value.status, refused.value.slug) == (409, "schema-too-old")
    assert oracle.one(world, "SELECT room FROM reg.unit WHERE id = %s", home) == "mine"


def test_a_draining_device_sends_everything_and_is_empty_afterwards(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    person, _ = outbox.record(
        mine.store, mine.clock, "create", "resident", scope_id=grid(world, "south-west"), values={"name": "郑", "registration": "floating"}
    )
    admin(world, f"/v1/devices/{mine.device.id}/drain")
    with pytest.raises(WipedError):
        mine.handheld.sync()
    assert oracle.one(world, "SELECT count(*) FROM reg.person WHERE id = %s", person) == 1
    emptied(world, mine)


def test_a_revoked_device_is_emptied_at_its_next_contact_and_sends_nothing(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    outbox.record(
        mine.store, mine.clock, "create", "resident", scope_id=grid(world, "south-west"), values={"name": "郑", "registration": "floating"}
    )
    admin(world, f"/v1/devices/{mine.device.id}/revoke")
    with pytest.raises(WipedError):
        mine.handheld.sync()
    assert oracle.one(world, "SELECT count(*) FROM sync.mutation") == 0
    emptied(world, mine)


def catch_up(world: World, gadget: Gadget) -> None:
    """Fetch what was committed by now, whatever else is open in the cluster that all tests share."""
    horizon.settle(world.drawn.address)
    world.sync(gadget)


def emptied(world: World, gadget: Gadget) -> None:
    assert oracle.one(world, "SELECT status FROM sync.device WHERE id = %s", gadget.device.id) == "wiped"
    assert gadget.store.get("device_key") is None
    assert gadget.store.all("SELECT 1 FROM entity") == []
    content = gadget.store.path.read_bytes()
    assert "张大山".encode() not in content
    assert b"4403990010010000001" not in content
    with pytest.raises(WipedError):
        gadget.handheld.sync()


def test_the_client_imports_nothing_of_the_server() -> None:
    allowed = {"clients", "cryptography"} | sys.stdlib_module_names
    for path in (Path(__file__).parents[2] / "clients").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(name.partition(".")[0] in allowed for name in names), path
