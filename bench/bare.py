"""The least that Python does for an answer: each address stands for a statement, which is sent with a signed context, and its bytes go out.

No token is read, no parameter looked at, nothing counted, linked, tagged or written beside what PostgreSQL built. What `gridmgmt serve`
needs beyond that is ours; what is missed here as well is out of reach of Python's HTTP.
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.cases import cases
from bench.requests import WORKERS, started
from bench.stage import Stage
from gridmgmt.database import Database
from gridmgmt.operations.operator import reach
from gridmgmt.security.accounts import known_as
from gridmgmt.security.context import signer
from gridmgmt.security.keys import load_keys
from gridmgmt.settings import load_settings

JSON: Final = (b"content-type", b"application/geo+json")
PROGRAM: Final = ("-m", "uvicorn", "--factory", "bench.bare:create", "--http", "api.joining:JoiningProtocol", "--no-access-log")


def create() -> ASGIApp:
    """The application over the cases of bench/cases.py; any other address has an empty answer."""
    settings = load_settings()
    keys, place = load_keys(settings), reach(settings)
    database = Database(place, signer(keys.context_kid, keys.context), pool_size=settings.database.pool_size)
    actor = known_as(database, "district")
    with psycopg.connect(place.conninfo("postgres")) as superuser:
        statements = {path: one for case in cases(superuser) for path, one in zip(case.ours, case.statements, strict=True)}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path, query = scope["path"], scope["query_string"].decode()
        wanted = statements.get(f"{path}?{query}" if query else path)
        body = b""
        if wanted is not None:
            [[(built, *_)]] = await database.read(actor, wanted)
            body = built or b""
        await send({"type": "http.response.start", "status": 200, "headers": [JSON, (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    return answer


@contextmanager
def bare(stage: Stage) -> Generator[tuple[int, int]]:
    """Port and process of it, with as many workers as ours."""
    environment = os.environ | {"GRIDMGMT_HOME": str(stage.settings.places.home), "GRIDMGMT_DEMO_MODE": "true"}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    words = [sys.executable, *PROGRAM, "--lifespan", "off", "--log-level", "error", "--workers", str(WORKERS), "--port"]
    with started(words, environment, "/") as (port, pid):
        yield port, pid
