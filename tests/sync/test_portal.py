"""A network that answers in the server's place: a page to log in at, whatever is asked."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clients.handheld import outbox, photos
from clients.handheld.transport import Transport, UnreachableError
from tests.sync import oracle
from tests.sync.test_photos import attached
from tests.sync.world import World

PAGE = b"<html>log in to the wireless network</html>"


class Portal(BaseHTTPRequestHandler):
    """Answers everything with its page, or leads to it."""

    protocol_version = "HTTP/1.1"
    status = 200

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE)

    do_GET = do_POST = do_HEAD = do_PATCH = answer  # noqa: N815 -- names of the library's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's
        """Nothing."""


class Leading(Portal):
    """Answers with a redirection."""

    status = 302


@pytest.fixture(params=[Portal, Leading])
def portal(request: pytest.FixtureRequest) -> Iterator[Transport]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Transport(f"http://127.0.0.1:{server.server_port}", attempts=2, sleep=lambda _: None)
        server.shutdown()


def test_a_page_to_log_in_at_is_a_broken_line(world: World, portal: Transport) -> None:
    mine = world.gadgets[0]
    world.sync(mine)
    server, photo = mine.handheld.transport, attached(world, mine)
    outbox.record(mine.store, mine.clock, "update", "unit", str(world.drawn.places.units["tower-101"]), values={"room": "1-1"})
    mine.handheld.transport = portal
    with pytest.raises(UnreachableError):
        mine.handheld.sync()
    with pytest.raises(UnreachableError):
        mine.handheld.push()
    with pytest.raises(UnreachableError):
        photos.send(mine.store, portal)
    portal.close()
    assert (outbox.waiting(mine.store), mine.store.all("SELECT id, refused FROM photo")) == (1, [(photo, None)])
    mine.handheld.transport = server
    world.sync(mine)
    assert oracle.one(world, "SELECT state FROM sync.file WHERE id = %s", photo) == "complete"
