"""Pages for people: well-formed, in two languages, escaped, with a map and paging, and usable without scripts."""

import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import LogIn
from tests.drawn import Drawn

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
VOID = {"meta", "link", "br", "img", "input", "hr"}
PATHS = (
    "", "conformance", "api", "collections", "collections/communities", "collections/communities/items", "collections/communities/items/4",
    "collections/communities/queryables", "collections/communities/sortables", "collections/communities/schema",
    "tileMatrixSets", "tileMatrixSets/WorldCRS84Quad", "collections/communities/tiles", "collections/communities/tiles/WebMercatorQuad",
    "styles", "styles/ground", "collections/communities/styles", "collections/communities/styles/border",
)  # fmt: skip


class Walker(HTMLParser):
    """Collects links and demands that every element is closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert not any(name.startswith("on") or name == "style" for name in given)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]
        self.headings += [tag] if tag in {"h1", "h2"} else []
        if tag == "script":
            assert given.get("src") or given.get("type") == "application/json"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(client: TestClient, address: str, **headers: str) -> str:
    answer = client.get(address, headers={**BROWSER, **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), answer.text
    assert "Accept-Language" in answer.headers["vary"]
    return answer.text


def test_pages_are_well_formed_and_their_links_lead_somewhere(client: TestClient) -> None:
    followed: set[str] = set()  # most pages name the same addresses
    for path in PATHS:
        text = page(client, f"/ogc/{path}")
        walked = Walker(text)
        assert walked.headings[0] == "h1"
        assert walked.headings.count("h1") == 1
        assert "演示数据" in text
        assert "built-in method" not in text  # a word that is called like a method of the words
        for address in walked.links:
            target = f"/ogc/{path}{address}" if address.startswith("?") else address
            if not address.startswith("#") and target not in followed:
                assert client.get(target, headers=BROWSER).status_code == 200, (path, address)
                followed.add(target)


def test_pages_are_told_in_the_language_that_is_asked_for(client: TestClient) -> None:
    for path in PATHS:
        assert '<html lang="zh-CN">' in page(client, f"/ogc/{path}")
        english = page(client, f"/ogc/{path}", **{"Accept-Language": "en-GB,en;q=0.8,zh;q=0.5"})
        assert '<html lang="en">' in english
        assert '<html lang="zh-CN">' in page(client, f"/ogc/{path}?lang=zh", **{"Accept-Language": "en"})
        switch = re.search(r'class="switch" href="([^"]+)"', english)
        assert switch is not None
        assert '<html lang="zh-CN">' in page(client, f"/ogc/{path}" + switch[1].replace("&amp;", "&"), **{"Accept-Language": "en"})
        refused = client.get(f"/ogc/{path}?lang=de")
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "lang")


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("zh;q=0.1,en", "en"), ("zh;q=0.1, en;q=0.2", "en"), ("en;q=0.5,zh-Hans-CN;q=0.5", "en"), ("en;q=0", "zh-CN"),
        ("de,en;q=0.1", "en"),
        ("de", "zh-CN"), ("*", "zh-CN"), ("en;q=x", "zh-CN"), ("EN-gb", "en"), ("zh,en", "zh-CN"), ("english,zhou", "zh-CN"), ("", "zh-CN"),
    ],
)  # fmt: skip
def test_language_is_the_one_that_weighs_most(client: TestClient, wanted: str, language: str) -> None:
    assert f'<html lang="{language}">' in page(client, "/ogc/", **{"Accept-Language": wanted})


def test_programs_get_json_unless_they_ask_for_pages(client: TestClient) -> None:
    for path in PATHS:
        assert "json" in client.get(f"/ogc/{path}").headers["content-type"]
        assert client.get(f"/ogc/{path}?f=html").headers["content-type"] == "text/html; charset=utf-8"


def test_features_stand_in_a_table_and_on_a_map(client: TestClient) -> None:
    text = page(client, "/ogc/collections/communities/items?limit=2")
    assert text.count('<th scope="row">') == 2
    assert '<div id="map"' in text
    assert "/static/ogc.js" in text
    following = re.search(r'href="([^"]+)" rel="next"', text)
    assert following is not None
    last = page(client, following[1].replace("&amp;", "&"))
    assert last.count('<th scope="row">') == 1
    assert 'rel="next"' not in last
    assert 'rel="first"' in last
    other = "http://www.opengis.net/def/crs/EPSG/0/4547"
    assert '<div id="map"' not in page(client, f"/ogc/collections/communities/items?crs={other}")


def test_words_of_closed_lists_are_told_in_the_language_of_the_page(client: TestClient, log_in: LogIn, drawn: Drawn) -> None:
    district, tower = log_in("district"), drawn.places.buildings["tower"]
    for path in ("?name=tower", f"/{tower}"):
        address = f"/ogc/collections/buildings/items{path}"
        chinese, english = page(district, address), page(district, address, **{"Accept-Language": "en"})
        assert re.search(r"<td>商品房\s*</td>", chinese)
        assert re.search(r"<td>Commodity housing\s*</td>", english)
        assert not re.search(r"<td>commodity", chinese + english)
    assert district.get(f"/ogc/collections/buildings/items/{tower}").json()["properties"]["nature"] == "commodity"
    assert "commodity" in district.get("/ogc/collections/buildings/items?name=tower&f=csv").text


def test_page_without_features_says_so(client: TestClient) -> None:
    text = page(client, "/ogc/collections/communities/items?bbox=0,0,1,1")
    assert "没有符合条件的要素" in text
    assert '<div id="map"' not in text


def test_names_are_text_whatever_stands_in_them(log_in: LogIn, drawn: Drawn) -> None:
    district = log_in("district")
    name = """</script><script src="x"></script><b onclick='y'>&"""
    address = f"/v1/buildings/{drawn.places.buildings['tower']}"
    assert district.patch(address, json={"name": name}, headers={"If-Match": "*"}).status_code == 200
    for path in ("", f"/{drawn.places.buildings['tower']}"):
        text = page(district, f"/ogc/collections/buildings/items{path}")
        Walker(text)
        assert "<b onclick" not in text
        assert '<script src="x"' not in text
        assert "&lt;/script&gt;&lt;script src=" in text


def test_page_shows_only_what_is_there_for_the_caller(client: TestClient, log_in: LogIn) -> None:
    assert "/collections/buildings" not in page(client, "/ogc/collections") + page(client, "/ogc/api")
    assert "/collections/buildings" in page(log_in("worker"), "/ogc/collections")
    assert client.get("/ogc/collections/buildings/items", headers=BROWSER).status_code == 404
