"""A device that is to be emptied: sent is everything before, left is nothing afterwards, and the server hears of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clients.handheld import identity, outbox, photos
from clients.handheld.identity import WipedError
from clients.handheld.store import Store
from clients.handheld.transport import RefusedError, Transport, UnreachableError
from tests.sync import oracle
from tests.sync.proxy import Fault
from tests.sync.test_road import admin, emptied, grid
from tests.sync.world import Gadget, World

PICTURE = b"\xff\xd8\xff\xe0" + bytes(2000)


class Pressed(Store):
    """A store to which another program writes in the moment before it is emptied."""

    happening: Callable[[], None]

    def wipe(self, *, unless: str | None = None) -> bool:
        self.happening()
        return super().wipe(unless=unless)


class Killed(BaseException):
    """No program survives it."""


class Dying(Store):
    """A store of a program that is killed when everything is deleted and nothing said."""

    def shrink(self) -> None:
        raise Killed


def person(world: World, gadget: Gadget, store: Store | None = None) -> str:
    values = {"name": "郑", "registration": "floating"}
    scope = grid(world, "south-west")
    return outbox.record(store or gadget.store, gadget.clock, "create", "resident", scope_id=scope, values=values)[0]


def entered(world: World, identity: str) -> bool:
    return oracle.one(world, "SELECT count(*) FROM reg.person WHERE id = %s", identity) == 1


def test_what_is_recorded_between_the_last_push_and_the_wipe_is_sent_too(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    admin(world, f"/v1/devices/{mine.device.id}/drain")
    late: list[str] = []

    def press_the_button() -> None:
        if not late:
            other = Store(mine.store.path)
            late.append(person(world, mine, other))
            other.close()

    pressed = Pressed(mine.store.path)
    pressed.happening = press_the_button
    mine.store.close()
    mine.handheld.store = pressed
    with pytest.raises(WipedError):
        mine.handheld.sync()
    assert entered(world, late[0])
    emptied(world, mine)


def test_a_photo_that_has_to_wait_keeps_a_draining_device_from_its_wipe_and_not_a_revoked_one(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    photo = photos.attach(mine.store, mine.clock, "unit", str(world.drawn.places.units["tower-101"]), PICTURE)
    world.superuser.execute(
        "INSERT INTO sync.file (account_id, length, expires_at) SELECT %s, 100, now() + interval '7 days' FROM generate_series(1, 200)",
        [mine.device.actor.account_id],
    )
    admin(world, f"/v1/devices/{mine.device.id}/drain")
    known = person(world, mine)
    mine.handheld.sync()
    assert entered(world, known)
    assert mine.store.all("SELECT id, refused FROM photo") == [(photo, None)]
    assert oracle.one(world, "SELECT status FROM sync.device WHERE id = %s", mine.device.id) == "draining"
    admin(world, f"/v1/devices/{mine.device.id}/revoke")
    with pytest.raises(WipedError):
        mine.handheld.sync()
    emptied(world, mine)


def test_a_photo_that_waited_is_sent_by_a_draining_device_before_its_wipe(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    photo = photos.attach(mine.store, mine.clock, "unit", str(world.drawn.places.units["tower-101"]), PICTURE)
    admin(world, f"/v1/devices/{mine.device.id}/drain")
    with pytest.raises(WipedError):
        mine.handheld.sync()
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"
    emptied(world, mine)


def test_a_wipe_that_was_cut_is_finished_at_the_next_start(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    admin(world, f"/v1/devices/{mine.device.id}/revoke")
    path = mine.store.path
    mine.store.close()
    mine.handheld.store = Dying(path)
    with pytest.raises(Killed):
        mine.handheld.sync()
    mine.store.close()
    mine.handheld.store = Store(path)
    with pytest.raises(outbox.RecordError):
        person(world, mine)
    with pytest.raises(WipedError):
        mine.handheld.sync()
    emptied(world, mine)
    with pytest.raises(outbox.RecordError):
        person(world, mine)


def test_a_device_that_lives_again_before_its_last_word_was_heard_can_be_let_in_anew(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    admin(world, f"/v1/devices/{mine.device.id}/drain")
    site = mine.handheld.transport.site
    mine.handheld.transport.close()
    mine.handheld.transport.site = "http://127.0.0.1:9"  # nobody hears the word
    assert mine.store.wipe()
    with pytest.raises(UnreachableError):
        mine.handheld.sync()
    mine.handheld.transport.site = site
    admin(world, f"/v1/devices/{mine.device.id}/activate")
    with pytest.raises(WipedError):
        mine.handheld.sync()
    assert (mine.store.get("state"), mine.store.get("device_key")) == ("wiped", None)
    let_in_anew(world, mine)


def test_a_device_whose_last_word_the_server_does_not_take_can_be_let_in_anew(world: World) -> None:
    """The server came back from a backup of before it was enrolled."""
    mine = world.gadgets[0]
    world.sync(mine)
    assert mine.store.wipe()
    with mine.store.transaction():
        mine.store.put(device_id="0190000a-0000-7000-8000-00000000000f")
    with pytest.raises(RefusedError):
        mine.handheld.sync()
    let_in_anew(world, mine)


def test_another_code_after_a_lost_enrolment_brings_another_key(world: World, tmp_path: Path) -> None:
    """The server took the first one, and would refuse a second device with its key."""
    codes = [admin(world, "/v1/devices/enrolments", {"username": "worker"})["code"] for _ in range(2)]
    store, transport = Store(tmp_path / "device.sqlite"), Transport(world.ground.proxy.site, attempts=1)
    world.ground.proxy.plan.append(Fault.DROP_ANSWER)
    with pytest.raises(UnreachableError):
        identity.enrol(store, transport, codes[0], label="terminal")
    identity.enrol(store, transport, codes[1], label="terminal")
    assert store.get("state") == "active"
    transport.close()
    store.close()


def let_in_anew(world: World, gadget: Gadget) -> None:
    before = str(gadget.device.id)
    code = admin(world, "/v1/devices/enrolments", {"username": gadget.username})["code"]
    identity.enrol(gadget.store, gadget.handheld.transport, code, label="again")
    assert gadget.store.get("device_id") != before
    assert gadget.handheld.sync().snapshots == [grid(world, "south-west")]
    known = person(world, gadget)
    gadget.handheld.sync()
    assert entered(world, known)
