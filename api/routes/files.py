"""/v1/files: photos and documents. They come in pieces by tus 1.0.0 (api/tus.py), over networks that break, and are read as a whole.

Personal data: photos show homes, and may hold where they were taken. Every look leaves its trace.
"""

from typing import Final
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from api.conditional import CACHED
from api.dependencies import REGISTER_ROLES, ActorDep, PartsDep, SessionDep, allow
from api.problems import declares
from api.schemas.base import EntityId
from api.schemas.files import FileShown
from api.tus import (
    ALGORITHMS,
    EXTENSIONS,
    SPEAKS,
    TAKES_BYTES,
    VERSION,
    ChecksumDep,
    DeviceDep,
    LengthDep,
    MetadataDep,
    OffsetDep,
    TusRoute,
    check_piece,
    location,
    progress,
    receive,
)
from gridmgmt.database import Actor, Database
from gridmgmt.models import File
from gridmgmt.sync import files
from gridmgmt.sync.contents import TYPES

router = APIRouter(
    prefix="/v1/files",
    tags=["file"],
    route_class=TusRoute,
    responses=declares("unauthenticated", "forbidden", "invalid-value"),
    dependencies=[Depends(allow(*REGISTER_ROLES))],
)
BYTES: Final = {200: {"content": {name: {"schema": {"type": "string", "format": "binary"}} for name in TYPES}}}
PIECE: Final = {
    "requestBody": {"required": True, "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.options("", status_code=204)
def tell_of_uploads(parts: PartsDep) -> Response:
    """Which version and extensions are spoken, and how large a file may be."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(parts.settings.uploads.upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    status_code=201,
    dependencies=[SPEAKS],
    responses=declares("protocol-version", "id-taken", "too-many-files", "too-large") | {201: {"description": "Location says where to"}},
)
def begin_file(
    request: Request, session: SessionDep, actor: ActorDep, parts: PartsDep, length: LengthDep, said: MetadataDep, device: DeviceDep = None
) -> Response:
    """Begin a file, to which its bytes are then appended. The same request twice begins one."""
    file = files.begin(
        session, actor, parts.settings.uploads, length=length, said=said.kept(), identifier=said.id,
        sha256=None if said.sha256 is None else bytes.fromhex(said.sha256), device=device,
    )  # fmt: skip
    return Response(status_code=201, headers={"Location": location(request, file.id), **progress(file)})


@router.patch(
    "/{id}",
    status_code=204,
    dependencies=[SPEAKS, TAKES_BYTES],
    responses=declares(
        "not-found",
        "protocol-version",
        "too-slow",
        "unsupported-media-type",
        "offset-mismatch",
        "gone",
        "too-large",
        "file-refused",
        "checksum-mismatch",
    ),
    openapi_extra=PIECE,
)
async def append_to_file(
    request: Request, parts: PartsDep, actor: ActorDep, id: EntityId, offset: OffsetDep, checksum: ChecksumDep
) -> Response:
    """Append a piece. Of a piece whose sender hangs up, what came is kept if it makes a piece; with a checksum, all or nothing is."""
    file = await run_sync(_awaiting, parts.database, actor, id, offset)
    rules = parts.settings.uploads
    sizes = {"left": file.length - file.received, "least": rules.upload_chunk_least, "most": rules.upload_chunk_most}
    if (announced := request.headers.get("content-length")) is not None:
        check_piece(int(announced), **sizes)
    data, cut = await receive(request, rules.upload_chunk_most)
    if cut is not None and (checksum is not None or len(data) < rules.upload_chunk_least):
        raise cut
    check_piece(len(data), **sizes)
    if checksum is not None:
        await run_sync(checksum.check, data)
    file = await run_sync(files.append, parts.database, actor, parts.stored, file, data, limiter=parts.storing)
    return Response(status_code=204, headers=progress(file))


@router.delete(
    "/{id}", status_code=204, dependencies=[SPEAKS], responses=declares("not-found", "protocol-version", "offset-mismatch", "kept", "gone")
)
def give_file_up(parts: PartsDep, actor: ActorDep, id: EntityId) -> Response:
    """Throw away what has arrived of a file. One that is complete is evidence, and stays."""
    files.give_up(parts.database, actor, parts.stored, id)
    return Response(status_code=204)


@router.get(
    "/{id}",
    response_class=StreamingResponse,
    responses={200: BYTES[200] | CACHED[200], 304: CACHED[304]} | declares("not-found", "protocol-version", "file-incomplete", "gone"),
)
def read_file(request: Request, session: SessionDep, actor: ActorDep, parts: PartsDep, id: EntityId) -> Response:
    """The bytes of a complete file. HEAD tells, by tus, how far an open one has come."""
    if request.state.head:
        return Response(headers=progress(files.find(session, id), whole=True))
    file = files.read(session, actor, id)
    headers = {
        "ETag": f'"{(file.sha256 or b"").hex()}"',
        "Content-Length": str(file.length),
        "Content-Disposition": _disposition(file),
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(parts.stored.read(file.id, file.objects), media_type=file.content_type, headers=headers)


@router.get("/{id}/info", response_model=FileShown, responses=declares("not-found"))
def read_file_info(session: SessionDep, actor: ActorDep, id: EntityId) -> object:
    """What is known of a file, whatever its state, and what it belongs to."""
    file, links = files.describe(session, actor, id)
    names = FileShown.model_fields.keys() - {"sha256", "filename", "filetype", "links"}
    told = {name: getattr(file, name) for name in names} | {name: file.said.get(name) for name in ("filename", "filetype")}
    return told | {"sha256": None if file.sha256 is None else file.sha256.hex(), "links": links}


def _awaiting(database: Database, actor: Actor, identifier: EntityId, offset: int) -> File:
    with database.transaction(actor) as session:
        return files.awaiting(session, actor, identifier, offset)


def _disposition(file: File) -> str:
    """The sender's name with the ending of what the file is (RFC 6266)."""
    ending = TYPES[file.content_type or ""]
    stem = str(file.said.get("filename", file.id)).rpartition(".")
    name = quote(f"{stem[0] or stem[2]}.{ending}", safe="")
    return f"attachment; filename=\"{file.id}.{ending}\"; filename*=UTF-8''{name}"
