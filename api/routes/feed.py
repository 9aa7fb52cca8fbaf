"""/v1/sync, what a handheld reads: pull, snapshot, verify, and the poke that says when to pull."""

import datetime as dt
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from api.compression import GzipRoute, packed, packed_pieces, takes_gzip
from api.dependencies import Parts, PartsDep
from api.device_access import DEVICE_PROBLEMS, ActiveDeviceDep, DeviceDep, SchemaDep
from api.disconnection import unless_gone
from api.ogc.chunks import ChunkResponse
from api.problems import declares
from api.schemas.base import AreaId
from api.schemas.feed import Migration, Pull, Pulled, Verified, Verify
from gridmgmt.database import Actor
from gridmgmt.errors import DistrictError, InvalidError
from gridmgmt.sync import feed, snapshot
from gridmgmt.sync.feed import STATE, Asked, State
from gridmgmt.sync.kinds import ORDER
from gridmgmt.sync.standing import require_standing
from gridmgmt.sync.verifying import Claim, verify

NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"
ALIVE: Final = 15.0
"""Seconds after which a listener who hears nothing gets a comment."""
RECHECKED: Final = 60.0
"""Seconds after which is looked again whether a listener still may listen, and to what."""

router = APIRouter(prefix="/v1/sync", tags=["sync"], route_class=GzipRoute, responses=declares(*DEVICE_PROBLEMS))
READS = declares(*DEVICE_PROBLEMS, "device-draining", "invalid-value", "too-large", "unsupported-media-type")


@router.post("/pull", response_class=Response, responses={200: {"model": Pulled, "description": "What happened"}, **READS})
async def pull(request: Request, parts: PartsDep, device: ActiveDeviceDep, schema: SchemaDep, body: Pull) -> Response:
    """What happened in the handheld's grids since their cursors. `acked_seq` is the newest own mutation that is in it."""
    asked = [Asked(one.scope_id, one.cursor) for one in body.scopes]
    changed = _kinds_of(body.migration)
    limits = parts.settings.sync
    await feed.open_reading(parts.database, device.actor, "pull", [one.scope for one in asked])

    async def look() -> feed.Pulled:
        limit = min(body.limit, limits.pull_items)
        return await feed.pull(
            parts.database, device.actor, parts.feed, asked, limit=limit, size=limits.pull_bytes, schema=schema, changed=changed
        )

    pulled = await look()
    if body.wait_s and pulled.is_silent:
        request.state.turn.give_up()
        until = time.monotonic() + body.wait_s
        with (
            parts.listeners.taken(device.actor.device),
            parts.pokes.listening([one.scope for one in asked], pulled.state.horizon) as listener,
        ):
            while pulled.is_silent and (left := until - time.monotonic()) > 0:
                await unless_gone(request, listener.changes(left))
                pulled = await look()
    answer = pulled.json(parts.feed, now=dt.datetime.now(dt.UTC), device_status="active")
    return await packed(request, answer, JSON)


@router.get(
    "/snapshot/{scope}",
    response_class=Response,
    responses={
        200: {"content": {NDJSON: {}}, "description": "Lines begin, row, mark and end; without end it is not whole"},
        **READS,
        **declares("not-found", "cursor-expired"),
    },
)
async def read_snapshot(
    request: Request,
    parts: PartsDep,
    device: ActiveDeviceDep,
    schema: SchemaDep,
    scope: AreaId,
    after: Annotated[str | None, Query(max_length=100, description="The last mark, to go on behind it")] = None,
    start: Annotated[str | None, Query(max_length=500, description="The start_cursor of the snapshot that is gone on with")] = None,
    kinds: Annotated[str | None, Query(max_length=500, description="Only these kinds, with commas between")] = None,
) -> Response:
    """All that lives in a grid, as lines of JSON."""
    wanted = snapshot.read_kinds(kinds)
    behind = snapshot.read_after(after, wanted)

    async def pieces() -> AsyncGenerator[bytes]:
        with parts.snapshots.taken(device.actor.device):
            await feed.open_reading(parts.database, device.actor, "snapshot", [scope])
            begun = await snapshot.begin(
                parts.database, device.actor, parts.feed, scope, kinds=wanted, after=behind, start=start, schema=schema
            )
            async with aclosing(snapshot.lines(parts.database, device.actor, parts.feed, begun)) as lines:
                async for piece in lines:
                    yield piece

    headers = {"Vary": "Accept-Encoding"}
    chunks = await _begun(request, pieces())
    if takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        chunks = packed_pieces(chunks)
    return ChunkResponse(chunks, headers=headers, media_type=NDJSON)


