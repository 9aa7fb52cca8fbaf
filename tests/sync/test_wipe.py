"""A device that is to be emptied: sent is everything before, left is nothing afterwards, and the server hears of it."""

from collections.abc import Callable

import pytest

from clients.handheld import outbox, photos
from clients.handheld.identity import WipedError
from clients.handheld.store import Store
from tests.sync import oracle
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
    identity = person(world, mine)
    mine.handheld.sync()
    assert entered(world, identity)
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
