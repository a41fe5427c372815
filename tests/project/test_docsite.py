"""The documentation as a site: it builds without a warning, its links lead somewhere, each page loads in a browser."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final, Literal
from urllib.parse import unquote, urljoin, urlsplit
from zipfile import ZipFile

import pytest
import yaml
from chromium import chromium, needs_chromium
from click import Context
from docsite import addresses, contents
from playwright.sync_api import Page, ViewportSize

from autogen_streamtrace import cli
from autogen_streamtrace.core import semconv as sc

pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk needs Python 3.11", exc_type=ImportError)

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

ROOT: Final = Path(__file__).parents[2]
ADDRESS: Final = "https://docs.example/"
"""Where the site says that it is."""
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESK: Final[ViewportSize] = {"width": 1280, "height": 900}
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for all processes that test."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    target = shared / "site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            build(tmp_path_factory.mktemp("built") / "site").rename(target)
    return target


def build(target: Path) -> Path:
    """Builds it with every warning an error."""
    built = subprocess.run(
        [sys.executable, "-m", "docsite", str(target)],
        cwd=ROOT / "tools",
        env={**os.environ, "STREAMTRACE_SITE_URL": ADDRESS},
        capture_output=True,
        text=True,
        timeout=200,
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
    pages = [*contents.pages_of_docs(), *contents.MADE]
    assert [page for page in pages if f"]({addresses.served(page)})" not in listed] == []


class _Links(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.to: set[str] = set()
        self.anchors = {"top"}
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        told = dict(attributes)
        self.anchors.update(filter(None, (told.get("id"), told.get("name"))))
        self.to.update(filter(None, (told.get("href"), told.get("src"))))


def test_every_link_and_anchor_of_the_site_leads_somewhere(site: Path) -> None:
    pages = {
        f"/{file.parent.relative_to(site)}/".replace("/./", "/"): _Links(file.read_text())
        for file in site.rglob("index.html")
    }
    lost = []
    for page, links in pages.items():
        for link in links.to:
            to = urlsplit(urljoin(page, link))
            there = pages.get(to.path)
            found = bool(to.scheme) or (
                unquote(to.fragment) in {"", *there.anchors} if there else (site / to.path.strip("/")).is_file()
            )
            if not found:
                lost.append((page, link))
    assert lost == []


def test_every_alert_leads_to_a_runbook_of_the_site(site: Path) -> None:
    with ZipFile(site / "dashboards" / "autogen-streamtrace-dashboards.zip") as archive:
        rules = yaml.safe_load(archive.read("dashboards/alerts/alert-rules.yaml"))
    addresses = {rule["annotations"]["runbook_url"] for group in rules["groups"] for rule in group["rules"]}
    early = [outcome for outcome in sc.OUTCOMES if outcome != sc.COMPLETED]
    told = {address.replace("{{ $labels.streamtrace_outcome }}", outcome) for address in addresses for outcome in early}
    assert len(told) > len(early)
    assert [each for each in told if not (site / each.removeprefix(ADDRESS) / "index.html").is_file()] == []


def test_the_alerts_are_served_as_they_are_in_the_archive(site: Path) -> None:
    with ZipFile(site / "dashboards" / "autogen-streamtrace-dashboards.zip") as archive:
        assert len(archive.namelist()) > 10
        assert {name for name in archive.namelist() if (site / name).read_bytes() != archive.read(name)} == set()


def test_each_command_shows_what_it_prints(site: Path) -> None:
    page = (site / "commands" / "index.html").read_text()
    shown = {
        name for name in cli.app.list_commands(Context(cli.app)) if f"autogen-streamtrace {name}" in _printed(page)
    }
    assert shown == set(cli.app.list_commands(Context(cli.app)))
    assert "4 of 4 endings judged right" in page and "6 open streams, 6 stalled" in page
    assert "127.0.0.1:4319" in page and str(Path.home()) not in page


def _printed(page: str) -> str:
    """The text of a page's runs of commands."""
    runs = re.findall(r'<div class="highlight-console.*?</pre>', page, re.DOTALL)
    return re.sub(r"<[^>]+>", "", "\n".join(runs))


@needs_chromium
def test_every_page_loads_without_an_error_and_fits_a_phone_and_a_desk_in_light_and_dark(
    site: Path, address: str
) -> None:
    pages = [page.parent.relative_to(site).as_posix() for page in site.rglob("index.html")]
    with chromium() as browser:
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("response", lambda response: wrong.append(response.url) if response.status >= 400 else None)
        wide = [name for name in pages if _too_wide(page, f"{address}{name}/")]
    assert (wrong, wide) == ([], [])


def _too_wide(page: Page, address: str) -> bool:
    page.goto(address)
    return any(_wider(page, size, scheme) for size in (DESK, PHONE) for scheme in SCHEMES)


def _wider(page: Page, size: ViewportSize, scheme: Literal["light", "dark"]) -> bool:
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
