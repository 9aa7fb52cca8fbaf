"""Photos: sent in pieces by tus 1.0 (https://tus.io/protocols/resumable-upload), from where the server has them to their end.

The device chooses the id, so a record can name a photo before a byte of it is sent.
"""

import base64
import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from clients.handheld import identity
from clients.handheld.clock import Clock, new_id
from clients.handheld.outbox import RecordError
from clients.handheld.store import Store
from clients.handheld.transport import RefusedError, Transport

PIECE: Final = 512 * 1024
OFFSET: Final = "upload-offset"
"""The header that says how far the server has a photo."""
SPEAKS: Final = {"Tus-Resumable": "1.0.0"}
BEGUN: Final = frozenset({"id-taken", "too-large", "invalid-value"})
ENDED: Final = frozenset({"file-refused"})
"""Refusals of the first request and of the last piece that are about the file itself, so that sending it again changes nothing."""
LATER: Final = frozenset({404, 409, 410, 413, 415, 422})
"""Other refusals of one photo: a later meeting may not meet them."""


class FinalError(Exception):
    """This photo will never be taken."""


def attach(store: Store, clock: Clock, kind: str, entity: str, content: bytes, *, filetype: str = "image/jpeg") -> str:
    """Keep a photo for sending; the id by which the record about it names it (`files`). Raises RecordError."""
    photo = new_id(clock.now())
    with store.transaction():
        if store.ended:
            raise RecordError("this device was emptied: no photo of it would be sent")
        store.run("INSERT INTO photo (id, kind, entity, content, filetype) VALUES (?, ?, ?, ?, ?)", photo, kind, entity, content, filetype)
    return photo


def send(store: Store, transport: Transport) -> int:
    """Send what waits; how many photos came to their end. One that is refused for good is kept with the reason and stops no other.

    Raises RefusedError for what is not about one photo, and UnreachableError; those that did not come to their end are kept then.
    """
    done = 0
    for (photo,) in store.all("SELECT id FROM photo WHERE refused IS NULL ORDER BY id"):
        try:
            _send(store, transport, photo)
        except FinalError as error:
            with store.transaction():
                store.run("UPDATE photo SET refused = ? WHERE id = ?", str(error), photo)
        except RefusedError as refusal:
            if refusal.status not in LATER:
                raise
        else:
            done += 1
            with store.transaction():
                store.run("DELETE FROM photo WHERE id = ?", photo)
    return done


def _send(store: Store, transport: Transport, photo: str) -> None:
    found = store.one("SELECT kind, entity, content, filetype FROM photo WHERE id = ?", photo)
    assert found is not None
    kind, entity, content, filetype = found
    offset = _offset(store, transport, photo)
    if offset is None:
        said = {"id": photo, "filetype": filetype, "kind": kind, "entity": entity, "sha256": hashlib.sha256(content).hexdigest()}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        headers = SPEAKS | {"Upload-Length": str(len(content)), "Upload-Metadata": metadata}
        with _final(BEGUN):
            told = identity.call(store, transport, "POST", "/v1/files", headers=headers, number=OFFSET)
        offset = int(told.headers[OFFSET])
    while offset < len(content):
        piece = content[offset : offset + PIECE]
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        headers = {"Upload-Offset": str(offset), "Upload-Checksum": f"sha256 {digest}", "Content-Type": "application/offset+octet-stream"}
        try:
            with _final(ENDED):
                told = identity.call(store, transport, "PATCH", f"/v1/files/{photo}", body=piece, headers=SPEAKS | headers, number=OFFSET)
        except RefusedError as refusal:
            if refusal.slug not in {"offset-mismatch", "checksum-mismatch"}:
                raise
            offset = _offset(store, transport, photo) or 0  # the answer about a piece was lost, or the piece was
        else:
            offset = int(told.headers[OFFSET])


@contextmanager
def _final(slugs: frozenset[str]) -> Generator[None]:
    """Raises FinalError for one of these refusals."""
    try:
        yield
    except RefusedError as refusal:
        if refusal.slug in slugs:
            raise FinalError(str(refusal)) from refusal
        raise


def _offset(store: Store, transport: Transport, photo: str) -> int | None:
    """How far the server has it; None when it does not know it, or gave it up while the device was away: then it is begun anew.

    A refusal of HEAD has no body that says why: where it may be about the device, the next request is answered with one.
    """
    try:
        told = identity.call(store, transport, "HEAD", f"/v1/files/{photo}", headers=SPEAKS, number=OFFSET)
    except RefusedError as refusal:
        if refusal.status in {403, 404, 410}:
            return None
        raise
    return int(told.headers[OFFSET])
