"""One request to /ogc, understood: who asks, for which layer, by which parameters. None is ignored and none is given twice.

These routes are Starlette's own. Their parameters hang on the layer, their document is OpenAPI 3.0 made from the layers, and most of
their answers are bytes that PostgreSQL built, so what FastAPI does for the others would be done here for nothing, hundreds of times a
second.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Collection, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.auth import caller, may_write
from api.dependencies import Parts, parts_of
from api.ogc.links import NOTICE
from api.problems import RequestError, refused
from api.schemas.base import INT8, Moment, read_digits
from gridmgmt.database import Actor
from gridmgmt.errors import DistrictError, ForbiddenError, InvalidError
from gridmgmt.layers import find_layer
from gridmgmt.layers.layer import Layer
from gridmgmt.sync.standing import require_active

Value = TypeVar("Value")

LANGUAGES: Final = ("zh", "en")
MOMENT: Final[TypeAdapter[dt.datetime]] = TypeAdapter(Moment)


def _read_count(value: object) -> object:
    """Whoever wants more than any number holds wants everything."""
    many = isinstance(value, str) and len(value) > len(str(INT8)) - 1 and value.isascii() and value.isdigit() and value[0] != "0"
    return INT8 if many else read_digits(value)


COUNT: Final[TypeAdapter[int]] = TypeAdapter(Annotated[int, BeforeValidator(_read_count), Field(ge=1)])
"""How many at most."""


@dataclass
class Asked:
    """A request with its caller."""

    request: Request
    parts: Parts
    actor: Actor
    given: Mapping[str, str]
    """The parameters, each once."""

    @cached_property
    def layer(self) -> Layer:
        """The layer that the address names. Raises NotFoundError where there is none for the caller."""
        return find_layer(self.request.path_params["collection"], self.actor)

    @cached_property
    def may_write(self) -> bool:
        """Whether the caller may write to the layer at all. Access keys only read unless they were issued to write."""
        return self.writes(self.layer)

    def writes(self, layer: Layer) -> bool:
        """The same of any layer."""
        return layer.writable is not None and self.actor.role in layer.writable.roles and may_write(self.request)

    @cached_property
    def root(self) -> str:
        """Absolute address of /ogc, without a slash at its end."""
        scope = self.request.scope
        origin = self.address.removesuffix(f"?{scope['query_string'].decode()}").removesuffix(scope["path"])
        return f"{origin}{scope.get('root_path', '')}/ogc"

    @cached_property
    def address(self) -> str:
        """Absolute address of what is asked for, with its parameters."""
        return str(self.request.url)

    def only(self, known: Set[str]) -> None:
        """Raise RequestError (400) for a parameter that is not known here."""
        for name in self.given:
            if name == "lang" and "f" in known:  # pages for people are told in either language
                if self.given[name] not in LANGUAGES:
                    raise RequestError("invalid-parameter", f"lang: takes {' or '.join(LANGUAGES)}", field=name)
            elif name not in known:
                raise RequestError("invalid-parameter", "there is no such parameter", field=name[:100])

    def read(self, name: str, adapter: TypeAdapter[Value]) -> Value | None:
        """A parameter as a value, None when it is not given. Raises InvalidError (400) naming it."""
        text = self.given.get(name)
        return None if text is None else read(name, text, adapter)


Handler = Callable[[Asked], Awaitable[Response]]

BODIES: Final[Mapping[str, tuple[str, str]]] = {
    "POST": ("Accept-Post", "application/geo+json"),
    "PATCH": ("Accept-Patch", "application/merge-patch+json"),
}
"""The header that tells what a method takes, and what that is."""


def read(name: str, value: object, adapter: TypeAdapter[Value]) -> Value:
    """A value as `adapter` takes it. Raises InvalidError naming it."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise InvalidError(f"{name}: {reason}", field=name) from None


class Resource(Route):
    """A route that is asked whatever the method: OPTIONS and 405 name what this caller may do, not what somebody may.

    It makes problems of refusals itself.
    """

    endpoint: Callable[[Request], Awaitable[Response]]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve any method."""
        request = Request(scope, receive, send)
        try:
            response = await self.endpoint(request)
        except (DistrictError, HTTPException) as error:
            response = refused(request, error)
        await response(scope, receive, send)

    def named(self, path: str) -> dict[str, Any] | None:
        """The parts of a path that it serves, None for another path."""
        found = self.path_regex.match(path)
        return None if found is None else {name: self.param_convertors[name].convert(value) for name, value in found.groupdict().items()}


def route(
    path: str, handler: Handler, *, parameters: Set[str] | None = frozenset(), writes: Mapping[str, Handler] = MappingProxyType({})
) -> Resource:
    """A route below /ogc: `handler` answers GET, `writes` other methods. With `parameters` None the handler says which it knows.

    A method that writes takes no parameters.
    """
    path = f"/ogc{path}"

    async def answer(request: Request) -> Response:
        request.state.route = path
        parts = parts_of(request)
        given = _parameters(request)
        actor = await caller(request, parts.database, parts.tokens, parts.rates, parts.limits, keys_write=True)
        request.state.actor = actor
        await require_active(parts.database, actor)
        asked = Asked(request, parts, actor, given)
        if request.method == "GET":
            if parameters is not None:
                asked.only(parameters)
            return await handler(asked)
        if "collection" in request.path_params:
            asked.layer  # noqa: B018 -- a hidden layer is told like a missing one, whatever is asked of it
        if request.method == "OPTIONS":
            return Response(headers=allowed(asked, writes))
        if request.method not in writes or asked.layer.writable is None:
            raise RequestError("method-not-allowed", "this method is not served here", headers=allowed(asked, writes))
        if not asked.may_write:
            raise _refusal(asked)
        asked.only(frozenset())
        return await writes[request.method](asked)

    return Resource(path, answer, methods=["GET", *writes], name=handler.__name__)


def _refusal(asked: Asked) -> ForbiddenError:
    writable = asked.layer.writable
    if writable is not None and asked.actor.role in writable.roles:
        return ForbiddenError("this access key only reads: ask for one that writes, or log in for a bearer token")
    return ForbiddenError("you may look at this layer, not write to it")


def allowed(asked: Asked, writes: Collection[str]) -> dict[str, str]:
    """The header Allow of a resource: what this caller may ask of it. And which bodies are taken."""
    methods = [*writes] if writes and asked.may_write else []
    headers = {"Allow": ", ".join(["GET", "HEAD", "OPTIONS", *methods])}
    return headers | {BODIES[method][0]: BODIES[method][1] for method in methods if method in BODIES}


def _parameters(request: Request) -> dict[str, str]:
    given: dict[str, str] = {}
    if not request.scope["query_string"]:
        return given
    for name, value in request.query_params.multi_items():
        if name in given:
            raise RequestError("invalid-parameter", "the parameter is given twice", field=name[:100])
        given[name] = value
    return given


def members(asked: Asked) -> dict[str, Any]:
    """What every document says beside its own: 演示数据 in demo mode."""
    return {"notice": NOTICE} if asked.parts.settings.access.demo_mode else {}
