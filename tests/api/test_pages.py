"""The map page: own files only, nothing inline, names as text."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api import pages

STATIC = Path(pages.__file__).parent / "static"


def test_page_loads_its_own_files_only(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert all(address.startswith("/") for address in loaded)
    for address in loaded:
        assert client.get(address).status_code == 200, address
    assert "<style" not in page.text
    assert not re.search(r"<script(?![^>]* src=)", page.text)
    assert not re.search(r"\son\w+=", page.text)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("map.js", "javascript"), ("map.css", "text/css"), ("icon.svg", "image/svg+xml"), ("maplibre/maplibre-gl.mjs", "javascript"),
        ("maplibre/maplibre-gl-worker.mjs", "javascript"), ("maplibre/LICENSE.txt", "text/plain"),
    ],
)  # fmt: skip
def test_file_is_served_as_what_it_is(client: TestClient, name: str, media_type: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 200
    assert media_type in answer.headers["content-type"]
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_nothing_else_is_served_from_the_disk(client: TestClient) -> None:
    for name in ("", "../map.html", "%2e%2e/map.html", "..%2fmap.html", "maplibre", "maplibre/", "nothing.js", "../../app.py"):
        answer = client.get(f"/static/{name}")
        assert answer.status_code in {400, 404}, name
        assert answer.headers["content-type"] == "application/problem+json"


def test_script_writes_names_as_text() -> None:
    for file in STATIC.glob("*.js"):
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|eval\(|new Function", source), file.name
        assert not re.search(r"localStorage|sessionStorage|document\.cookie|https?://", source), file.name
