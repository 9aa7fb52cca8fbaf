"""Bodies that travel as gzip: handhelds speak over slow networks, and JSON shrinks to a sixth."""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from api.lists import whole
from api.problems import RequestError
from api.routing import DistrictRoute, Handler

LEVEL: Final = 3
"""A tenth larger than zlib's usual level, in a third of the time; from level 4 on it searches twice."""
SMALL: Final = 1_000
"""Bytes that are sent as they are."""
LONG: Final = 65_536
"""Bytes from which on compressing is another thread's work."""
_GZIP: Final = 31
"""zlib's word for a window of 32 KiB in gzip's clothes."""


class GzipRoute(DistrictRoute):
    """A route whose clients may send `Content-Encoding: gzip`. Other encodings are refused (415)."""

    def get_route_handler(self) -> Handler:
        """The handler, which sees the body as it was before it was packed."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            encoding = request.headers.get("content-encoding", "identity").strip().lower()
            if encoding == "identity":
                return await answer(request)
            if encoding != "gzip":
                raise RequestError("unsupported-media-type", "the body may be packed as gzip only", headers={"Accept-Encoding": "gzip"})
            return await answer(await _unpacked(request, request.app.state.parts.settings.sync.push_inflated))

        return handle


def takes_gzip(request: Request) -> bool:
    """Whether the client takes gzip, or any encoding."""
    for word in (whole(request.headers, "accept-encoding") or "").lower().split(","):
        name, _, weight = word.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


async def packed(request: Request, body: bytes, media_type: str) -> Response:
    """The body as an answer, as gzip where the client takes it and it is worth it."""
    headers = {"Vary": "Accept-Encoding"}
    if len(body) > SMALL and takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        body = await run_sync(_pack, body) if len(body) >= LONG else _pack(body)
    return Response(body, headers=headers, media_type=media_type)


async def packed_pieces(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The pieces as one gzip stream, of which each can be unpacked as soon as it is there."""
    packer = zlib.compressobj(LEVEL, wbits=_GZIP)

    def pack(piece: bytes) -> bytes:
        return packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)

    async with aclosing(pieces):
        async for piece in pieces:
            yield await run_sync(pack, piece) if len(piece) >= LONG else pack(piece)
        yield packer.flush()


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=_GZIP)
    return packer.compress(body) + packer.flush()


async def _unpacked(request: Request, most: int) -> Request:
    """The same request with the body inside. Raises RequestError for what is no gzip, or more than `most` bytes of it."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(await request.body(), most + 1)
    except zlib.error:
        raise RequestError("malformed-request", "the body is not gzip", field="body") from None
    if len(body) > most:
        raise RequestError("too-large", f"a body has at most {most} bytes when it is unpacked", max_bytes=most)
    if not unpacker.eof or unpacker.unused_data:
        raise RequestError("malformed-request", "the gzip of the body is cut off, or something follows it", field="body")
    rest = request.receive
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await rest()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [header for header in request.scope["headers"] if header[0] not in {b"content-encoding", b"content-length"}]
    return Request({**request.scope, "headers": headers}, receive)
