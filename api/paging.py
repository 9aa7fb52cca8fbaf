"""Keyset pages: the next begins after the last row, never at an offset, so a page costs the same at the end as at the beginning.

A cursor holds the sort key of the last row, which may be a name. So it is sealed, not just encoded: it tells nothing to whoever reads
the address, fits only the list it was made for, in its order and with its filters, and a made-up one is refused. The same key always
gives the same cursor, because pages carry strong entity tags, which promise the same bytes (AES-SIV, RFC 5297, is made for that).
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from fastapi import Depends, Query, Request, Response
from pydantic import Field

from api.schemas.base import Whole
from gridmgmt.errors import InvalidError

DEFAULT: Final = 100
LARGEST: Final = 1000

BESIDE: Final = frozenset({"limit", "cursor", "count", "crs", "properties", "f", "lang"})
"""Parameters that neither choose rows nor order them: the same list may be gone on with under others."""

Scalar = str | int | uuid.UUID | dt.datetime | dt.date
Row = TypeVar("Row")


class Cursors:
    """Seals and opens cursors. All processes of an installation share the secret."""

    def __init__(self, secret: bytes) -> None:
        """The secret may serve something else too: a key of its own is derived from it."""
        self._cipher = AESSIV(hmac.new(secret, b"gridmgmt cursor", hashlib.sha512).digest())

    def seal(self, listed: str, key: Sequence[Scalar]) -> str:
        """A cursor for the page that follows the row with this sort key, in the list that `name_of_list` names."""
        sealed = self._cipher.encrypt(orjson.dumps(list(key)), [listed.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, listed: str, cursor: str, *kinds: Callable[[Any], Scalar]) -> tuple[Any, ...]:
        """The sort key in a cursor, each part read by its kind (`uuid.UUID`, `str`, `int`, `dt.date.fromisoformat`).

        Raises InvalidError naming `cursor` for anything that was not made here for this list and key.
        """
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            key = orjson.loads(self._cipher.decrypt(sealed, [listed.encode()]))
        except (binascii.Error, ValueError, InvalidTag):
            raise _refused() from None
        if not isinstance(key, list) or len(key) != len(kinds):
            raise _refused()
        return tuple(kind(part) for kind, part in zip(kinds, key, strict=True))


def name_of_list(path: str, given: Iterable[tuple[str, str]]) -> str:
    """What a cursor is bound to: the path, and those of the parameters that choose and order its rows, in whatever order they stand."""
    chosen = sorted((name, value) for name, value in given if name not in BESIDE)
    return f"{path}?{urlencode(chosen)}" if chosen else path


class Page:
    """Which page a client asks for."""

    def __init__(self, request: Request, response: Response, limit: int, cursor: str | None) -> None:
        """Made by `PageDep`."""
        self.limit = limit
        self._request = request
        self._response = response
        self._cursor = cursor

    def after(self, *kinds: Callable[[Any], Scalar]) -> tuple[Any, ...] | None:
        """The sort key after which the page begins, None for the first page. Raises InvalidError naming `cursor`."""
        if self._cursor is None:
            return None
        return self._cursors.open(self._listed, self._cursor, *kinds)

    def show(self, rows: Sequence[Row], key: Callable[[Row], Sequence[Scalar]]) -> dict[str, Any]:
        """`items` and `next` of the answer, from `limit` rows and one more where a page follows; sets the Link header to it."""
        items = rows[: self.limit]
        if len(rows) <= self.limit:
            return {"items": items, "next": None}
        cursor = self._cursors.seal(self._listed, key(items[-1]))
        self._response.headers["Link"] = f'<{self._request.url.include_query_params(cursor=cursor)}>; rel="next"'
        return {"items": items, "next": cursor}

    @property
    def _listed(self) -> str:
        return name_of_list(self._request.url.path, self._request.query_params.multi_items())

    @property
    def _cursors(self) -> Cursors:
        return self._request.app.state.parts.cursors


async def _page(
    request: Request,
    response: Response,
    limit: Annotated[Annotated[Whole, Field(ge=1, le=LARGEST)], Query(description="Rows a page")] = DEFAULT,
    cursor: Annotated[str | None, Query(max_length=2000, description="`next` of the page before")] = None,
) -> Page:
    return Page(request, response, limit, cursor)


PageDep = Annotated[Page, Depends(_page)]
"""`limit` (1 to 1000, default 100) and `cursor`.

    rows = buildings.browse(session, actor, after=page.after(UUID), limit=page.limit)
    return page.show(rows, lambda row: (row.id,))     # response_model=Listing[BuildingShown]
"""


def _refused() -> InvalidError:
    return InvalidError("the cursor was not made for this list: begin again without one", field="cursor")
