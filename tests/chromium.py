"""A real headless Chromium for the tests of pages: the system's, or the one that STREAMTRACE_CHROMIUM names."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM: Final = os.environ.get("STREAMTRACE_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)

needs_chromium: Final = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH, nor in STREAMTRACE_CHROMIUM")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, until the block ends. Until then no other event loop can run in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
