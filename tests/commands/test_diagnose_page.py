"""The page that `diagnose --html` writes, in a real headless Chromium."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import chromium, needs_chromium
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect
from synthetic import Turn, cut, whole, write
from windows import CONTRAST, FITS, MODES, Windows

from autogen_streamtrace.cli import app
from autogen_streamtrace.core import semconv as sc

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("browser"), needs_chromium]

EVIL = "</script><script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"


def turns() -> list[Turn]:
    random_ = random.Random(7)
    cuts = [cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=random_.uniform(0, 86_400)) for _ in range(40)]
    spread = [cut(random_.expovariate(1), at=random_.uniform(0, 86_400), host=EVIL) for _ in range(20)]
    tools = [cut(1.0, outcome=sc.FAILED, origin=sc.AGENT, cause=EVIL, ended_by="agent", at=9.0) for _ in range(3)]
    return [*whole(300, random_), *cuts, *spread, *tools]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page's address."""
    folder = tmp_path_factory.mktemp("page")
    source = write(folder / "spans.jsonl", turns())
    result = CliRunner().invoke(app, ["diagnose", source, "--html", str(folder / "page.html")])
    assert result.exit_code == 1, result.output
    Path(source).unlink()
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    opened = Windows(browser)
    yield opened
    opened.close()


def drawn(page: Page) -> Page:
    """Waits until every plot has its bars."""
    page.locator(".finding").first.wait_for()
    expect(page.locator(".plot")).to_have_count(3)
    expect(page.locator(".plot:not(:has(.bars path))")).to_have_count(0)
    return page


@pytest.mark.parametrize("mode", MODES)
def test_it_is_drawn_without_an_error_and_without_the_network_and_can_be_read(
    windows: Windows, written: str, mode: str
) -> None:
    page = drawn(windows.open(written, mode))
    assert page.evaluate(FITS)
    assert page.evaluate(CONTRAST) == []
    assert windows.wrong == []


def test_it_has_the_summary_the_causes_and_the_line_to_change(windows: Windows, written: str) -> None:
    page = drawn(windows.open(written))
    expect(page.locator("h1")).to_contain_text("63 of 363 turns ended early")
    first = page.locator(".finding").first
    expect(first).to_contain_text("40 turns lost")
    expect(first.locator(".line pre")).to_have_text("proxy_read_timeout 600s;")


def test_a_name_from_the_telemetry_is_shown_as_text(windows: Windows, written: str) -> None:
    page = drawn(windows.open(written))
    expect(page.locator(".finding", has_text="<script>window.evil").first).to_be_visible()
    assert page.evaluate("window.evil") is None


def test_the_limit_is_marked_in_the_plot_of_silences(windows: Windows, written: str) -> None:
    page = drawn(windows.open(written))
    expect(page.locator(".plot").nth(1)).to_contain_text("proxy_read_timeout 60 s")


def test_a_lost_turn_is_shown_layer_by_layer(windows: Windows, written: str) -> None:
    page = drawn(windows.open(written))
    page.locator(".examples a").first.click()
    expect(page.locator(".span .label")).to_have_text(["agent support_agent", "model gpt-4o", "http models.example"])
    expect(page.locator(".span:has(.mark.origin) .label")).to_have_text("http models.example")
    assert windows.wrong == []


def test_a_runbook_opens_in_its_place(windows: Windows, written: str) -> None:
    page = drawn(windows.open(written))
    page.locator(".finding summary").first.click()
    expect(page.locator(".runbook").first).to_contain_text("What it means")


def test_a_turn_out_of_standard_input_has_what_the_diagnosis_read(windows: Windows, tmp_path: Path) -> None:
    lines = Path(write(tmp_path / "spans.jsonl", turns())).read_text()
    result = CliRunner().invoke(app, ["diagnose", "-", "--html", str(tmp_path / "page.html")], input=lines)
    assert result.exit_code == 1, result.output
    page = drawn(windows.open((tmp_path / "page.html").as_uri()))
    page.locator(".examples a").first.click()
    expect(page.locator(".span .label")).to_have_text(["agent support_agent", "model gpt-4o", "http models.example"])
    expect(page.locator(".attributes")).to_contain_text("httpx2.RemoteProtocolError")
