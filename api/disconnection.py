"""Nobody waits for an answer to a client who has gone."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")

PATIENCE: Final = 0.02
"""Seconds."""


async def unless_gone(request: Request, work: Awaitable[Result]) -> Result:
    """The result of `work`, which is cancelled when the client hangs up; a query under way is cancelled in PostgreSQL too.

    Raises ClientDisconnect then. For requests without a body. Only who has waited for `PATIENCE` is watched: most are answered by then,
    and a watcher costs more than their answer.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    watching: list[asyncio.Task[None]] = []
    seen: list[BaseException] = []

    def leave(watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled():
            seen.append(watcher.exception() or ClientDisconnect())
            task.cancel()

    def watch() -> None:
        watching.append(loop.create_task(_hang_up(request)))
        watching[0].add_done_callback(leave)

    waiting = loop.call_later(PATIENCE, watch)
    try:
        return await work
    except asyncio.CancelledError:
        if seen and not task.uncancel():
            raise seen[0] from None
        raise
    finally:
        waiting.cancel()
        for watcher in watching:
            watcher.remove_done_callback(leave)
            watcher.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
