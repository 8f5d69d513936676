"""A real Chromium for tests (Debian's package chromium), driven by Playwright without a browser of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: Pictures of what the tests saw: looked at by people, never compared. The folder is not kept in the history.
ARTEFACTS = Path(__file__).parents[1] / "build" / "screenshots"

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Browser:
    """A browser with a profile of its own; ``said`` is what its pages wrote to the console, errors and all."""

    playwright: object
    context: object
    said: list[str] = field(default_factory=list)

    def open(self, url: str, width: int = 1200, **media: str):
        """A page that is loaded, with what it shows."""
        page = self.context.new_page()
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("requestfailed", lambda request: self.said.append(f"failed: {request.url}"))
        page.set_viewport_size({"width": width, "height": 900})
        if media:
            page.emulate_media(**media)
        page.goto(url)
        page.wait_for_load_state("networkidle")
        return page

    @contextmanager
    def without_scripts(self) -> Iterator[Browser]:
        """Another one that runs no scripts."""
        with _started(self.playwright, has_scripts=False) as other:
            yield other


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; skip the test when it is not installed, fail it when everything has to be tested."""
    if shutil.which("chromium") is None:
        reason = "chromium missing: install Debian's package chromium to test pages in a browser"
        if os.environ.get("VO_TEST_COMPLETE"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, _started(playwright, has_scripts=True) as browser:
        yield browser


@contextmanager
def _started(playwright, *, has_scripts: bool) -> Iterator[Browser]:
    with tempfile.TemporaryDirectory(prefix="vo-chromium-", ignore_cleanup_errors=True) as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=shutil.which("chromium"),
            args=list(_FLAGS),
            headless=True,
            java_script_enabled=has_scripts,
        )
        try:
            yield Browser(playwright, context)
        finally:
            context.close()


def keep(page, name: str) -> Path:
    """Keep a picture of the whole page."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    path = ARTEFACTS / f"{name}.png"
    for image in page.locator("img[loading=lazy]").all():  # which wait until they are looked at
        image.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=str(path), full_page=True)
    return path
