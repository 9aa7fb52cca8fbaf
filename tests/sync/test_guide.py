"""The guide of the handhelds shows what travels: every example has the members that a real conversation has."""

import json
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clients.handheld import identity, outbox
from clients.handheld.identity import WipedError
from clients.handheld.store import Store
from clients.handheld.sync import Handheld
from clients.handheld.transport import Transport
from tests.sync.clocks import WanderingClock
from tests.sync.proxy import Exchange
from tests.sync.test_road import admin
from tests.sync.world import World

GUIDE = (Path(__file__).parents[2] / "docs/handheld.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- example: (\w+) (request|answer) [^>]*-->\n```json\n(.*?)```", re.DOTALL)
"""What an example is of stands above it, where readers do not see it."""
PATHS = {
    "enrol": "/v1/devices/enrol",
    "token": "/v1/devices/token",
    "bootstrap": "/v1/sync/bootstrap",
    "push": "/v1/sync/push",
    "snapshot": "/v1/sync/snapshot",
    "pull": "/v1/sync/pull",
    "verify": "/v1/sync/verify",
    "wipe": "/v1/sync/wipe-ack",
}
FREE = frozenset({"set", "was", "data"})
"""Whose members are those of a kind."""


@pytest.fixture
def conversation(world: World, tmp_path: Path) -> list[Exchange]:
    """All that one device says and hears, from its enrolment to its end."""
    unit, lease = (str(world.drawn.places.units["tower-101"]), str(world.drawn.places.leases["village-let"]))
    grid = world.drawn.places.grids["south-west"]
    code = admin(world, "/v1/devices/enrolments", {"username": "worker"})["code"]
    with closing(Store(tmp_path / "device.sqlite")) as store, closing(Transport(world.ground.proxy.site)) as transport:
        identity.enrol(store, transport, code, label="terminal 17")
        identity.refresh(store, transport)
        device = Handheld(store, transport, WanderingClock())
        world.move_worker("worker", "south-east")
        device.sync()
        world.move_worker("worker", "south-east")
        outbox.record(store, device.clock, "create", "resident", scope_id=grid, values={"name": "王小明", "registration": "floating"})
        outbox.record(store, device.clock, "update", "unit", unit, values={"use": "shop"})
        assert world.office("DELETE", f"/v1/leases/{world.drawn.places.leases['village-sublet']}") == 204
        assert world.office("DELETE", f"/v1/leases/{lease}") == 204
        device.sync()
        device.sync()
        admin(world, f"/v1/devices/{store.get('device_id')}/revoke")
        with pytest.raises(WipedError):
            device.sync()
    return list(world.ground.proxy.recorded)


def test_every_example_of_the_guide_has_the_members_of_what_travels(conversation: Sequence[Exchange]) -> None:
    examples = EXAMPLE.findall(GUIDE)
    assert {name for name, _, _ in examples} == set(PATHS)
    for name, what, text in examples:
        for example in documents(text):
            real = [
                document
                for exchange in conversation
                if exchange.path.startswith(PATHS[name]) and exchange.status < 400
                for document in documents((exchange.sent if what == "request" else exchange.body).decode())
            ]
            assert any(alike(example, one) for one in real), f"{name} {what}: {example} is like none of {real[:3]}"


def documents(text: str) -> list[Any]:
    """The JSON in a text: one document, or one a line."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def alike(example: Any, real: Any) -> bool:
    """Whether an example has the members of the real thing, all the way down. Each in a list is like one in the real list, if any."""
    if isinstance(example, dict) and isinstance(real, dict):
        return example.keys() == real.keys() and all(name in FREE or alike(example[name], real[name]) for name in example)
    if isinstance(example, list) and isinstance(real, list):
        return not real or all(any(alike(one, other) for other in real) for one in example)
    return isinstance(example, dict | list) == isinstance(real, dict | list)


def test_the_checksum_in_the_guide_is_the_one_that_the_tests_compute() -> None:
    told = re.search(r"`unit0190000a-0000-7000-8000-00000000000112` gives `([0-9a-f]{16})`", GUIDE)
    rows = (Path(__file__).parent / "test_rows.py").read_text(encoding="utf-8")
    assert told is not None
    assert told[1] in rows


def test_the_guide_names_every_problem_that_the_client_heeds() -> None:
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", GUIDE))
    sources = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "clients/handheld").glob("*.py"))
    heeded = set(re.findall(r'slug [!=]= "([a-z-]+)"', sources))
    assert heeded
    assert heeded <= told
