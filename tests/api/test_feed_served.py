"""The feed as only a real server shows it: listeners, pulls that wait, clients who hang up."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.limits import Limits
from api.logs import make_log
from gridmgmt.database import Database
from gridmgmt.security.context import signer
from gridmgmt.security.tokens import Tokens
from gridmgmt.settings import Settings
from tests import horizon
from tests.api.conftest import GENEROUS
from tests.api.syncing import EVENTS, PULL, as_superuser, asked, crowd, lines_of
from tests.drawn import Drawn
from tests.handhelds import Device, enrolled
from tests.places import KEYS
from tests.served import becomes, serving


@pytest.fixture
def device(drawn: Drawn) -> Device:
    horizon.settle(drawn.address)
    return enrolled(drawn)


@pytest.fixture
def home(drawn: Drawn) -> int:
    return drawn.places.grids["south-west"]


class Line:
    """A connection that reads as slowly as it likes."""

    def __init__(self, host: str, port: int, request: str, device: Device) -> None:
        self._socket = socket.create_connection((host, port), timeout=20)
        headers = "".join(f"{name}: {value}\r\n" for name, value in device.headers.items())
        self._socket.sendall(f"{request} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        self.heard = b""

    def until(self, word: bytes) -> bytes:
        """All that was heard, once `word` is in it."""
        while word not in self.heard:
            got = self._socket.recv(65536)
            assert got, self.heard[-300:]
            self.heard += got
        return self.heard

    def to_the_end(self) -> bytes:
        """All that was heard when the answer ended."""
        return self.until(b"0\r\n\r\n")

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


Site = tuple[str, int, FastAPI]


@pytest.fixture
def site(configured: Settings, drawn: Drawn) -> Iterator[Site]:
    database = Database(drawn.address, signer(KEYS.context_kid, KEYS.context), pool_size=4)
    app = create_app(configured, KEYS, database, limits=GENEROUS)
    with serving(app, database=database) as (host, port):
        yield host, port, app


def test_snapshot_stops_when_the_client_hangs_up(drawn: Drawn, home: int, site: Site, device: Device) -> None:
    crowd(drawn, home, 30_000)
    host, port, app = site
    turns, database = app.state.parts.snapshots, app.state.parts.database
    before = turns._free
    with Line(host, port, f"GET /v1/sync/snapshot/{home}", device) as line:
        line.until(b'"type":"row"')
        assert turns._free == before - 1
    assert becomes(lambda: turns._free == before, 10)
    assert becomes(lambda: sum(database.usage().values()) == 0, 5)


def test_snapshot_that_is_refused_in_its_middle_is_cut_and_no_error_of_ours(
    drawn: Drawn, configured: Settings, home: int, device: Device
) -> None:
    crowd(drawn, home, 30_000)
    log, database = StringIO(), Database(drawn.address, signer(KEYS.context_kid, KEYS.context), pool_size=4)
    app = create_app(configured, KEYS, database, limits=GENEROUS, log=make_log(log))
    with serving(app, database=database, log_level="critical") as (host, port):
        with Line(host, port, f"GET /v1/sync/snapshot/{home}", device) as line:
            line.until(b'"type":"row"')
            as_superuser(drawn, f"UPDATE sync.device SET status = 'revoked' WHERE id = '{device.id}'")
            with pytest.raises(AssertionError):  # the connection ends before the answer does
                line.to_the_end()
        assert becomes(lambda: "answer cut short" in log.getvalue(), 5)
    assert "unexpected error" not in log.getvalue()
    assert '"slug": "unauthenticated"' in log.getvalue()


def test_listener_is_poked_for_its_own_grids_and_no_others(drawn: Drawn, home: int, site: Site, device: Device) -> None:
    host, port, _ = site
    with Line(host, port, f"GET {EVENTS}", device) as line:
        line.until(b": pull once now")
        as_superuser(drawn, f"UPDATE reg.unit SET room = 'x' WHERE id = '{drawn.places.units['mill-301']}'")
        as_superuser(drawn, f"UPDATE reg.unit SET room = 'x' WHERE id = '{drawn.places.units['tower-101']}'")
        heard = line.until(b"}\n\n")
    assert b'event: poke\ndata: {"scopes":[%d]}' % home in heard
    assert heard.count(b"event:") == 1
    assert b"text/event-stream" in heard


def test_listening_ends_with_the_token_and_with_the_device(drawn: Drawn, device: Device, site: Site) -> None:
    host, port, _ = site
    short = replace(device, token=Tokens(KEYS.token, 6).issue(device.actor))
    with Line(host, port, f"GET {EVENTS}", short) as line:
        line.until(b": pull once now")
        line.to_the_end()
    with Line(host, port, f"GET {EVENTS}", device) as line:
        line.until(b": pull once now")
        as_superuser(drawn, f"UPDATE sync.device SET status = 'revoked' WHERE id = '{device.id}'")
        as_superuser(drawn, f"UPDATE reg.unit SET room = 'y' WHERE id = '{drawn.places.units['tower-101']}'")
        assert b"event: poke" not in line.to_the_end()


def test_listener_is_told_of_a_grid_that_was_taken_away(drawn: Drawn, home: int, site: Site, device: Device) -> None:
    host, port, _ = site
    with Line(host, port, f"GET {EVENTS}", device) as line:
        line.until(b": pull once now")
        as_superuser(drawn, "UPDATE reg.grid_assignment SET valid_to = reg.today()")
        as_superuser(drawn, f"UPDATE reg.unit SET room = 'y' WHERE id = '{drawn.places.units['tower-101']}'")
        assert b'data: {"scopes":[%d]}' % home in line.until(b"}\n\n")


def test_pull_that_waits_answers_when_something_happens_and_holds_no_place(
    drawn: Drawn, configured: Settings, device: Device, home: int
) -> None:
    database = Database(drawn.address, signer(KEYS.context_kid, KEYS.context), pool_size=4)
    app = create_app(configured, KEYS, database, limits=Limits(at_once=1, queue=10))
    with serving(app, database=database) as (host, port), TestClient(create_app(configured, KEYS, drawn.database)) as own:
        cursor = lines_of(own.get(f"/v1/sync/snapshot/{home}", headers=device.headers))[-1]["cursor"]
        answers: list[Any] = []

        def wait(seconds: int) -> None:
            with httpx2.Client(base_url=f"http://{host}:{port}", headers=device.headers, timeout=20) as waiting:
                answers.append(waiting.post(PULL, json=asked((home, cursor), wait_s=seconds)).json()["scopes"][0]["items"])

        wait(1)
        assert answers == [[]]
        waiters = [threading.Thread(target=wait, args=(25,)) for _ in range(4)]  # longer than their patience, were it not for the news
        for waiter in waiters:
            waiter.start()
        assert becomes(lambda: app.state.parts.listeners._free == configured.sync.listeners - 4, 10)
        as_superuser(drawn, f"UPDATE reg.unit SET room = 'z' WHERE id = '{drawn.places.units['tower-101']}'")
        for waiter in waiters:
            waiter.join(20)
    assert [len(items) for items in answers[1:]] == [1] * 4
