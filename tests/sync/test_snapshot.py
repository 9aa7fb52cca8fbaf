"""A snapshot that was damaged on its way: what cannot be right is not kept, and what was right is."""

import binascii
import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.handheld import snapshot
from clients.handheld.store import Store
from clients.handheld.transport import Transport, UnreachableError

GRID = 1
ROWS = [b'{"type":"row","kind":"unit","id":"u%d","version":1,"data":{"room":"10%d"}}' % (n, n) for n in range(4)]
BEGIN = b'{"type":"begin","scope":1,"start_cursor":"c","epoch":"1:1:a","estimate":4}'


def closing(kind: str, name: str, said: str, rows: list[bytes]) -> bytes:
    summed = binascii.crc32(b"".join(row + b"\n" for row in rows) + said.encode())
    return json.dumps({"type": kind, name: said, "crc32": summed}).encode()


WHOLE = [BEGIN, *ROWS[:2], closing("mark", "after", "unit:u1", ROWS[:2]), *ROWS[2:], closing("end", "cursor", "c", ROWS[2:])]


class Line(Transport):
    """A network that brings these lines, once."""

    def __init__(self, told: list[bytes]) -> None:
        super().__init__("http://nowhere", attempts=1)
        self._told = told

    @contextmanager
    def lines(self, path: str, headers: Mapping[str, str]) -> Generator[Iterator[bytes]]:
        try:
            yield iter(self._told)
        except json.JSONDecodeError as error:
            raise UnreachableError(path) from error


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store(Path(":memory:"))
    opened.run("INSERT INTO scope (scope_id, state) VALUES (?, 'new')", GRID)
    opened.put(device_id="d", access_token="t")
    yield opened
    opened.close()


def shown(store: Store) -> list[tuple[str, str]]:
    found = store.all("SELECT id, data FROM entity ORDER BY id")
    return [(identity, json.loads(data)["room"]) for identity, data in found]


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        (1, b'"100"', b'"110"'),  # a value
        (3, b"unit:u1", b"unit:u0"),  # the mark
        (4, b'"version":1', b'"version":9'),
        (5, b'{"type":"row"', b'{"tyqe":"row"'),
        (6, b'"c"', b'"d"'),  # the cursor
        (6, b"{", b"\xff"),
    ],
)
def test_damaged_line_is_like_a_cut(store: Store, place: int, old: bytes, new: bytes) -> None:
    damaged = [line.replace(old, new) if at == place else line for at, line in enumerate(WHOLE)]
    assert damaged != WHOLE
    with pytest.raises(UnreachableError):
        snapshot.fetch(store, Line(damaged), GRID)
    assert shown(store) == []
    # what a sound mark stood behind is kept, and nothing else
    kept = 2 if place > 3 else 0
    assert [row[0] for row in store.all("SELECT id FROM arriving ORDER BY id")] == ["u0", "u1"][:kept]
    assert store.one("SELECT after FROM scope") == ("unit:u1" if kept else None,)
    rest = [BEGIN, *WHOLE[4:]] if kept else WHOLE
    snapshot.fetch(store, Line(rest), GRID)
    assert shown(store) == [("u0", "100"), ("u1", "101"), ("u2", "102"), ("u3", "103")]
