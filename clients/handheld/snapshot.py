"""The whole of one grid: a stream of rows that may be cut anywhere and goes on where it was cut.

Until its last line has come, nothing of it is shown.
"""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit
from zlib import crc32

from clients.handheld import history, identity
from clients.handheld.rows import replace_scope
from clients.handheld.store import Store
from clients.handheld.transport import RefusedError, Transport, UnreachableError

ROW: Final = b'{"type":"row"'
"""How each line with a row begins."""


def fetch(store: Store, transport: Transport, scope_id: int) -> None:
    """Take a grid's snapshot to its end. Raises RefusedError, or UnreachableError when the network gave out too often.

    Every mark that came is kept: a later call goes on from there, after a restart of the device too.
    """
    for attempt in range(transport.attempts):
        try:
            _take(store, transport, scope_id)
        except UnreachableError:
            if attempt + 1 == transport.attempts:
                raise
            transport.wait(attempt)
        except RefusedError as refusal:
            if refusal.status == 401 and attempt == 0:
                identity.refresh(store, transport)
            elif refusal.slug == "cursor-expired" or (refusal.status == 400 and _begun(store, scope_id)):
                begin_again(store, scope_id)  # the server has begun another history since: what was staged is of the old one
            elif refusal.status in {429, 503} and attempt + 1 < transport.attempts:
                transport.wait(attempt, least=3.0)
            else:
                identity.heed(store, transport, refusal)
                raise
        else:
            return
    raise UnreachableError(f"the snapshot of {scope_id} did not come to its end")


def begin_again(store: Store, scope_id: int, *, address: str = "") -> None:
    """Want a snapshot from its beginning, of everything in the grid unless the address that the server gave says otherwise."""
    asked = dict(parse_qsl(urlsplit(address).query))
    history.begin_again(store, scope_id, start=asked.get("start"), kinds=asked.get("kinds"))


def _begun(store: Store, scope_id: int) -> bool:
    found = store.one("SELECT start FROM scope WHERE scope_id = ?", scope_id)
    return found is not None and found[0] is not None


def _take(store: Store, transport: Transport, scope_id: int) -> None:
    found = store.one("SELECT start, after, kinds FROM scope WHERE scope_id = ?", scope_id)
    assert found is not None
    asked = {name: value for name, value in zip(("start", "after", "kinds"), found, strict=True) if value is not None}
    path = f"/v1/sync/snapshot/{scope_id}" + (f"?{urlencode(asked)}" if asked else "")
    held: list[bytes] = []
    with transport.lines(path, identity.known(store)) as lines:
        for text in lines:
            if text.startswith(ROW):
                held.append(text)
                continue
            match json.loads(text.decode(errors="replace")):
                case {"type": "begin", "start_cursor": str(start), "epoch": str(epoch)}:
                    with store.transaction():
                        history.recognise(store, epoch, arriving=scope_id)
                        store.run("UPDATE scope SET start = ? WHERE scope_id = ?", start, scope_id)
                case {"type": "mark", "after": str(after), "crc32": int(told)} if told == _sum(held, after):
                    _stage(store, scope_id, held, after=after)
                case {"type": "end", "cursor": str(cursor), "crc32": int(told)} if told == _sum(held, cursor):
                    _stage(store, scope_id, held, after=None)
                    _show(store, scope_id, cursor)
                    return
                case _:
                    raise UnreachableError("a line of the snapshot was damaged on its way")
    raise UnreachableError("the snapshot ended without its last line")


def _sum(held: Sequence[bytes], said: str) -> int:
    """Of the rows since the last mark and of what the line itself says: they are kept before the stream has shown that it is whole."""
    summed = 0
    for text in held:
        summed = crc32(text + b"\n", summed)
    return crc32(said.encode(), summed)


def _stage(store: Store, scope_id: int, held: list[bytes], *, after: str | None) -> None:
    rows: list[tuple[Any, ...]] = [
        (scope_id, line["kind"], line["id"], line["version"], json.dumps(line["data"], ensure_ascii=False))
        for line in map(json.loads, held)
    ]
    with store.transaction():
        store.many("INSERT OR REPLACE INTO arriving VALUES (?, ?, ?, ?, ?)", rows)
        if after is not None:
            store.run("UPDATE scope SET after = ? WHERE scope_id = ?", after, scope_id)
    held.clear()


def _show(store: Store, scope_id: int, cursor: str) -> None:
    """The rows become what is shown, and pulls go on from the cursor that the snapshot began with."""
    with store.transaction():
        found = store.one("SELECT kinds FROM scope WHERE scope_id = ?", scope_id)
        assert found is not None
        kinds = None if found[0] is None else found[0].split(",")
        replace_scope(store, scope_id, era=store.number("era"), kinds=kinds)
        store.run(
            "UPDATE scope SET state = CASE state WHEN 'leaving' THEN state ELSE 'live' END, cursor = ?, ahead = NULL,"
            " start = NULL, after = NULL, kinds = NULL WHERE scope_id = ?",
            *(cursor, scope_id),
        )