@router.post(
    "/verify",
    response_class=Response,
    responses={
        200: {"model": Verified, "description": "How each scope compares"},
        **declares(*DEVICE_PROBLEMS, "invalid-value", "too-large", "unsupported-media-type"),
    },
)
async def verify_scopes(request: Request, parts: PartsDep, device: DeviceDep, _: SchemaDep, body: Verify) -> Response:
    """Compare what the handheld holds with the register, by count and checksum."""
    claims = [Claim(one.scope_id, one.cursor, one.count, one.checksum) for one in body.scopes]
    return await packed(request, await verify(parts.database, device.actor, parts.feed, claims), JSON)


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `poke`"}, **READS},
)
async def listen(request: Request, parts: PartsDep, device: ActiveDeviceDep, _: SchemaDep) -> Response:
    """Server-sent events: `poke` names the grids in which something happened, never what. Pull once after opening.

    Ends with the token.
    """
    token = request.headers["authorization"].partition(" ")[2].strip()
    request.state.turn.give_up()
    chunks = await _begun(request, _pokes(parts, device.actor, parts.tokens.ends(token)))
    return ChunkResponse(chunks, headers={"X-Accel-Buffering": "no"}, media_type="text/event-stream")


async def _pokes(parts: Parts, actor: Actor, ends: int) -> AsyncGenerator[bytes]:
    with parts.listeners.taken(actor.device):
        state = await _standing(parts, actor)
        yield b": pull once now\n\n"
        while state is not None:
            known = state
            looked = time.monotonic()
            with parts.pokes.listening(known.grids, known.horizon) as listener:
                while state is not None and state.grids == known.grids:
                    changed = await listener.changes(max(0.0, min(ALIVE, ends - time.time())))
                    if time.time() >= ends:
                        return
                    if changed or time.monotonic() >= looked + RECHECKED:
                        state, looked = await _standing(parts, actor), time.monotonic()
                    if state is not None:
                        # what was lost or gained is to be looked at too
                        named = sorted((changed & state.grids) | (known.grids ^ state.grids))
                        yield b'event: poke\ndata: {"scopes":%b}\n\n' % str(named).encode() if named else b": still here\n\n"


async def _standing(parts: Parts, actor: Actor) -> State | None:
    """Where the feed stands for the actor, None when it gives the actor nothing any more."""
    try:
        if await require_standing(parts.database, actor) != "active":
            return None
        [told] = await parts.database.read(actor, STATE)
    except DistrictError:
        return None
    return State.of(told)


async def _begun(request: Request, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same pieces, of which the first is there: what is refused before it becomes a problem, not a broken answer."""
    first = await unless_gone(request, anext(chunks))

    async def all_of_them() -> AsyncGenerator[bytes]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return all_of_them()


def _kinds_of(migration: Migration | None) -> Sequence[str]:
    """The kinds that a migration names, in the order of a snapshot."""
    if migration is None:
        return ()
    named = {*migration.tables, *(one.table for one in migration.columns)}
    if unknown := sorted(named - set(ORDER)):
        raise InvalidError(f"there is no kind {unknown[0][:40]}", field="migration")
    return tuple(kind for kind in ORDER if kind in named)
