"""Documents about layers: what they answer with, and the links by which each names its other representations."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from api.conditional import has_current
from api.lists import whole
from api.ogc.asking import Asked
from api.ogc.html import render
from api.ogc.links import Link, link
from api.ogc.negotiation import PAGES, choose
from api.ogc.tags import headers_of


def serve(
    asked: Asked, page: Mapping[str, Any], offered: Mapping[str, str] = PAGES, *, template: str = "document.html", **more: Any
) -> Response:
    """The answer with a document, in the wanted one of what is offered; 304 when the client has it.

    As HTML it is made by the template, which finds `more` beside the page.
    """
    chosen = choose(asked, offered)
    body = render(asked, template, page, **more) if chosen == "html" else orjson.dumps(page)
    return answer(asked, body, offered[chosen])


def answer(asked: Asked, body: bytes, media_type: str) -> Response:
    """These bytes under the strong tag of themselves, or 304 when the client has them."""
    headers = headers_of(asked, None, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
    if has_current(whole(asked.request.headers, "if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def representations(asked: Asked, here: str, offered: Mapping[str, str] = PAGES) -> list[Link]:
    """`self` in the wanted representation, and an `alternate` for each of the others."""
    chosen = choose(asked, offered)
    others = [link("alternate", f"{here}?f={name}", media_type) for name, media_type in offered.items() if name != chosen]
    return [link("self", asked.address, offered[chosen]), *others]
