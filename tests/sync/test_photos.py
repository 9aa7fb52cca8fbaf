"""Photos on their way: in pieces, over networks that break, named by the record before they arrive."""

from clients.handheld import outbox, photos
from tests.sync import oracle
from tests.sync.proxy import Fault
from tests.sync.world import World


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
