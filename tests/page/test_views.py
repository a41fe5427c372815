"""Each view of the page, on the demo's run and on a day of turns of two services."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import pytest
import synthetic
from chromium import needs_chromium
from page_server import PageServer, page_server
from playwright.sync_api import Page, expect
from synthetic import Turn, cut, lines
from windows import CONTRAST, FITS, MODES, Windows, view_of

from autogen_streamtrace.core import semconv as sc

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("browser"), needs_chromium, pytest.mark.timeout(120)]

PLAYED: Final = ("ok", "length", "retry", "tool_hang", "stall", "fin", "http_429", "abort", "break", "team_stall")
"""Scenarios of the demo."""
DAY: Final = 86_400
COMPARED: Final = "compare?by=service&a.service=desk&b.service=till"


def turns(count: int) -> list[Turn]:
    """Turns of the last hours, of which nginx cuts some at its limit."""
    random_ = random.Random(7)
    start = time.time() - synthetic.BEGINNING / 1e9 - DAY
    moments = [start + random_.uniform(0, DAY - 60) for _ in range(count)]
    well = [Turn(duration=random_.lognormvariate(2, 0.6), at=at) for at in moments]
    return well + [cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=at + 50) for at in moments[:30]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """With the demo's turns, and a day of two services."""
    with page_server(tmp_path_factory.mktemp("page")) as running:
        only = [word for name in PLAYED for word in ("--only", name)]
        demo = [sys.executable, "-m", "autogen_streamtrace", "demo", "--otlp", "--json", *only]
        played = subprocess.run(
            demo, env={**os.environ, **running.variables}, capture_output=True, timeout=90, check=False
        )
        assert played.returncode == 0, played.stderr
        running.send(lines(turns(150), "desk"))
        running.send(lines(turns(60), "till", first=1000))
        running.wait("turns?limit=1", lambda found: found["turns"])
        running.wait("causes", lambda found: len(found["findings"]) >= 3)
        yield running


@pytest.fixture(scope="module")
def cut_turn(server: PageServer) -> str:
    """The trace of the demo's turn that stalled."""
    return str(server.ask("turns?service=autogen-streamtrace-demo&outcome=timeout&order=longest")["turns"][0]["trace"])


def whole(page: Page, view: str) -> None:
    """Waits until a view has drawn what it draws. The one before it may have marks of the same kind."""
    marks = {
        "now": ".turn.row",
        "cuts": ".finding",
        "turns": ".turn.row",
        "turn": ".span.selected",
        "compare": ".finding",
    }
    page.locator(f".view.{view} {marks[view]}").first.wait_for()
    if view in ("cuts", "compare"):
        expect(page.locator(".plot:not(:has(.bars path))")).to_have_count(0)


@pytest.mark.parametrize("mode", MODES)
def test_each_view_is_drawn_without_an_error_and_can_be_read(
    server: PageServer, cut_turn: str, windows: Windows, mode: str
) -> None:
    page = windows.open(server.address, mode)
    for address in ("now", "cuts", "turns", f"turn/{cut_turn}", COMPARED):
        page.goto(f"{server.address}#/{address}")
        whole(page, view_of(address))
        assert page.evaluate(FITS), address
        assert page.evaluate(CONTRAST) == [], address
    assert windows.wrong == []


def test_the_first_view_says_what_was_cut_and_what_to_change(server: PageServer, windows: Windows) -> None:
    page = windows.open(server.address)
    row = page.locator(".turn.row.cut", has_text="RoundRobinGroupChat")
    expect(row).to_contain_text("waited for http 127.0.0.1")
    expect(row).to_contain_text("http_client.read_timeout")
    expect(page.locator(".worst .finding")).to_contain_text("proxy_read_timeout")


def test_a_cause_has_its_evidence_its_line_and_its_runbook(server: PageServer, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/cuts?service=desk")
    cause = page.locator(".finding", has_text="nginx").first
    expect(cause.locator(".evidence li").first).to_be_visible()
    expect(cause.locator(".sure")).to_contain_text("likely")
    cause.locator(".fix .copy").first.click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) === 'proxy_read_timeout 600s;'")
    cause.locator("summary").click()
    expect(cause.locator(".runbook")).to_contain_text("proxy_read_timeout")


def test_the_limit_is_marked_where_the_silences_cluster(server: PageServer, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/cuts?service=desk")
    expect(page.locator(".plot").nth(1)).to_contain_text("proxy_read_timeout")


def test_a_turn_shows_who_waited_for_whom_and_where_it_was_cut(
    server: PageServer, cut_turn: str, windows: Windows
) -> None:
    page = windows.open(f"{server.address}#/turn/{cut_turn}")
    whole(page, "turn")
    expect(page.locator(".waited")).to_contain_text(
        "waited for model gpt-4o waited for http 127.0.0.1, where it was cut"
    )
    expect(page.locator(".span:has(.mark.origin) .label")).to_have_text("http 127.0.0.1")
    expect(page.locator(".attributes tr", has_text="streamtrace.silence")).to_contain_text(
        "time from the last item, or from the start, to the end"
    )
    expect(page.locator(".events")).to_contain_text(sc.E_END)


def test_a_row_opens_a_layer_and_the_address_says_so(server: PageServer, cut_turn: str, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/turn/{cut_turn}")
    whole(page, "turn")
    page.locator(".span .label", has_text="model gpt-4o").last.click()
    expect(page.locator(".details .facts")).to_contain_text("chat gpt-4o")
    assert "span=" in page.url


def test_two_services_stand_side_by_side(server: PageServer, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/compare?by=service")
    page.locator(".empty a").click()
    expect(page.locator(".compared thead")).to_contain_text("desk")
    expect(page.locator(".compared tbody tr").first).to_be_visible()


def test_a_filter_is_found_by_typing_and_stands_in_the_address(server: PageServer, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/turns", "phone")
    whole(page, "turns")
    page.keyboard.press("/")
    page.keyboard.type("outcome len")
    page.locator(".choices .active", has_text="length").wait_for()
    assert page.evaluate(FITS)
    page.keyboard.press("Enter")
    expect(page.locator(".turn.row")).to_have_count(1)
    assert "outcome=length" in page.url
    other = windows.open(page.url)
    expect(other.locator(".chip")).to_have_text("outcome length×")
    expect(other.locator(".turn.row")).to_have_count(1)


def test_the_keyboard_goes_through_the_rows_and_opens_one(server: PageServer, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/turns?service=autogen-streamtrace-demo")
    whole(page, "turns")
    for key in ("j", "j", "k"):
        page.keyboard.press(key)
    first = page.locator(".turn.row a").first
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    whole(page, "turn")
    page.keyboard.press("?")
    expect(page.locator("dialog.help")).to_be_visible()


def test_the_theme_can_be_chosen_and_stays(server: PageServer, windows: Windows) -> None:
    page = windows.open(server.address)
    whole(page, "now")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.reload()
    whole(page, "now")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_the_page_weighs_less_than_a_megabyte_beside_the_plotting_library(server: PageServer, windows: Windows) -> None:
    page = windows.open(f"{server.address}#/cuts")
    whole(page, "cuts")
    sizes = page.evaluate(
        """performance.getEntriesByType('resource').filter(each => each.name.includes('/static/'))
             .map(each => [each.name, each.decodedBodySize])"""
    )
    assert sum(size for name, size in sizes if not name.endswith("plotly.js")) < 1_000_000
