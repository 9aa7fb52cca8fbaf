"""The service as a client without any knowledge of it finds it: from the landing page, by links and the OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

JSON = "application/json"
GEOJSON = "application/geo+json"
HTML = "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"


def media_type(answer: httpx2.Response) -> str:
    """Without its parameters."""
    return answer.headers["content-type"].partition(";")[0]


def document(client: httpx2.Client, address: str, accept: str = JSON, **parameters: str | int) -> dict[str, Any]:
    """What is answered with 200 in the wanted media type."""
    answer = client.get(address, headers={"Accept": accept}, params=parameters or None)
    assert answer.status_code == 200, (address, parameters, answer.text)
    assert media_type(answer) == accept.partition(";")[0]
    return answer.json()


def links(page: Mapping[str, Any], rel: str, accept: str | None = None) -> list[str]:
    """The addresses of its links of a relation, of a media type if one is named. Each has both."""
    assert all(link["rel"] and link["type"] for link in page["links"])
    return [link["href"] for link in page["links"] if link["rel"] == rel and accept in {None, link["type"]}]


def landing(client: httpx2.Client) -> dict[str, Any]:
    """The landing page."""
    return document(client, f"{client.base_url}".rstrip("/") + "/")


def collections(client: httpx2.Client) -> list[dict[str, Any]]:
    """The collections of features, by the landing page's own link."""
    [address, *_] = links(landing(client), "data", JSON)
    found = document(client, address)["collections"]
    assert found
    return [one for one in found if one.get("itemType", "feature") == "feature"]


def items(collection: Mapping[str, Any]) -> str:
    """Where the features of a collection are, as GeoJSON."""
    [address] = links(collection, "items", GEOJSON)
    return address


def api(client: httpx2.Client) -> dict[str, Any]:
    """The OpenAPI document."""
    [address] = links(landing(client), "service-desc", OPENAPI)
    return document(client, address, OPENAPI)


def parameters(client: httpx2.Client, collection: Mapping[str, Any], path: str = "items") -> dict[str, dict[str, Any]]:
    """The parameters that the OpenAPI document has for a path below a collection, by name."""
    told = api(client)
    found: list[dict[str, Any]] = told["paths"][f"/collections/{collection['id']}/{path}"]["get"]["parameters"]
    return {one["name"]: one for one in (resolve(told, given) for given in found)}


def resolve(told: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What stands there, or what it refers to."""
    if "$ref" not in given:
        return given
    part: Any = told
    for name in given["$ref"].removeprefix("#/").split("/"):
        part = part[name]
    return part


def pages(client: httpx2.Client, address: str, **parameters: str | int) -> Iterator[dict[str, Any]]:
    """Page after page by `next`."""
    page = document(client, address, GEOJSON, **parameters)
    yield page
    while following := links(page, "next", GEOJSON):
        page = document(client, following[0], GEOJSON)
        yield page


def features(client: httpx2.Client, address: str, **parameters: str | int) -> list[dict[str, Any]]:
    """Every feature."""
    return [feature for page in pages(client, address, **{"limit": 1000, **parameters}) for feature in page["features"]]


def ids(client: httpx2.Client, address: str, **parameters: str | int) -> list[Any]:
    """The ids of every feature."""
    return [feature["id"] for feature in features(client, address, **parameters)]
