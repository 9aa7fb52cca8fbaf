"""Nobody waits for an answer to a client who has gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled when the client hangs up; a query under way is cancelled in PostgreSQL too.

    Raises ClientDisconnect then. For requests without a body.
    """
    working, watching = asyncio.create_task(work), asyncio.create_task(_hang_up(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        watching.result()
        raise ClientDisconnect
    finally:
        watching.cancel()
        if working.cancel():
            await asyncio.wait({working})


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
