"""What the resumable uploads' protocol (tus 1.0.0, https://tus.io/protocols/resumable-upload) wants of headers and bodies.

Core and the extensions creation, checksum, expiration and termination. Routes are in api/routes/files.py, what they do in
gridmgmt/sync/files.py.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Annotated, Final
from uuid import UUID

import anyio
from fastapi import Depends, Header, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from api.problems import RequestError
from api.routing import PersonalRoute
from api.schemas.base import EntityId
from api.schemas.files import ByteCount, FileSaid
from gridmgmt.errors import InvalidError
from gridmgmt.models import File

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,checksum,expiration,termination"
ALGORITHMS: Final = ("sha256", "sha1")
MEDIA_TYPE: Final = "application/offset+octet-stream"
LONGEST: Final = 4096
"""Characters of Upload-Metadata."""
PATIENCE: Final = 30.0
"""Seconds without a byte, after which a sender is taken for gone."""


class TusRoute(PersonalRoute):
    """A route whose every answer, refusals too, says which version is spoken. All but reading a file is handing it in."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and say so."""

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"tus-resumable", VERSION.encode())]
            await send(message)

        scope["state"]["hands_in"] = scope["method"] != "GET" or scope["state"]["head"]
        await super().handle(scope, receive, saying)


async def _speak(tus_resumable: Annotated[str | None, Header(description="1.0.0")] = None) -> None:
    if tus_resumable != VERSION:
        raise RequestError("protocol-version", f"send Tus-Resumable: {VERSION}", field="Tus-Resumable", headers={"Tus-Version": VERSION})


SPEAKS: Final = Depends(_speak)
"""For routes of the protocol: 412 for who speaks another version, or none."""


@dataclass(frozen=True)
class Checksum:
    """What `Upload-Checksum` says of one body."""

    algorithm: str
    digest: bytes

    def check(self, data: bytes) -> None:
        """Raises RequestError (460) for other bytes."""
        if hashlib.new(self.algorithm, data, usedforsecurity=False).digest() != self.digest:
            raise RequestError(
                "checksum-mismatch", "the bytes that arrived have another checksum; nothing was kept", field="Upload-Checksum"
            )


def _checksum(
    upload_checksum: Annotated[str | None, Header(description="`sha256` or `sha1` and the digest in base64")] = None,
) -> Checksum | None:
    if upload_checksum is None:
        return None
    algorithm, _, digest = upload_checksum.partition(" ")
    if algorithm not in ALGORITHMS:
        raise RequestError("malformed-request", f"a checksum is one of {', '.join(ALGORITHMS)}", field="Upload-Checksum")
    try:
        return Checksum(algorithm, base64.b64decode(digest, validate=True))
    except (binascii.Error, ValueError):
        raise RequestError("malformed-request", "the digest is not base64", field="Upload-Checksum") from None


ChecksumDep = Annotated[Checksum | None, Depends(_checksum)]


def _metadata(
    upload_metadata: Annotated[
        str | None, Header(description="Pairs of a key and its value in base64: filename, filetype, kind, entity, id, sha256")
    ] = None,
) -> FileSaid:
    try:
        return FileSaid.model_validate(read_metadata(upload_metadata or ""))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "entity"
        raise InvalidError(str(first["msg"]).removeprefix("Value error, "), field=f"Upload-Metadata.{key}") from None


MetadataDep = Annotated[FileSaid, Depends(_metadata)]


def read_metadata(header: str) -> dict[str, str]:
    """The pairs of `Upload-Metadata`. Raises InvalidError for what is none."""
    if len(header) > LONGEST:
        raise InvalidError(f"metadata have at most {LONGEST} characters", field="Upload-Metadata")
    told: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else ():
        key, _, value = pair.strip().partition(" ")
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise InvalidError("a value is not UTF-8 in base64", field="Upload-Metadata") from None
        if not key or key in told:
            raise InvalidError("a key is missing or stands twice", field="Upload-Metadata")
        told[key] = text
    return told


def _as_metadata(said: Mapping[str, str]) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in sorted(said.items()))


async def _media_type(content_type: Annotated[str | None, Header(description=MEDIA_TYPE)] = None) -> None:
    if content_type is None or content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise RequestError("unsupported-media-type", f"send the bytes as {MEDIA_TYPE}", headers={"Accept-Patch": MEDIA_TYPE})


TAKES_BYTES: Final = Depends(_media_type)
OffsetDep = Annotated[ByteCount, Header(alias="Upload-Offset", description="Where the bytes begin")]
LengthDep = Annotated[ByteCount, Header(alias="Upload-Length", ge=1, description="Bytes of the whole file")]
DeviceDep = Annotated[EntityId | None, Header(alias="X-Device-Id", description="The handheld, as it calls itself")]


def progress(file: File, *, whole: bool = False) -> dict[str, str]:
    """Headers that tell how far a file has come; with `whole`, what HEAD tells besides."""
    headers = {"Upload-Offset": str(file.received)}
    if file.state == "open":
        headers["Upload-Expires"] = format_datetime(file.expires_at, usegmt=True)
    if whole:
        headers |= {"Upload-Length": str(file.length), "Cache-Control": "no-store"}
        headers |= {"Upload-Metadata": _as_metadata(file.said)} if file.said else {}
    return headers


def check_piece(size: int, *, left: int, least: int, most: int) -> None:
    """Whether a body of `size` bytes may be appended to a file that lacks `left`. Raises RequestError (413) and InvalidError."""
    if size > most:
        raise too_large(most)
    if size > left:
        raise RequestError("too-large", f"the file lacks {left} bytes", field="body")
    if 0 < size < min(least, left):  # nothing at all is appended too
        raise InvalidError(f"a piece has at least {least} bytes, except the last", field="body")


def too_large(most: int) -> RequestError:
    """The refusal of a piece that is larger than pieces are."""
    return RequestError("too-large", f"a piece has at most {most} bytes", field="body", headers={"Connection": "close"})


async def receive(request: Request, most: int, *, patience: float = PATIENCE) -> tuple[bytes, Exception | None]:
    """The bytes of a body, and why they are not all: the sender hung up, or sent nothing for `patience` seconds (408).

    Raises RequestError (413) after `most` bytes. A second call gives the same: the route may be tried again.
    """
    if not hasattr(request.state, "piece"):
        data, coming = bytearray(), aiter(request.stream())
        cut: Exception | None = None
        try:
            while True:
                with anyio.fail_after(patience):
                    part = await anext(coming)
                data += part
                if len(data) > most:
                    raise too_large(most)
        except StopAsyncIteration:
            pass
        except ClientDisconnect as error:
            cut = error
        except TimeoutError:
            cut = RequestError("too-slow", f"nothing came for {patience:.0f} seconds", headers={"Connection": "close"})
        request.state.piece = (bytes(data), cut)
    piece: tuple[bytes, Exception | None] = request.state.piece
    return piece


def location(request: Request, identifier: UUID) -> str:
    """Where a file that was begun by a POST is appended to."""
    return f"{request.url.path}/{identifier}"
