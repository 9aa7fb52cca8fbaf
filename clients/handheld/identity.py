"""Who the device is: its key, its tokens, what it does when they end, and how it forgets everything.

The private key never leaves the device; on a real terminal it lies in the keystore and only signs.
"""

import base64
import datetime as dt
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clients.handheld.clock import Clock
from clients.handheld.store import Store
from clients.handheld.transport import Answer, RefusedError, Transport

SCHEMA: Final = 1
"""Version of what travels that this client speaks."""
APP: Final = "reference/1"
UNSENT: Final = "SELECT 1 FROM mutation WHERE state = 'queued' UNION ALL SELECT 1 FROM photo WHERE refused IS NULL"
LEASE: Final = 7 * 86_400
"""Seconds without the server after which the data are locked, unless the server's limits say another number of days."""


class WipedError(Exception):
    """The server ordered this device wiped, and it is."""


class LockedError(Exception):
    """The device was away from the server for longer than its lease: nothing is shown until it has been back."""


def enrol(store: Store, transport: Transport, code: str, *, label: str) -> None:
    """Let the device in by a one-time code. After a lost answer the same call goes on where it was: key and request are kept first.

    A key belongs to one device of the server's: one that was wiped comes in with another, and so does one whose earlier code was
    perhaps taken.
    """
    if store.get("state") == "wiping":
        with suppress(RefusedError):  # whatever the server thinks of the device that this one was: it is empty
            finish_wipe(store, transport)
    with store.transaction():
        fresh = store.get("enrol_code") != code
        if store.get("device_key") is None or store.ended or (fresh and store.get("device_id") is None):
            store.put(device_key=Ed25519PrivateKey.generate().private_bytes_raw().hex(), state="new", device_id=None)
        if fresh:
            store.put(enrol_code=code, enrol_key=uuid.uuid4())
    public = _base64url(_key(store).public_key().public_bytes_raw())
    body = {
        "code": code,
        "public_key": public,
        "label": label,
        "app_version": APP,
        "schema_version": SCHEMA,
        "signature": _sign(store, f"enrol|{code}|{public}"),
    }
    headers = {"Idempotency-Key": store.get("enrol_key") or ""}
    told = transport.send("POST", "/v1/devices/enrol", body=json.dumps(body), headers=headers).json()
    with store.transaction():
        store.put(device_id=told["device_id"], state="active", site=transport.site, enrol_code=None, enrol_key=None)
        _take_tokens(store, told)


def call(
    store: Store,
    transport: Transport,
    method: str,
    path: str,
    *,
    body: str | bytes | None = None,
    headers: Mapping[str, str] | None = None,
    number: str | None = None,
) -> Answer:
    """One request as the device. A token that ended is renewed once. `number` is the header that the answer must have.

    Raises RefusedError, UnreachableError, and WipedError after the order to wipe was carried out.
    """
    require_unwiped(store)
    for fresh in (False, True):
        try:
            answer = transport.send(method, path, body=body, headers=known(store) | dict(headers or {}), number=number)
        except RefusedError as refusal:
            if refusal.status == 401 and not fresh:
                refresh(store, transport)
                continue
            heed(store, transport, refusal)
            raise
        return answer
    raise AssertionError("the second round returns or raises")


def require_unwiped(store: Store) -> None:
    """Raises WipedError after a wipe: nothing is left to show or to send."""
    if store.get("state") == "wiped":
        raise WipedError("this device was wiped; enrol it again")


def known(store: Store) -> dict[str, str]:
    """The headers by which the device is known."""
    return {
        "Authorization": f"Bearer {store.get('access_token') or ''}",
        "X-Device-Id": store.get("device_id") or "",
        "X-Schema-Version": str(SCHEMA),
    }


def refresh(store: Store, transport: Transport) -> None:
    """Get another access token. The new refresh token is kept before it is used; until then the old one is still good."""
    device, token = store.get("device_id"), store.get("refresh_token")
    body = {"device_id": device, "refresh_token": token, "signature": _sign(store, f"token|{device}|{token}")}
    try:
        told = transport.send("POST", "/v1/devices/token", body=json.dumps(body)).json()
    except RefusedError as refusal:
        heed(store, transport, refusal)
        raise
    with store.transaction():
        _take_tokens(store, told)


def heed(store: Store, transport: Transport, refusal: RefusedError) -> None:
    """What a refusal says about the device itself: revoked, and everything goes now; draining, and it goes after the last push."""
    if refusal.slug == "device-revoked":
        wipe(store, transport)
        raise WipedError("the server revoked this device")
    if refusal.slug == "device-draining":
        with store.transaction():
            store.put(state="draining")


def wipe(store: Store, transport: Transport, *, drained: bool = False) -> bool:
    """Delete everything, then say so; the key goes last, because it signs the word. Said again at the next start if nobody heard it.

    What was not sent goes too, unless the device is `drained`: then False, and nothing is deleted, while anything waits.
    """
    if not store.wipe(unless=UNSENT if drained else None):
        return False
    finish_wipe(store, transport)
    return True


def finish_wipe(store: Store, transport: Transport) -> None:
    """What is left to do of a wipe when everything is deleted; the program may have been ended since."""
    store.finish_wipe()
    acknowledge_wipe(store, transport)


def acknowledge_wipe(store: Store, transport: Transport) -> None:
    """Tell the server that nothing is left. No token is needed: a revoked device has none.

    One that was let live again meanwhile is answered that nobody wants it wiped: it is all the same, and comes in anew.
    """
    device, at = store.get("device_id"), dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    body = {"device_id": device, "at": at, "signature": _sign(store, f"wipe-ack|{device}|{at}")}
    try:
        transport.send("POST", "/v1/sync/wipe-ack", body=json.dumps(body))
    except RefusedError as refusal:
        if refusal.slug != "state-step":
            raise
    with store.transaction():
        store.put(state="wiped", device_key=None)
    store.shrink()


def in_touch(store: Store, clock: Clock) -> None:
    """The server was reached just now: the lease begins again. Both clocks are kept, so that turning one back gains nothing."""
    store.put(touched_at=clock.now().timestamp(), touched_mono=clock.mono_ms(), touched_boot=clock.boot_id)


def check_lease(store: Store, clock: Clock) -> None:
    """Raises LockedError when the device was away for too long, or its wall clock stands a day before the last contact."""
    by_the_wall = clock.now().timestamp() - float(store.get("touched_at") or 0)
    by_the_counter = (clock.mono_ms() - store.number("touched_mono")) / 1000 if store.get("touched_boot") == clock.boot_id else 0.0
    lease = store.number("offline_days") * 86_400 or LEASE
    if max(by_the_wall, by_the_counter) > lease or by_the_wall < -86_400:
        raise LockedError("this device was away from the server for too long; connect it, then the data are shown again")


def _take_tokens(store: Store, told: Mapping[str, Any]) -> None:
    store.put(refresh_token=told["refresh_token"], access_token=told["access_token"])


def _key(store: Store) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(store.get("device_key") or ""))


def _sign(store: Store, text: str) -> str:
    return _base64url(_key(store).sign(text.encode()))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
