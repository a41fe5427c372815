"""A browser, and its windows."""

from collections.abc import Iterator

import pytest
from chromium import chromium
from playwright.sync_api import Browser
from windows import Windows


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: as long as it runs, its event loop keeps others from beginning theirs in this process."""
    with chromium() as running:
        yield running


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    opened = Windows(browser)
    yield opened
    opened.close()
