"""Photos on their way: in pieces, over networks that break, named by the record before they arrive."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from clients.handheld import outbox, photos
from clients.handheld.transport import RefusedError, Transport
from tests.sync import oracle
from tests.sync.proxy import Fault
from tests.sync.test_road import admin
from tests.sync.world import Gadget, World


def test_a_photo_arrives_though_the_network_breaks(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    content = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 5000
    unit = str(world.drawn.places.units["tower-101"])
    photo = photos.attach(mine.store, mine.clock, "unit", unit, content)
    outbox.record(mine.store, mine.clock, "update", "unit", unit, values={"room": "1-1"}, files=[photo])
    # bootstrap, push, HEAD, POST, PATCH, PATCH cut and asked about
    world.sync(mine, [Fault.NONE, Fault.NONE, Fault.NONE, Fault.DROP_ANSWER, Fault.NONE, Fault.DROP_ANSWER, Fault.DROP_REQUEST])
    assert mine.store.all("SELECT refused FROM photo") == []
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"


def test_a_photo_that_the_server_gave_up_is_begun_anew(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    photo = photos.attach(mine.store, mine.clock, "unit", str(world.drawn.places.units["tower-101"]), b"\xff\xd8\xff\xe0" + bytes(1000))
    world.superuser.execute(
        "INSERT INTO sync.file (id, account_id, length, expires_at, state) SELECT %s, account_id, 1004, now(), 'expired'"
        " FROM sync.device WHERE id = %s",
        [photo, mine.device.id],
    )
    world.sync(mine)
    assert mine.store.all("SELECT refused FROM photo") == []
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"


def test_a_refusal_that_passes_ends_no_photo(world: World) -> None:
    """The token ended between the push and the photos, and a supervisor must let the device in again."""
    mine = world.gadgets[0]
    world.sync(mine)
    photo = attached(world, mine)
    with mine.store.transaction():
        mine.store.put(access_token="a.token.that-ended")
    world.superuser.execute("UPDATE sync.device SET locked_at = now() WHERE id = %s", [mine.device.id])
    with pytest.raises(RefusedError):
        photos.send(mine.store, mine.handheld.transport)
    assert mine.store.all("SELECT id, refused FROM photo") == [(photo, None)]
    admin(world, f"/v1/devices/{mine.device.id}/reauthorise")
    world.sync(mine)
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"


def test_a_photo_that_is_none_is_refused_for_good_and_stops_no_other(world: World) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    none = attached(world, mine, b"no picture")
    photo = attached(world, mine)
    taken = attached(world, mine)
    world.superuser.execute(
        "INSERT INTO sync.file (id, account_id, length, expires_at) VALUES (%s, %s, 1, now() + interval '1 day')",
        [taken, world.actor("worker-east").account_id],
    )
    world.sync(mine)
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"
    refused = {identity: why.partition(":")[0] for identity, why in mine.store.all("SELECT id, refused FROM photo")}
    assert refused == {none: "422 file-refused", taken: "409 id-taken"}


def test_a_store_of_files_that_is_down_keeps_no_lost_grid_on_the_device(world: World) -> None:
    mine, grid = world.gadgets[0], world.drawn.places.grids["south-west"]
    world.move_worker("worker", "south-east")
    world.sync(mine)
    photo = attached(world, mine)
    world.move_worker("worker", "south-west")
    with store_down(world), pytest.raises(RefusedError) as refused:
        mine.handheld.sync()
    assert (refused.value.status, refused.value.slug) == (503, "busy")
    assert mine.store.all("SELECT scope_id, state FROM scope") == [(world.drawn.places.grids["south-east"], "live")]
    assert mine.store.one("SELECT count(*) FROM member WHERE scope_id = ?", grid) == (0,)
    assert mine.store.all("SELECT id, refused FROM photo") == [(photo, None)]
    world.sync(mine)
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"


@contextmanager
def store_down(world: World) -> Generator[None]:
    """In the block, the server cannot write files: where their folder was lies something else. Its answers are waited for briefly."""
    place, transport = world.ground.process.folder / "files", world.gadgets[0].handheld.transport
    away = place.with_name("files.away")
    if place.exists():
        place.rename(away)
    place.touch()
    world.gadgets[0].handheld.transport = Transport(transport.site, attempts=2, sleep=lambda _: None)
    yield
    world.gadgets[0].handheld.transport.close()
    world.gadgets[0].handheld.transport = transport
    place.unlink()
    if away.exists():
        away.rename(place)


def attached(world: World, gadget: Gadget, content: bytes = b"\xff\xd8\xff\xe0" + bytes(1000)) -> str:
    return photos.attach(gadget.store, gadget.clock, "unit", str(world.drawn.places.units["tower-101"]), content)
