"""The documentation as a site: it builds without a warning, and each page loads in a browser."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from chromium import chromium, needs_chromium
from docsite import addresses, contents
from playwright.sync_api import Page, ViewportSize

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

ROOT: Final = Path(__file__).parents[2]
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with every warning an error."""
    target = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "docsite", str(target)], cwd=ROOT / "tools", capture_output=True, text=True, timeout=100
    )
    assert (built.returncode, built.stderr) == (0, "")
    return target


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site, served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """A test's output has no place for requests."""


def test_every_page_has_an_address_of_its_own(site: Path) -> None:
    built = {page: site / addresses.served(page) / "index.html" for page in contents.pages_of_docs()}
    assert [page for page, file in built.items() if not file.exists()] == []


def test_a_model_finds_every_page_in_llms_txt(site: Path) -> None:
    listed = (site / "llms.txt").read_text()
    pages = [*contents.pages_of_docs(), *contents.made()]
    assert [page for page in pages if f"]({addresses.served(page)})" not in listed] == []


@needs_chromium
def test_every_page_loads_without_an_error_and_fits_a_phone(site: Path, address: str) -> None:
    pages = [page.parent.relative_to(site).as_posix() for page in site.rglob("index.html")]
    with chromium() as browser:
        page = browser.new_page(viewport=PHONE)
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("response", lambda response: wrong.append(response.url) if response.status >= 400 else None)
        wide = [name for name in pages if _too_wide(page, f"{address}{name}/")]
    assert (wrong, wide) == ([], [])


def _too_wide(page: Page, address: str) -> bool:
    page.goto(address)
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
