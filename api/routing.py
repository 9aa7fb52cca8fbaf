"""The route class of every route: strict parameters and JSON, repeated when two writers collide, 304 when nothing is new.

A router takes it as `route_class=DistrictRoute`, or `PersonalRoute` where rows are personal data: refusals are audited there too.
"""

import json
import math
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Request, Response
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from api.conditional import has_current
from api.lists import whole
from api.problems import RequestError, status_of
from gridmgmt.database import PUBLIC, Actor, Database
from gridmgmt.errors import ConflictError, DistrictError, UnauthenticatedError
from gridmgmt.security.audit import record

TRIES: Final = 3
DEPTH: Final = 32
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OTHER = bytes(set(range(256)) - set(b"[]{}"))

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Result = TypeVar("Result")


class DistrictRoute(APIRoute):
    """A route that asks its client to be exact."""

    def get_route_handler(self) -> Handler:
        """FastAPI's own handler, wrapped."""
        answer = super().get_route_handler()
        known = {field.alias for field in get_flat_params(self.dependant) if isinstance(field.field_info, Query)}
        takes_json = self.body_field is not None

        async def handle(request: Request) -> Response:
            request.state.route = self.path
            _check_parameters(request, known)
            exact = StrictRequest(request.scope, request.receive)
            if takes_json and await exact.body():
                _check_media_type(exact)
                await exact.json()  # here, because FastAPI would hide what is wrong with it

            async def once() -> Response:
                # A stack of its own for each try: the session is committed inside, and a refused commit is tried again too.
                async with AsyncExitStack() as stack:
                    request.scope["fastapi_function_astack"] = stack
                    response = await answer(exact)
                return _unless_current(request, response)

            return await repeated(once)

        return handle


async def repeated(work: Callable[[], Awaitable[Result]]) -> Result:
    """The result of `work`, begun anew when it met another writer of the same rows."""
    for attempt in range(1, TRIES + 1):
        try:
            return await work()
        except ConflictError as error:
            if error.slug != "write-conflict" or attempt == TRIES:
                raise
            await anyio.sleep(random.uniform(0.005, 0.05) * attempt)  # noqa: S311 -- keeps two writers from meeting again
    raise AssertionError


class PersonalRoute(DistrictRoute):
    """A route to personal data. What it refuses leaves its trace, in a transaction of its own; what it grants is traced by the verb."""

    def get_route_handler(self) -> Handler:
        """The handler, watched."""
        answer = super().get_route_handler()
        noun = str(self.tags[0]) if self.tags else "person"

        async def handle(request: Request) -> Response:
            try:
                return await answer(request)
            except DistrictError as error:
                actor = getattr(request.state, "actor", PUBLIC)
                if actor is not PUBLIC and not isinstance(error, UnauthenticatedError) and status_of(error) < 500:
                    database = request.app.state.parts.database
                    refusal = Refusal(self.name, noun, request.path_params.get("id"), error.slug)
                    await run_sync(_record, database, actor, refusal)
                raise

        return handle


class StrictRequest(Request):
    """A request whose JSON is UTF-8, has no member twice, no number that is none, and no more than 32 levels."""

    async def json(self, *, measured: tuple[str, ...] | None = None) -> Any:
        """The body. Raises RequestError (400) naming the member to blame, or `body`.

        `measured` names a member whose reader tells better where a number is none: NaN and infinity may stand there.
        """
        if not hasattr(self, "_exact"):
            self._exact = _read_json(await self.body(), measured)
        return self._exact


class _JSONError(ValueError):
    """What Python would take for JSON."""


def _read_json(body: bytes, measured: tuple[str, ...] | None) -> Any:
    words: list[str] = []

    def no_number(word: str) -> float:
        words.append(word)
        return float(word)

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_members, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        # Of these alone the text quotes nothing that was sent.
        told = f": {error}" if isinstance(error, (json.JSONDecodeError, _JSONError)) else ""
        raise RequestError("malformed-request", f"the body is not valid JSON in UTF-8{told}", field="body") from error
    # Each pass takes the innermost brackets away, in C: 32 passes leave nothing of what is not too deep.
    brackets = _STRING.sub(b"", body).translate(_BRACKETS, delete=_OTHER)
    for _ in range(DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise RequestError("malformed-request", f"the body is nested deeper than {DEPTH} levels", field="body")
    for path in _endless(value) if words else ():
        if measured is None or path[: len(measured)] != measured:
            named = ".".join(path)[:100] or "body"
            raise RequestError("malformed-request", f"the body is not valid JSON: {words[0]} is no number", field=named)
    return value


def _endless(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a number is NaN or infinite."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _endless(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _endless(inner, (*path, str(place)))
    elif isinstance(value, float) and not math.isfinite(value):
        yield path


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _JSONError("a member stands twice in one object")
    return members


def _check_parameters(request: Request, known: set[str]) -> None:
    """A misspelt filter that is ignored answers another question than was asked."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            raise _parameter(request, name, "there is no such parameter")
        if name in seen:
            raise _parameter(request, name, "the parameter is given twice")
        seen.add(name)


def _parameter(request: Request, name: str, reason: str) -> RequestError:
    slug = "invalid-parameter" if request.url.path.startswith("/ogc") else "invalid-value"
    return RequestError(slug, reason, field=name[:100])


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise RequestError("unsupported-media-type", "send the body as application/json", headers={"Accept-Post": "application/json"})


def _unless_current(request: Request, response: Response) -> Response:
    current = response.headers.get("etag")
    if request.method not in {"GET", "HEAD"} or response.status_code != 200 or current is None:
        return response
    if not has_current(whole(request.headers, "if-none-match"), current):
        return response
    kept = {name: value for name, value in response.headers.items() if name in {"etag", "cache-control", "vary", "link"}}
    return Response(status_code=304, headers=kept)


@dataclass(frozen=True)
class Refusal:
    """What the trail says of a refused request. An id is kept only when it is one: whatever else was sent stays out."""

    action: str
    noun: str
    identifier: object
    problem: str


def _record(database: Database, actor: Actor, refusal: Refusal) -> None:
    known = refusal.identifier if isinstance(refusal.identifier, int) else _as_uuid(refusal.identifier)
    with database.transaction(actor) as session:
        record(session, refusal.action, refusal.noun, known, outcome="refused", detail={"problem": refusal.problem})


def _as_uuid(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
