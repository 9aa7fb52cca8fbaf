"""A line of few bytes a second: what takes longer than any time-out arrives, as long as something moves."""

import socket
import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress

from clients.handheld import outbox, photos
from clients.handheld.sync import Handheld
from clients.handheld.transport import Transport
from tests.sync import oracle
from tests.sync.world import World

RATE = 150_000
"""Bytes a second in either direction: a hundredth of the time that 64 kbit/s and the usual time-out take."""
TIMEOUT = 2.0
PIECE = 1_500


def test_photo_and_first_sync_arrive_over_a_slow_line(world: World) -> None:
    gadget = world.gadgets[0]
    unit = str(world.drawn.places.units["tower-101"])
    with slow(world.ground.process.port) as port, closing(Transport(f"http://127.0.0.1:{port}", timeout=TIMEOUT, attempts=2)) as transport:
        device = Handheld(gadget.store, transport, gadget.clock)
        device.sync()
        photo = photos.attach(gadget.store, gadget.clock, "unit", unit, b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4_000)
        outbox.record(gadget.store, gadget.clock, "update", "unit", unit, values={"room": "1-1"}, files=[photo])
        device.sync()  # a piece of 512 KiB takes four seconds
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"
    world.look(gadget, complete=True)


@contextmanager
def slow(upstream: int) -> Generator[int]:
    """The port of a relay that holds next to nothing itself, so that its client feels how slow it is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        threading.Thread(target=_accept, args=(listening, upstream), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, upstream: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            server = socket.create_connection(("127.0.0.1", upstream))
            ways = [threading.Thread(target=_carry, args=way, daemon=True) for way in ((client, server), (server, client))]
            for way in ways:
                way.start()
            threading.Thread(target=_end, args=(ways, client, server), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(PIECE):
            time.sleep(len(data) / RATE)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _end(ways: list[threading.Thread], *lines: socket.socket) -> None:
    for way in ways:
        way.join()
    for line in lines:
        line.close()
