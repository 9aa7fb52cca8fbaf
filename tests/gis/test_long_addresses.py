"""Filters with large polygons over real HTTP: addresses below /ogc may be long, and what is too long is refused by its parameter."""

import math
import socket
from urllib.parse import urlencode

import httpx2
import pytest

from tests.places import point
from tests.served import Served

SHORT, LONG = 8_000, 65_000


def ring(vertices: int) -> str:
    """A ring around the whole district, with its last vertex the first again."""
    (west, south), (east, north) = point(-500, -500), point(2_500, 1_300)
    across, along, count = (east - west) / 2, (north - south) / 2, vertices - 1
    turns = [2 * math.pi * n / count for n in range(count)]
    places = [f"{west + across * (1 + math.cos(turn)):.7f} {south + along * (1 + math.sin(turn)):.7f}" for turn in turns]
    return ",".join([*places, places[0]])


def grids(served: Served, vertices: int) -> httpx2.Response:
    with served.client("district") as client:
        return client.get("/collections/grids/items?" + urlencode({"filter": f"S_INTERSECTS(geometry, POLYGON(({ring(vertices)})))"}))


def told(served: Served, target: str) -> tuple[str, bytes]:
    """Status line and body of an answer to a target of whatever length."""
    with socket.create_connection((served.host, served.port), timeout=10) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


def test_polygon_of_two_thousand_vertices_is_taken_and_one_more_is_too_many(served: Served) -> None:
    taken = grids(served, 2_000)
    assert len(taken.request.url.raw_path) > 5 * SHORT
    assert (taken.status_code, taken.json()["numberReturned"]) == (200, 6)
    refused = grids(served, 2_001)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "filter")
    assert "more than 2,000 vertices" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "most"), [("/ogc/collections/communities/items", LONG), ("/ogc", LONG), ("/v1/rents/guide", SHORT), ("/ogcx", SHORT)]
)
def test_address_that_is_too_long_is_refused_by_its_longest_parameter(served: Served, path: str, most: int) -> None:
    query = "limit=1&filter=&name=x"
    target = f"{path}?{query.replace('filter=', 'filter=' + 'a' * (most - len(path) - len(query)))}"
    for more in (1, LONG, 5 * LONG):  # the server's parser alone would refuse the last two without a word
        status, body = told(served, target.replace("filter=", "filter=" + "a" * more))
        assert status == "HTTP/1.1 400 Bad Request"
        assert f"longer than {most} bytes".encode() in body
        assert b'"errors":[{"field":"filter"' in body
    status, body = told(served, target)
    assert f"longer than {most} bytes".encode() not in body


def test_address_with_a_host_is_not_cut_to_one_that_can_be_served(served: Served) -> None:
    status, _ = told(served, f"http://{'h' * 60_000}/ogc/collections/communities/items?limit=1&filter={'a' * 6_000}")
    assert status == "HTTP/1.1 400 Bad Request"


def test_path_that_is_too_long_is_refused_without_a_parameter(served: Served) -> None:
    status, body = told(served, "/ogc/" + "a" * LONG)
    assert status == "HTTP/1.1 400 Bad Request"
    assert b'"errors":[]' in body
