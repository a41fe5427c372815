"""The page that `diagnose --html` writes, in a real headless Chromium."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, needs_chromium
from click.testing import CliRunner
from playwright.sync_api import Browser, Page
from synthetic import Turn, cut, whole, write

from autogen_streamtrace.cli import app
from autogen_streamtrace.core import semconv as sc

pytestmark = [pytest.mark.once, needs_chromium]

EVIL = "</script><script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


def turns() -> list[Turn]:
    random_ = random.Random(7)
    cuts = [cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=random_.uniform(0, 86_400)) for _ in range(40)]
    spread = [cut(random_.expovariate(1), at=random_.uniform(0, 86_400), host=EVIL) for _ in range(20)]
    tools = [cut(1.0, outcome=sc.FAILED, origin=sc.AGENT, cause=EVIL, ended_by="agent", at=9.0) for _ in range(3)]
    return [*whole(300, random_), *cuts, *spread, *tools]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page."""
    folder = tmp_path_factory.mktemp("page")
    source = write(folder / "spans.jsonl", turns())
    result = CliRunner().invoke(app, ["diagnose", source, "--html", str(folder / "page.html")])
    assert result.exit_code == 1, result.output
    return folder / "page.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(params=[("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)], ids=str)
def shown(request: pytest.FixtureRequest, browser: Browser, written: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page in a window, and what went wrong in it."""
    scheme, size = request.param
    context = browser.new_context(color_scheme=scheme, viewport=size)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("request", lambda each: wrong.append(f"request: {each.url[:80]}") if "http" in each.url[:5] else None)
    page.goto(written.as_uri())
    page.wait_for_function("document.querySelectorAll('.plotly-graph-div .main-svg').length > 0")
    yield page, wrong
    context.close()


def test_every_plot_is_drawn_without_an_error_and_without_the_network(shown: tuple[Page, list[str]]) -> None:
    page, wrong = shown
    plots: list[Any] = page.eval_on_selector_all(
        ".plotly-graph-div",
        "all => all.map(each => [each.id, each.querySelectorAll('.bars path, .trace path').length])",
    )
    assert [name for name, _ in plots][:3] == ["endings", "silences", "durations"]
    assert len(plots) >= 5
    assert all(marks > 0 for _, marks in plots), plots
    assert wrong == []


def test_nothing_is_wider_than_the_window(shown: tuple[Page, list[str]]) -> None:
    page, _ = shown
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_text_stands_out_from_its_ground(shown: tuple[Page, list[str]]) -> None:
    """At least 4.5 to 1, as https://www.w3.org/TR/WCAG22/#contrast-minimum asks."""
    page, _ = shown
    assert page.evaluate(
        """() => {
          const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
          const light = colour => {
            const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(channel)
            return 0.2126 * r + 0.7152 * g + 0.0722 * b
          }
          const ground = light(getComputedStyle(document.body).backgroundColor)
          const of = element => getComputedStyle(element)
          const texts = [...document.querySelectorAll('p, h1, h2, h3, li')].map(each => of(each).color)
          const labels = [...document.querySelectorAll('.plotly-graph-div text')].map(each => of(each).fill)
          const ratio = ink => (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)
          return [...texts, ...labels].every(colour => ratio(light(colour)) >= 4.5)
        }"""
    )


def test_a_name_from_the_telemetry_is_shown_as_text(shown: tuple[Page, list[str]]) -> None:
    page, _ = shown
    assert page.evaluate("window.evil") is None
    assert "<script>window.evil" in page.inner_text("body")


def test_the_limit_is_marked_in_the_plot_of_silences(shown: tuple[Page, list[str]]) -> None:
    page, _ = shown
    assert "nginx.proxy_read_timeout 60 s" in page.text_content("#silences")  # type: ignore[operator]
