"""`python -m clients.handheld`: a device to try by hand. Its file is `device.sqlite` in the folder given by --home."""

import argparse
import json
import os
import sys
from contextlib import closing
from pathlib import Path

from clients.handheld import identity, outbox, photos, rows
from clients.handheld.clock import SystemClock
from clients.handheld.store import Store, StoreError
from clients.handheld.sync import Handheld
from clients.handheld.transport import RefusedError, Transport, UnreachableError

REFUSALS = (
    StoreError,
    RefusedError,
    UnreachableError,
    identity.WipedError,
    identity.LockedError,
    outbox.RecordError,
    outbox.SequenceLostError,
)


def main(words: list[str] | None = None) -> int:
    """One command; 1 with one line when it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m clients.handheld", description="A handheld of a grid worker, to try by hand.")
    parser.add_argument("--home", type=Path, default=Path("handheld"), help="folder of the device's file (default: ./handheld)")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("enrol", help="let the device in by a one-time code")
    one.add_argument("site", help="for example http://127.0.0.1:8000")
    one.add_argument("code")
    one.add_argument("--label", default="reference client")
    one = commands.add_parser("sync", help="send what was recorded and take what changed")
    one.add_argument("--wait", type=int, default=0, help="seconds to wait for news, at most 25")
    one = commands.add_parser("list", help="rows of a kind")
    one.add_argument("kind")
    for name, more in (("create", "scope"), ("update", "id"), ("delete", "id")):
        one = commands.add_parser(name, help=f"record: {name} a row")
        one.add_argument("kind")
        one.add_argument(more, type=int if more == "scope" else str)
        if name != "delete":
            one.add_argument("values", type=json.loads, help='JSON, for example \'{"room": "302"}\'')
            one.add_argument("--photo", type=Path, action="append", default=[], help="a photo that belongs to it (JPEG)")
    commands.add_parser("inbox", help="conflicts and refusals that were not looked at")
    commands.add_parser("status", help="what the device holds")
    given = parser.parse_args(words)
    given.home.mkdir(parents=True, exist_ok=True)
    store = Store(given.home / "device.sqlite")
    try:
        _do(store, given)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough; without this Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except REFUSALS as error:
        print(f"handheld: {error}", file=sys.stderr)
        return 1
    finally:
        store.close()
    return 0


def _do(store: Store, given: argparse.Namespace) -> None:
    clock = SystemClock()
    if given.command == "enrol":
        with closing(Transport(given.site)) as transport:
            identity.enrol(store, transport, given.code, label=given.label)
        print(f"enrolled as {store.get('device_id')}")
        return
    if store.get("device_id") is None:
        raise outbox.RecordError("this device is not enrolled yet")
    identity.require_unwiped(store)
    if given.command == "sync":
        with closing(Transport(store.get("site") or "")) as transport:
            meeting = Handheld(store, transport, clock).sync(wait_s=given.wait)
        print(f"sent {meeting.sent}, received {meeting.received}, snapshots {meeting.snapshots}, left {meeting.left}")
        for letter in meeting.letters:
            print(_line(letter))
        if meeting.lost is not None:
            raise outbox.SequenceLostError(f"{meeting.lost}; nothing can be sent: show this to the administration, and keep the device")
        return
    identity.check_lease(store, clock)
    if given.command == "list":
        for row in rows.listed(store, given.kind):
            print(row.id, f"v{row.version}" + ("*" if row.pending else ""), json.dumps(row.data, ensure_ascii=False))
    elif given.command == "inbox":
        for letter in outbox.inbox(store):
            print(_line(letter))
    elif given.command == "status":
        for scope_id, state, name in store.all("SELECT scope_id, state, name FROM scope ORDER BY scope_id"):
            print(f"grid {scope_id} {name}: {state}, {rows.checksum(store, scope_id)[0]} rows")
        print(f"{outbox.waiting(store)} waiting, {len(outbox.inbox(store))} to look at, device {store.get('state')}")
    else:
        identity_given = None if given.command == "create" else given.id
        values = None if given.command == "delete" else given.values
        identity_given = identity_given or outbox.new_id(clock.now())
        files = [photos.attach(store, clock, given.kind, identity_given, path.read_bytes()) for path in getattr(given, "photo", [])]
        scope = given.scope if given.command == "create" else None
        made, seq = outbox.record(store, clock, given.command, given.kind, identity_given, scope_id=scope, values=values, files=files)
        print(f"recorded as number {seq}: {given.kind} {made}")


def _line(letter: outbox.Letter) -> str:
    problem = letter.result.get("problem", {})
    return (
        f"{letter.seq} {letter.result['status']} {letter.kind} {letter.id}: {problem.get('title', '')} {problem.get('detail', '')}".rstrip()
    )


if __name__ == "__main__":
    sys.exit(main())
