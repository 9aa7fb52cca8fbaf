"""Chromium without a window, for tests of what people see. A conftest takes the fixture by its name.

Where the content security policy forbids what playwright's wait_for_function does, wait for an attribute instead.
"""

import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

OPTIONS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""Whoever runs the tests may be root, which Chromium's sandbox refuses; and maps are drawn by WebGL, without a graphics card."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module. Playwright keeps an event loop in this thread, so it must not outlive the module."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, "make test installs chromium"
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=[*OPTIONS]) as launched:
        yield launched


@contextmanager
def looking(browser: Browser, address: str, *, width: int = 900, height: int = 700) -> Generator[Page]:
    """A page at an address, which must neither throw, nor complain on the console, nor load anything from elsewhere."""
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": height})
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    ours = (address[: address.index("/", len("http://"))] + "/", "blob:", "data:")
    page.on("request", lambda request: None if request.url.startswith(ours) else complaints.append(request.url))
    try:
        page.goto(address)
        yield page
        assert complaints == []
    finally:
        page.close()
