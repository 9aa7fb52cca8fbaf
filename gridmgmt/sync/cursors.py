"""Where a device stands in the feed of a scope: signed, opaque, and no permission. Rights are looked at with every call.

A cursor is `base64url(JSON {"v":1,"e":epoch,"s":scope,"x":xid,"q":seq,"k":schema}).mac`, without padding, the mac being 16 hex digits of
HMAC-SHA-256. It says: everything of this scope up to and with (xid, seq) is known.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gridmgmt.errors import InvalidError

END: Final = 2**63 - 1
"""Higher than the number of any pointer: stands behind all pointers of its transaction."""
HIGHEST: Final = 2**64 - 1
LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the feed of one scope. The order of cursors of an epoch is that of (xid, seq)."""

    epoch: str
    scope: int
    xid: int
    seq: int
    schema: int

    def after(self, xid: int, seq: int) -> "Cursor":
        """The same scope and epoch, further on."""
        return Cursor(self.epoch, self.scope, xid, seq, self.schema)


@dataclass(frozen=True, slots=True)
class Shown:
    """A cursor as somebody showed it, and whether it was made here. One that was not may be of a time when there was another key."""

    cursor: Cursor
    proven: bool


class FeedCursors:
    """Makes and reads cursors. All processes of an installation share the secret."""

    def __init__(self, secret: bytes) -> None:
        """The secret may serve something else too: a key of its own is derived from it."""
        self._key = hmac.digest(secret, b"gridmgmt sync cursor", "sha256")

    def seal(self, cursor: Cursor) -> str:
        """The text of a cursor."""
        told = {"v": 1, "e": cursor.epoch, "s": cursor.scope, "x": str(cursor.xid), "q": cursor.seq, "k": cursor.schema}
        body = base64.urlsafe_b64encode(orjson.dumps(told)).rstrip(b"=")
        return f"{body.decode()}.{self._mac(body)}"

    def read(self, scope: int, text: str) -> Shown:
        """The cursor in a text that was shown for `scope`.

        Raises InvalidError (malformed-request) naming the scope for what is no cursor, or one of another scope. An unproven one is
        to be refused too, unless it turns out to be of another epoch: a restored register has another key.
        """
        body, dot, mac = text.partition(".")
        told = _decoded(body) if dot and len(text) <= LONGEST and text.isascii() else None
        match told:
            case {"v": 1, "e": str(epoch), "s": int(named), "x": str(xid), "q": int(seq), "k": int(schema)} if (
                xid.isdecimal() and int(xid) <= HIGHEST and 0 <= seq <= END and named == scope
            ):
                proven = hmac.compare_digest(self._mac(body.encode()), mac)
                return Shown(Cursor(epoch, named, int(xid), seq, schema), proven)
            case _:
                raise refused(scope)

    def _mac(self, body: bytes) -> str:
        return hmac.new(self._key, body, hashlib.sha256).hexdigest()[:16]


def refused(scope: int) -> InvalidError:
    """What is told to whoever shows a cursor that was not made for the scope."""
    return InvalidError(f"the cursor of scope {scope} was not made for it", slug="malformed-request", field="scopes", scope_id=scope)


def _decoded(body: str) -> Any:
    try:
        return orjson.loads(base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
