"""What tests of editing send: features of the drawn district, and the headers of a change."""

from typing import Any, Final

from starlette.testclient import TestClient

from tests.places import point

BUILDINGS: Final = "/ogc/collections/buildings/items"
GRIDS: Final = "/ogc/collections/grids/items"
GEOJSON: Final = {"Content-Type": "application/geo+json"}
ANY: Final = {"If-Match": "*"}
PATCH: Final = {"Content-Type": "application/merge-patch+json"}


def feature(geometry: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """A building in south-west."""
    rest: dict[str, Any] = {"name": "新楼", "address": "测试路9号", "floors_above": 6, "nature": "self_built", "rental": True}
    told = {"house_code": "4403990010010000099", **rest, **properties}
    return {"type": "Feature", "geometry": spot(300, 300) if geometry is None else geometry, "properties": told}


def spot(x: float, y: float) -> dict[str, Any]:
    """A place in metres from the origin."""
    return {"type": "Point", "coordinates": list(point(x, y))}


def square(x: float, y: float, half: float) -> dict[str, Any]:
    """A square around a place."""
    corners = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
    return {"type": "Polygon", "coordinates": [[list(point(x + dx, y + dy)) for dx, dy in corners]]}


def told(answer: Any) -> tuple[int, str, str | None]:
    """Status, slug and blamed member of a refusal."""
    problem = answer.json()
    return answer.status_code, problem["type"].removeprefix("/problems/"), next((error["field"] for error in problem["errors"]), None)


def tag(client: TestClient, address: str) -> dict[str, str]:
    """If-Match with the tag of what is there."""
    return {"If-Match": client.get(address).headers["etag"]}
