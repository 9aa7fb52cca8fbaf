"""/v1/sync/push: what handhelds send. The envelope refuses the whole, a mutation only itself."""

import datetime as dt
from functools import partial
from typing import Any, Final

import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.types import Message

from api.clock import TodayDep
from api.compression import GzipRoute, packed
from api.dependencies import Parts, PartsDep, SealerDep
from api.device_access import DEVICE_PROBLEMS, DeviceDep, SentSchemaDep
from api.problems import RequestError, declares
from api.routing import Handler
from api.schemas.sync_push import Push, PushAnswer, dressed, read_items
from gridmgmt.errors import ConflictError
from gridmgmt.sync.clocks import Sending
from gridmgmt.sync.items import Batch
from gridmgmt.sync.push import Pushed, push

JSON: Final = "application/json"


class PushRoute(GzipRoute):
    """A route whose client is a program: an envelope that cannot be read is malformed, and one too large says how large it may be."""

    def get_route_handler(self) -> Handler:
        """The handler, whose refusals are named for the device."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            parts: Parts = request.app.state.parts
            parts.pushes.require_room()
            limits = parts.settings.sync
            size = 0

            async def counted() -> Message:
                nonlocal size
                message = await request.receive()
                size += len(message.get("body", b""))
                if size > limits.push_bytes:
                    raise _too_large(limits.push_mutations, limits.push_bytes)
                return message

            try:
                return await answer(Request(request.scope, counted))
            except RequestValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"][1:])[:200] or "body"
                raise RequestError("malformed-request", f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field) from None

        return handle


router = APIRouter(prefix="/v1/sync", tags=["sync"], route_class=PushRoute, responses=declares(*DEVICE_PROBLEMS))
PROBLEMS = ("sequence-gap", "push-in-progress", "batch-too-large", "too-large", "unsupported-media-type", "write-conflict", "invalid-value")


@router.post(
    "/push",
    response_class=Response,
    responses={200: {"model": PushAnswer, "description": "What became of each"}, **declares(*DEVICE_PROBLEMS, *PROBLEMS)},
)
async def push_mutations(
    request: Request, parts: PartsDep, device: DeviceDep, schema: SentSchemaDep, sealer: SealerDep, today: TodayDep, body: Push
) -> Response:
    """Take mutations in order, exactly once; answer when they are kept. A repetition is answered from the record."""
    limits = parts.settings.sync
    if len(body.mutations) > limits.push_mutations:
        raise _too_large(limits.push_mutations, limits.push_bytes)
    sending = Sending(dt.datetime.now(dt.UTC), body.sent_at_device, body.boot_id, body.mono_ms)

    def take() -> bytes:
        items = read_items(body.device_id, body.mutations, largest=limits.push_item_bytes)
        batch = Batch(body.device_id, body.batch_id, sending, items, body.app_version, schema)
        pushed = push(parts.database, device.actor, sealer, batch, today=today, demo=parts.settings.access.demo_mode)
        return _told(pushed)

    async with parts.pushes.taken():
        parts.pushed.take(device.actor.device)  # here, so that whoever was told to come back has lost nothing
        try:
            answer = await run_sync(partial(take))
        except ConflictError as error:
            if error.slug == "push-in-progress":
                raise RequestError(error.slug, error.detail, headers={"Retry-After": "2"}, retryable=True) from error
            raise
    return await packed(request, answer, JSON)


def _told(pushed: Pushed) -> bytes:
    results: list[dict[str, Any]] = []
    for result in pushed.results:
        problem = result.get("problem")
        results.append({**result, "problem": dressed(problem)} if problem else dict(result))
    return orjson.dumps({"server_time": dt.datetime.now(dt.UTC), "last_seq": pushed.last_seq, "results": results})


def _too_large(mutations: int, size: int) -> RequestError:
    return RequestError(
        "batch-too-large", f"at most {mutations} mutations and {size} bytes at once", max_mutations=mutations, max_bytes=size
    )
