"""Landing page and conformance."""

from typing import Final

import orjson
from starlette.responses import Response

from api.ogc.asking import Asked, members
from api.ogc.links import link
from api.ogc.negotiation import JSON, choose

CONFORMS_TO: Final = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
)


async def read_landing(asked: Asked) -> Response:
    """Where everything is."""
    choose(asked, {"json": JSON})
    here = asked.root
    page = {
        "title": "gridmgmt",
        "description": "Grids, rental buildings and areas of a district",
        "links": [
            link("self", f"{here}/", JSON, "This page"),
            link("conformance", f"{here}/conformance", JSON, "What this service conforms to"),
            link("data", f"{here}/collections", JSON, "Collections"),
            link("service-desc", here.removesuffix("/ogc") + "/openapi.json", "application/vnd.oai.openapi+json;version=3.1", "OpenAPI"),
        ],
    }
    return Response(orjson.dumps(page | members(asked)), media_type=JSON)


async def read_conformance(asked: Asked) -> Response:
    """The classes of requirements that are met."""
    choose(asked, {"json": JSON})
    return Response(orjson.dumps({"conformsTo": list(CONFORMS_TO)}), media_type=JSON)
