"""MapLibre in a browser draws from our styles and tiles exactly what the caller may see, and so does the map of the district."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import looking
from tests.places import PASSWORD, point
from tests.served import Served

DRAW = """
async ({ style, token, center, zoom }) => {
  const { Map: MapLibre } = await import("/static/maplibre/maplibre-gl.mjs");
  const container = document.body.appendChild(document.createElement("div"));
  container.style.width = "400px";
  container.style.height = "300px";
  const map = new MapLibre({
    container, style, center, zoom, fadeDuration: 0,
    transformRequest: (url) => ({ url, headers: token ? { Authorization: `Bearer ${token}` } : {} }),
  });
  const errors = [];
  map.on("error", ({ error }) => errors.push(error.message));
  await map.once("idle");
  const box = map.getBounds().toArray().flat();
  const features = map.queryRenderedFeatures()
    .map((one) => ({ id: one.id, layer: one.layer.id, properties: one.properties, colour: one.layer.paint["fill-color"] }));
  map.remove();
  container.remove();
  return { errors, box, features };
}
"""
"""A map of its own on any of our pages, and what stands on it when all of it is drawn."""


@pytest.fixture(scope="module")
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page of ours without a map."""
    with looking(browser, f"{served.root}/?f=html") as opened:
        yield opened


def drawn(page: Page, served: Served, username: str, style: str, zoom: float) -> dict[str, Any]:
    """What MapLibre draws around the tower, by a style of the buildings."""
    sheet = f"{served.root}/collections/buildings/styles/{style}?f=mapbox"
    seen = page.evaluate(DRAW, {"style": sheet, "token": served.token(username), "center": list(point(250, 200)), "zoom": zoom})
    assert seen["errors"] == []
    return seen


def listed(served: Served, username: str, box: list[float]) -> set[str]:
    """Ids of the buildings in a box, as the features are listed."""
    query = {"bbox": ",".join(map(str, box)), "limit": "10000"}
    with served.client(username) as client:
        page = client.get(f"{served.root}/collections/buildings/items", params=query).json()
    return {feature["id"] for feature in page["features"]}


@pytest.mark.parametrize("username", ["district", "worker"])
def test_every_building_in_view_is_drawn_and_no_other(page: Page, served: Served, username: str) -> None:
    seen = drawn(page, served, username, "nature", 17)
    shapes = [one for one in seen["features"] if one["layer"] in {"buildings-fill", "buildings-circle"}]
    assert {one["id"] for one in shapes} == listed(served, username, seen["box"])
    tower = str(served.drawn.places.buildings["tower"])
    (colour,) = [one["colour"] for one in shapes if one["id"] == tower]
    assert [round(255 * colour[part]) for part in "rgb"] == [0x2F, 0x78, 0xB4]  # commodity housing


def test_far_away_buildings_are_numbers_of_the_own(page: Page, served: Served) -> None:
    features = drawn(page, served, "subdistrict", "density", 12)["features"]
    assert {one["layer"] for one in features} == {"buildings-far-fill"}
    assert sum(one["properties"]["count"] for one in features) == 4


def test_people_see_the_areas_and_after_log_in_the_own_buildings(browser: Browser, served: Served) -> None:
    with looking(browser, f"{served.site}/", width=640, height=400) as page:
        page.wait_for_selector("body[data-drawn]")
        page.select_option("#maps", "ground")
        page.wait_for_selector("body[data-drawn=ground]")
        assert "演示数据" in page.inner_text("aside")
        assert int(page.get_attribute("body", "data-features") or "0") == 2  # subdistricts
        assert "Communities" in page.inner_text("#legend")
        page.fill("[name=username]", "worker")
        page.fill("[name=password]", PASSWORD)
        page.click("#log-in button")
        page.wait_for_selector("body[data-drawn=buildings-nature]")
        assert page.is_hidden("#log-in")
        assert int(page.get_attribute("body", "data-features") or "0") >= 1
        assert page.is_hidden("#empty")
        page.select_option("#maps", "buildings-density")
        page.wait_for_selector("body[data-drawn=buildings-density]")
        assert "300 × 300 m" in page.inner_text("#legend")
        assert page.inner_text("#said") == ""


@pytest.mark.parametrize("path", ["styles/ground", "collections/communities/items"])
def test_pages_for_people_draw_their_maps(browser: Browser, served: Served, path: str) -> None:
    with looking(browser, f"{served.root}/{path}?f=html", width=500, height=400) as page:
        page.wait_for_selector("body[data-ready=map]")
