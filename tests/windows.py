"""Windows of a real browser, and what goes wrong in them."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

PATIENCE: Final = 25_000
"""Milliseconds that a loaded machine may take for anything."""
expect.set_options(timeout=PATIENCE)

DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
MODES: Final = {"light": DESK, "dark": DESK, "phone": PHONE}

CONTRAST: Final = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
"""A function for the page: the texts in it that do not stand out from their ground."""
FITS: Final = "document.documentElement.scrollWidth <= innerWidth"
"""Whether nothing is wider than the window."""


def view_of(address: str) -> str:
    """The view that an address within the page names."""
    return address.split("/")[0].split("?")[0]


class Windows:
    """Opens pages, each in a window of its own.

    Args:
        browser: what runs.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.wrong: list[str] = []
        """Errors and warnings of their scripts, and requests to anybody but the page's own server."""

    def open(self, address: str, mode: str = "light") -> Page:
        """A page at this address; ``mode`` is light, dark or phone."""
        context = self._browser.new_context(
            color_scheme="dark" if mode == "dark" else "light",
            viewport=MODES[mode],
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE)
        self._contexts.append(context)
        page = context.new_page()
        origin = address.split("#")[0]
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", lambda each: self.wrong.append(each.text) if each.type in ("error", "warning") else None)
        page.on("request", lambda each: None if each.url.startswith(origin) else self.wrong.append(each.url[:200]))
        page.goto(address)
        return page

    def close(self) -> None:
        """Closes them all."""
        for each in self._contexts:
            each.close()
