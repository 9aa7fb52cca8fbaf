"""Landing page and conformance."""

from starlette.responses import Response

from api.ogc.asking import Asked, members
from api.ogc.conformance import CONFORMS_TO
from api.ogc.documents import representations, serve
from api.ogc.links import RELATIONS, link
from api.ogc.negotiation import HTML, JSON, OPENAPI


async def read_landing(asked: Asked) -> Response:
    """Where everything is."""
    here = asked.root
    page = {
        "title": "gridmgmt",
        "description": "Grids, rental buildings and areas of a district",
        "links": [
            *representations(asked, f"{here}/"),
            link("conformance", f"{here}/conformance", JSON, "What this service conforms to"),
            link(f"{RELATIONS}/conformance", f"{here}/conformance", JSON, "What this service conforms to"),
            link("data", f"{here}/collections", JSON, "Collections"),
            link(f"{RELATIONS}/data", f"{here}/collections", JSON, "Collections"),
            link(f"{RELATIONS}/tiling-schemes", f"{here}/tileMatrixSets", JSON, "Tile matrix sets"),
            link(f"{RELATIONS}/styles", f"{here}/styles", JSON, "Maps 地图样式"),
            link("service-desc", f"{here}/api", OPENAPI, "OpenAPI 3.0"),
            link("service-doc", f"{here}/api?f=html", HTML, "What can be asked of this service"),
        ],
    }
    return serve(asked, page | members(asked), template="landing.html")


async def read_conformance(asked: Asked) -> Response:
    """The classes of requirements that are met."""
    page = {"links": representations(asked, f"{asked.root}/conformance"), "conformsTo": CONFORMS_TO}
    return serve(asked, page | members(asked), template="conformance.html")
